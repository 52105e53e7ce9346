"""What has been done to which record, and at what cost.

All SQL about the ledger stands in this room.
"""
