"""How requests reach Claude, and what becomes of them."""
