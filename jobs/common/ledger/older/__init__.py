"""Ledgers that an older version of this software wrote."""
