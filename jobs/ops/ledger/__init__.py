"""What the operator asks of ledgers, and lets them forget: the SQL about them that no run needs."""
