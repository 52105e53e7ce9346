"""`./run_job.sh prune --record`: everything that an installation holds about one record."""
