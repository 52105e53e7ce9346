"""Whether a job is one that can run: its arguments, its output model, its columns, its name."""
