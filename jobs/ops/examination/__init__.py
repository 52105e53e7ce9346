"""The checks of `./run_job.sh doctor`: each room looks at one subject, changes nothing, and yields
lines.
"""
