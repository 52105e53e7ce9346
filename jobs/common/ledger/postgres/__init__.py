"""A ledger in a PostgreSQL database: its tables, its statements, and the lease of a job."""
