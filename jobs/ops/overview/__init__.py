"""What `./run_job.sh status` knows and how it says it.

Reads only, and imports nothing that takes long.
"""
