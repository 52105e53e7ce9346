"""A good citizen of Unix: exit codes, log lines, the lock, signals, files, the progress bar."""
