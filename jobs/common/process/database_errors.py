"""Errors of a database, whichever of both kinds it is: see sqlite_errors.py, postgres_errors.py."""

from __future__ import annotations

import sqlite3
import sys

from common.process import postgres_errors, sqlite_errors


def errors() -> tuple[type[Exception], ...]:
    """The classes of them, to be caught. psycopg's is there once a connection has been opened."""
    if psycopg := sys.modules.get("psycopg"):
        return sqlite3.Error, psycopg.Error
    return (sqlite3.Error,)


def is_about_the_statement(error: Exception) -> bool:
    """Whether a statement or its values are to blame for an error, and not the database."""
    if isinstance(error, sqlite3.Error):
        return sqlite_errors.is_about_the_statement(error)
    return postgres_errors.is_about_the_statement(error)


def remedy_for_tables(error: Exception) -> str:
    """What to do where a table is not as a statement that writes wants it; "" for other errors."""
    if isinstance(error, sqlite3.Error):
        return sqlite_errors.remedy_for_tables(error)
    return postgres_errors.remedy_for_tables(error)
