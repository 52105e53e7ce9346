"""What has been done to which record, and at what cost.

The SQL about it that runs need stands here; what operators ask is in ops/ledger/.
"""
