"""The parts of a backup: what goes in, how a ledger is copied while a job runs, and what stays
out of it.
"""
