"""A worker of Celery's: what it does with the requests that runs have queued."""
