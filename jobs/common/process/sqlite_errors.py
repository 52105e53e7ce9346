"""Turns an error of SQLite into one line for the log, and into an exit code."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from common.process import exits
from common.process.exits import JobExit


@contextmanager
def plain_errors(name: str, done: str) -> Iterator[None]:
    """Turn an sqlite3.Error inside the block into a JobExit about the database `name`.

    `done` says what could not be done to it, such as "read". The code is 74 for the disk, 78 for
    a statement that does not fit, 69 for a database that is locked or unreadable.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _plain(error, name, done) from error


def _plain(error: sqlite3.Error, name: str, done: str) -> JobExit:
    text = str(error)
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind == sqlite3.SQLITE_NOTADB:
        return JobExit(exits.SETTINGS, f"{name} is not a SQLite file: name one that is")
    if kind in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
        return JobExit(exits.CANNOT_WRITE, f"{name} could not be {done}: {text}")
    if kind in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, 0):
        remedy = "mend the SELECT or save() at the top of the job"
        return JobExit(exits.SETTINGS, f"{name} does not fit the job: {text}: {remedy}")
    return JobExit(exits.UNREACHABLE, f"{name} could not be {done}: {text}")
