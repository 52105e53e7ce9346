"""What an installation knows of itself: its jobs, and the history of their runs."""
