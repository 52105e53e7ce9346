"""The queue of requests for Celery's workers, in a ledger that is a PostgreSQL database."""
