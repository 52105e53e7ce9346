"""Turns an error of PostgreSQL into one line for the log, and into an exit code.

An error's details stay out of every line: they show the row, which is a customer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common.process import exits
from common.process.exits import JobExit
from common.process.log import one_line
from common.process.redaction import redacted

# The classes of SQLSTATE, and whole ones, for which a statement or its values are to blame.
_STATEMENT = ("0A", "21", "22", "23", "2B", "2F", "34", "38", "39", "3B", "42", "44", "54", "P0")
_STATEMENTS = ("25P02", "25001")
_NOT_GRANTED, _NO_SCHEMA = "42501", "3F000"
_READ_ONLY = "25006"
_LOCKED = "55P03"
_TIMED_OUT = "57014"
_DISK_FULL = "53100"
# Another transaction is in the way, or the server: the same again, on a new connection, may do.
_PASSING = ("08", "40", "57P", "25P", "25006", "53300", "55P03", "58")
# What libpq and psycopg say around the reason.
_CHATTER = re.compile(
    r"^(?:connection (?:failed|is bad)|consuming input failed|sending query failed[^:]*): "
    r"| Is the server running [^?]*\?| This probably means [^.]*\."
)


def said(error: Exception) -> str:
    """What the server says of an error, on one line, without the row that it happened to."""
    diagnosis: Any = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(error)
    if hint := getattr(diagnosis, "message_hint", None):
        text += f" ({hint})"
    return redacted(_CHATTER.sub("", one_line(text))) or type(error).__name__


def without_details(error: Exception) -> Exception:
    """The same error, whose text is now what `said` gives."""
    error.args = (said(error),)
    return error


def is_about_the_statement(error: Exception) -> bool:
    """Whether a statement or its values are to blame for a psycopg.Error, and not the server."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return not _is_operational(error)
    return (state[:2] in _STATEMENT and state != _NOT_GRANTED) or state in _STATEMENTS


def is_passing(error: Exception) -> bool:
    """Whether the same, on a new connection, may go well.

    libpq gives no code for what it finds by itself: a connection that broke, perhaps in the middle
    of a pipeline, which need not count as closed then.
    """
    state = getattr(error, "sqlstate", None)
    return _is_operational(error) if state is None else state.startswith(_PASSING)


def may_go_well_again(error: Exception) -> bool:
    """Whether a transaction failed for what others did at the same time, such as a deadlock."""
    return (getattr(error, "sqlstate", None) or "")[:2] == "40"


def _is_operational(error: Exception) -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError | psycopg.InternalError)


_OF_SELECTS = {
    "42P01": "mend the SELECT at the top of the job; a table may need its schema, as shop.events",
    _READ_ONLY: "mend the SELECT at the top of the job, which must change nothing",
}
# What PostgreSQL, PgBouncer and libpq say where only another address will do.
_REFUSALS = (
    r"authentication failed|(?:database|role) .* does not exist|no such (?:database|user)"
    r"|no pg_hba.conf entry|not permitted to log in|unsupported startup parameter|certificate"
    r"|not support SSL|definition of service|invalid (?:\w+ )?value|invalid port"
)


# What a statement that writes wants of a table, and how the table comes to have it. It would be so
# for every record.
_OF_TABLES = (
    (
        r'column "(.+?)" of relation "(.+?)" does not exist',
        "run `alter table {1} add column {0} text`",
    ),
    (
        r'column "?(?:\S+\.)?(.+?)"? does not exist',
        "run `alter table … add column {0} text` for the table that lacks it",
    ),
    (
        r"INSERT has more expressions than target columns",
        "a field that is new needs a column, `alter table … add column …`, and in save() a name",
    ),
    (
        r'relation "(.+?)" does not exist',
        "give the job tables=`create table if not exists {0} (…)`",
    ),
    (
        r'syntax error at or near "(?:or|replace)"',
        "write `insert into … on conflict (…) do update set …`, which both databases know",
    ),
    (
        r'column reference "(.+?)" is ambiguous',
        "write the name of its table before it, as in `labels.{0}`",
    ),
    (r"no unique or exclusion constraint matching", "give the table that primary key in TABLES"),
    (
        r"did not supply a value for binding|placeholders? but \d+ parameter",
        "give save() what its SQL names; the operator ? of jsonb is jsonb_exists(…) here",
    ),
    (r'at or near "autoincrement"', "write `bigint generated always as identity primary key`"),
    (r"function (?:date|time|datetime)\(", "write `current_timestamp`, which both databases know"),
    (r"insert multiple commands", "give each statement a db.execute(…) of its own"),
    (r"cannot adapt type 'dict'", "make a text of it, with json.dumps(…)"),
)


def remedy_for_tables(error: Exception) -> str:
    """What to do where a table is not as a statement that writes wants it; "" for other errors."""
    for shape, remedy in _OF_TABLES:
        if found := re.search(shape, said(error)):
            return remedy.format(*found.groups())
    return ""


@contextmanager
def plain_errors(name: str, done: str, *, statements: bool = True) -> Iterator[None]:
    """Turn a psycopg.Error inside the block into a JobExit about the database `name`.

    Without `statements`, one that is about a statement or its values passes, without its details.
    """
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        if not statements and is_about_the_statement(error):
            without_details(error)
            raise
        raise plain(error, name, done) from error


def plain(error: Exception, name: str, done: str) -> JobExit:
    """The end of a run that met a psycopg.Error: `done` is what was done to the database `name`.

    The code is 78 for what the settings or the job have to mend, 74 for a full disk, else 69.
    """
    state = getattr(error, "sqlstate", None) or ""
    text = said(error)
    failed = f"{name} could not be {done}"
    if "no password supplied" in text:
        remedy = "give one in the address, or in ~/.pgpass, which nobody else may read (chmod 600)"
        return JobExit(exits.SETTINGS, f"{name} was refused: it asks for a password: {remedy}")
    if state[:2] in ("28", "3D") or (not state and re.search(_REFUSALS, text)):
        return JobExit(exits.SETTINGS, f"{name} was refused: {text}: mend the address")
    if state in (_NOT_GRANTED, _NO_SCHEMA):
        remedy = "grant that to its user (./run_job.sh doctor says how)"
        return JobExit(exits.SETTINGS, f"{failed}: {text}: {remedy}")
    if state == _READ_ONLY and done != "read":
        return JobExit(exits.SETTINGS, f"{failed}: it may only be read ({text})")
    if state == _DISK_FULL:
        return JobExit(exits.CANNOT_WRITE, f"{failed}: its disk is full ({text})")
    if state == _LOCKED:
        keeps = "another program keeps a lock on what it needs: run the job when that one rests"
        return JobExit(exits.UNREACHABLE, f"{failed}: {keeps} ({text})")
    if is_about_the_statement(error) or state == _READ_ONLY:
        if done == "opened":
            return JobExit(exits.SETTINGS, f"{name} cannot be used: {text}: mend the address")
        remedy = _OF_SELECTS.get(state, "") if done == "read" else remedy_for_tables(error)
        where = "the SELECT" if done == "read" else "TABLES or save()"
        remedy = remedy or f"mend {where} at the top of the job"
        return JobExit(exits.SETTINGS, f"{name} does not fit the job: {text}: {remedy}")
    if state == _TIMED_OUT:
        return JobExit(exits.UNREACHABLE, f"{failed} in ten minutes ({text})")
    return JobExit(exits.UNREACHABLE, f"{failed}: {text}")
