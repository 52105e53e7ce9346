"""One call to Claude, wrapped: who is to blame, when to try again, what it cost."""
