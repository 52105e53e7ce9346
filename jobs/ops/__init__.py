"""The operator's questions: status, doctor, prune.

None of them takes a lock for longer than it must.
"""
