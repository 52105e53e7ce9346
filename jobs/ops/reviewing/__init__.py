"""A table of answers that a person had better look at, and the way back of what they corrected."""
