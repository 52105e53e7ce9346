"""What becomes of a report that is written: its place among the others, and who is told of it."""
