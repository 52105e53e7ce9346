"""Turns an error of SQLite into one line for the log, and into an exit code."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from common.process import exits
from common.process.exits import JobExit

_DIED = "its application died while it was writing, and left"
_OPEN_IT = "which this user may not clear away: let the application open it once"
# The exit code of each kind of error, and what it is in truth, with what helps. `{done}` is what
# was done to the file. The kind is the lowest byte of SQLite's code; some whole codes say more.
_CODES = {
    sqlite3.SQLITE_NOTADB: exits.SETTINGS,
    sqlite3.SQLITE_CORRUPT: exits.UNREACHABLE,
    sqlite3.SQLITE_FULL: exits.CANNOT_WRITE,
    sqlite3.SQLITE_IOERR: exits.CANNOT_WRITE,
    sqlite3.SQLITE_READONLY: exits.CANNOT_WRITE,
    sqlite3.SQLITE_READONLY_ROLLBACK: exits.UNREACHABLE,
    sqlite3.SQLITE_READONLY_RECOVERY: exits.UNREACHABLE,
    sqlite3.SQLITE_READONLY_DBMOVED: exits.UNREACHABLE,
}
_TRUTH = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite file, or an encrypted one: name one that is plain",
    sqlite3.SQLITE_CORRUPT: "is damaged and could not be {done}: restore a backup, or save what is "
    "left with `sqlite3 FILE .recover`",
    sqlite3.SQLITE_BUSY: "could not be {done}: another program keeps it locked: run the job when "
    "that one rests",
    sqlite3.SQLITE_PROTOCOL: "could not be {done}: its locks do not work: is it on a network disk?",
    sqlite3.SQLITE_CANTOPEN: "could not be {done}: it, its journal or its write-ahead log (-wal, "
    "-shm) cannot be opened or made: mend the rights on them and on the folder",
    sqlite3.SQLITE_FULL: "could not be {done}: the disk is full: make room",
    sqlite3.SQLITE_IOERR: "could not be {done}: is the disk full or failing?",
    sqlite3.SQLITE_READONLY: "could not be {done}: nothing may be written to it: mend the SELECT "
    "where it writes, else the rights on the file and its folder",
    sqlite3.SQLITE_READONLY_ROLLBACK: f"could not be {{done}}: {_DIED} a hot rollback journal, "
    f"{_OPEN_IT}",
    sqlite3.SQLITE_READONLY_RECOVERY: f"could not be {{done}}: {_DIED} a write-ahead log, "
    f"{_OPEN_IT}",
    sqlite3.SQLITE_READONLY_DBMOVED: "could not be {done}: it was moved, removed or replaced "
    "meanwhile: run the job again",
    sqlite3.SQLITE_NOMEM: "could not be {done}: there is no memory left",
}
# What SQLite calls a damage, or a wrong statement, where the file's schema is newer than itself.
_OF_A_LATER_SQLITE = ("malformed database schema", "unsupported file format")
# A statement that does not fit; without a code, what the sqlite3 module itself objects to.
_STATEMENT = (
    0,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
)


def is_about_the_statement(error: sqlite3.Error) -> bool:
    """Whether a statement or its values are to blame for an error, and not the database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _STATEMENT


# What a statement that writes wants of a table, and how the table comes to have it. It would be so
# for every record.
_OF_TABLES = (
    (r"table (\S+) has no column named (\S+)", "run `alter table {0} add column {1} text`"),
    (
        r"no such column: (?:\S+\.)?(\S+)",
        "run `alter table … add column {0} text` for the table that lacks it",
    ),
    (
        r"table (\S+) has \d+ columns but \d+ values were supplied",
        "a field that is new needs a column, `alter table {0} add column …`, and in save() a name",
    ),
    (
        r"no such table: (?:main\.)?(\S+)",
        "give the job tables=`create table if not exists {0} (…)`",
    ),
    (r"did not supply a value for binding|number of bindings", "give save() what its SQL names"),
)


def remedy_for_tables(error: sqlite3.Error) -> str:
    """What to do where a table is not as a statement that writes wants it; "" for other errors."""
    for shape, remedy in _OF_TABLES:
        if found := re.search(shape, str(error)):
            return remedy.format(*found.groups())
    return ""


@contextmanager
def plain_errors(name: str, done: str, *, statements: bool = True) -> Iterator[None]:
    """Turn an sqlite3.Error inside the block into a JobExit about the database `name`.

    `done` says what could not be done to it, such as "read". The code is 74 for the disk, 78 for a
    statement or a file that does not fit, 69 for a database that is locked or damaged. Without
    `statements`, one that is about a statement or its values passes as it is.
    """
    try:
        yield
    except sqlite3.Error as error:
        if not statements and is_about_the_statement(error):
            raise
        raise _plain(error, name, done) from error


def _plain(error: sqlite3.Error, name: str, done: str) -> JobExit:
    text = " ".join(str(error).split())
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    if any(words in text for words in _OF_A_LATER_SQLITE):
        ours = f"SQLite {sqlite3.sqlite_version} does not understand: run the job with a later one"
        return JobExit(exits.SETTINGS, f"{name} has a schema that {ours}, or mend it ({text})")
    if is_about_the_statement(error):
        remedy = "mend the SELECT at the top of the job"
        if done != "read":
            remedy = remedy_for_tables(error) or "mend TABLES or save() at the top of the job"
        return JobExit(exits.SETTINGS, f"{name} does not fit the job: {text}: {remedy}")
    ends = _CODES.get(code) or _CODES.get(kind, exits.UNREACHABLE)
    truth = _TRUTH.get(code) or _TRUTH.get(kind, "could not be {done}")
    what = getattr(error, "sqlite_errorname", "")
    return JobExit(ends, f"{name} {truth.format(done=done)} ({text}{what and f', {what}'})")
