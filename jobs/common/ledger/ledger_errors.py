"""Turns an error of the ledger's file into one line for the log, and into an exit code.

No error of a damaged or full ledger looks like a bug, wherever a statement meets it: the connection
itself translates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.process import exits
from common.process.exits import JobExit

_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)
# A page that another one points to is not there, or is not what was written.
_DAMAGE = (sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_LACKING = ("no such table", "no such column", "has no column")


def in_plain_words(error: sqlite3.Error, path: Path | str) -> JobExit | None:
    """The end of a run that met this error; None where the statement itself is wrong."""
    text = str(error)
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    if kind == sqlite3.SQLITE_NOTADB:
        remedy = "restore your backup, or let LEDGER_DB name another file"
        return JobExit(exits.SETTINGS, f"ledger {path} is not a SQLite file: {remedy}")
    if kind == sqlite3.SQLITE_CORRUPT or code in _DAMAGE or text.startswith("malformed"):
        return JobExit(exits.SETTINGS, f"ledger {path} is damaged ({text}): {recovery(path)}")
    if kind in _DISK:
        return JobExit(exits.CANNOT_WRITE, f"ledger {path} could not be read or written: {text}")
    if kind == sqlite3.SQLITE_CANTOPEN:
        remedy = "see its permissions, and df -h and df -i for what the disk has left"
        return JobExit(exits.CANNOT_CREATE, f"ledger {path} cannot be opened: {text}: {remedy}")
    if kind in _BUSY:
        remedy = "close the program that has it open (lsof shows it)"
        return JobExit(exits.UNREACHABLE, f"ledger {path} is locked: {remedy}")
    if any(words in text for words in _LACKING):
        return gone_or_broken(path, text)
    return None


def recovery(path: Path | str) -> str:
    """What to do about damaged pages."""
    return (
        "stop the job, keep a copy, then restore your backup, or:"
        f" sqlite3 {path} .recover | sqlite3 NEW.db"
    )


def gone_or_broken(path: Path | str, reason: str) -> JobExit:
    """The end of a run whose ledger forgot what it knew: to go on would be to pay again."""
    gone = f"the ledger of this job, {path}, is gone or broken ({reason})"
    anew = "start anew with --reprocess, which asks and pays for every record again"
    return JobExit(exits.SETTINGS, f"{gone}: restore it, or {anew}")


def _translating(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: sqlite3.Cursor, *args: Any) -> Any:
        try:
            return method(self, *args)
        except sqlite3.Error as error:
            path = getattr(self.connection, "path", "")
            raise in_plain_words(error, path) or error from error

    return call


class _Cursor(sqlite3.Cursor):
    execute = _translating(sqlite3.Cursor.execute)
    executemany = _translating(sqlite3.Cursor.executemany)
    executescript = _translating(sqlite3.Cursor.executescript)
    fetchone = _translating(sqlite3.Cursor.fetchone)
    fetchmany = _translating(sqlite3.Cursor.fetchmany)
    fetchall = _translating(sqlite3.Cursor.fetchall)
    __next__ = _translating(sqlite3.Cursor.__next__)


class Connection(sqlite3.Connection):
    """A connection to a ledger. Its statements raise JobExit where the file is to blame."""

    path: Path | str = ""

    def cursor(self, factory: Any = _Cursor) -> Any:
        """A cursor that translates."""
        return super().cursor(factory)

    # sqlite3's own shortcuts pass by what a cursor overrides.

    def execute(self, *args: Any) -> Any:
        """As sqlite3's."""
        return self.cursor().execute(*args)

    def executemany(self, *args: Any) -> Any:
        """As sqlite3's."""
        return self.cursor().executemany(*args)

    def executescript(self, script: str) -> Any:
        """As sqlite3's."""
        return self.cursor().executescript(script)
