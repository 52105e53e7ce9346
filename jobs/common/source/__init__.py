"""The user's database: records come from it, outputs go to it."""
