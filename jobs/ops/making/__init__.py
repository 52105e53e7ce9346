"""A job of one's own: made from the one that is nearest, and from the columns of a table."""
