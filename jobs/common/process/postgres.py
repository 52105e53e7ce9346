"""A connection to PostgreSQL through psycopg 3, as it is right behind a pooler, too.

Nothing outlives a transaction: no prepared statement, no setting, no lock of the session. SQL is
written with SQLite's placeholders, `?` and `:name`, so that it is the same on both databases.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from common.process import exits
from common.process.exits import JobExit
from common.process.log import one_line
from common.process.redaction import redacted

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")
# Seconds in which a server that is restarted, or a pooler before it, is back.
PATIENCE = 60.0
# What a peer that vanished without a word costs at most is about a minute, too.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
# Each transaction begins so: a pooler would hand a session's own settings on to others.
BEGIN = (
    "begin; set local statement_timeout = '10min'; set local lock_timeout = '30s';"
    " set local idle_in_transaction_session_timeout = '10min'; set local timezone = 'UTC'"
)

Values = Sequence[Any] | Mapping[str, Any]
# A text, a quoted name, a comment, a cast (::), or a placeholder; and a % that would be psycopg's.
_PARTS = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$"""
    r"""|::|:(?P<name>[A-Za-z_]\w*)|(?P<mark>\?)|%""",
    re.DOTALL,
)


def is_postgres(address: str) -> bool:
    """Whether a setting such as RECORDS_DB names a PostgreSQL database."""
    return address.startswith(SCHEMES)


def in_words(address: str) -> str:
    """An address as it may be shown: no password, and none of its parameters."""
    return redacted(re.sub(r"\?.*", "", re.sub(r"(?<=//)([^/@:]*):.*@", r"\1@", address)))


@lru_cache(maxsize=500)
def translated(sql: str, names: frozenset[str] = frozenset()) -> str:
    """SQL with psycopg's placeholders in the place of SQLite's.

    `names` are those of the values; without any, `?` stands for each. So a `?` that is an operator,
    and a `[1:n]`, stay as they are beside values with names.
    """

    def part(found: re.Match[str]) -> str:
        if found["name"] in names:
            return f"%({found['name']})s"
        if found["mark"] and not names:
            return "%s"
        return found[0].replace("%", "%%")

    return _PARTS.sub(part, sql)


class Row(tuple[Any, ...]):
    """A row whose columns are found by place and by name, as those of sqlite3.Row are."""

    names: tuple[str, ...] = ()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return super().__getitem__(self.names.index(key))
        return super().__getitem__(key)

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.names


def _rows(cursor: Any) -> Callable[[Sequence[Any]], Row]:
    names = tuple(column.name for column in cursor.description or ())
    return type("Row", (Row,), {"names": names})


class Connection:
    """One connection, opened again where it is lost."""

    def __init__(
        self,
        address: str,
        setting: str,
        purpose: str,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Connect. `setting`: which one gave the address; `purpose`: what the server is told of us.

        Raises JobExit: 78 where the package is missing, or the address or what it says of user,
        password or database is refused; 69 where the server cannot be reached.
        """
        self.name = f"{setting} {in_words(address)}"
        self._address = address
        self._purpose = purpose
        self._sleep = sleep
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[Row]:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            remedy = "./run_job.sh --setup --with postgres"
            raise JobExit(
                exits.SETTINGS, f"{self.name} needs psycopg, which is not installed: {remedy}"
            ) from error
        try:
            asked: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(self._address)}
            asked.setdefault("application_name", f"claude-batch-jobs/{self._purpose}")
            return psycopg.connect(
                **{**asked, "client_encoding": "utf8"},
                autocommit=True,
                prepare_threshold=None,
                row_factory=_rows,
            )
        except psycopg.Error as error:
            raise plain(error, self.name, "opened") from error

    def reconnect(self, patience: float = PATIENCE) -> None:
        """Connect anew, for `patience` seconds. Raises JobExit as __init__ does."""
        self.close()
        until, wait = time.monotonic() + patience, 0.1
        while True:
            try:
                self._connection = self._connect()
                return
            except JobExit as error:
                if error.code != exits.UNREACHABLE or time.monotonic() + wait > until:
                    raise
            self._sleep(wait)
            wait = min(2.0, wait * 2)

    @property
    def raw(self) -> psycopg.Connection[Row]:
        """psycopg's own connection."""
        return self._connection

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._connection.closed

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        return int(self._connection.info.transaction_status) != 0

    def execute(self, sql: str, values: Values = ()) -> psycopg.Cursor[Row]:
        """Run one statement. Raises psycopg.Error."""
        if not values:
            return self._connection.execute(sql.encode())
        return self._connection.execute(_for_psycopg(sql, values), _storable(values))

    def executemany(self, sql: str, rows: Iterable[Values]) -> psycopg.Cursor[Row]:
        """Run one statement for each of these rows, in few round trips. Raises psycopg.Error."""
        cursor = self._connection.cursor()
        if stored := [_storable(values) for values in rows]:
            cursor.executemany(_for_psycopg(sql, stored[0]), stored)
        return cursor

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


def _for_psycopg(sql: str, values: Values) -> bytes:
    return translated(sql, frozenset(values if isinstance(values, Mapping) else ())).encode()


def _storable(values: Values) -> Any:
    if isinstance(values, Mapping):
        return {name: storable(value) for name, value in values.items()}
    return [storable(value) for value in values]


def storable(value: Any) -> Any:
    """A value that PostgreSQL takes: a text of it holds neither NUL nor half a character."""
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        if not value.isascii():
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def is_about_the_statement(error: Exception) -> bool:
    """Whether a statement or its values are to blame for a psycopg.Error, and not the server."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return not _is_operational(error)
    return state[:2] in ("0A", "21", "22", "23", "2F", "34", "42", "44", "P0") and state != "42501"


def _is_operational(error: Exception) -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError | psycopg.InternalError)


def plain(error: Exception, name: str, done: str) -> JobExit:
    """The end of a run that met a psycopg.Error: `done` is what was done to the database `name`.

    The code is 78 for what the settings or the job have to mend, 74 for a full disk, else 69.
    """
    state = getattr(error, "sqlstate", None) or ""
    text = redacted(one_line(str(error))) or type(error).__name__
    if state[:2] in ("28", "3D", "3F") or _is_refusal(text):
        return JobExit(exits.SETTINGS, f"{name} was refused: {text}: mend the address")
    if state == "42501":
        return JobExit(
            exits.SETTINGS, f"{name} could not be {done}: {text}: grant that to its user"
        )
    if state == "25006":
        return JobExit(exits.SETTINGS, f"{name} could not be {done}: it may only be read ({text})")
    if state == "53100":
        return JobExit(exits.CANNOT_WRITE, f"{name} could not be {done}: its disk is full ({text})")
    if is_about_the_statement(error):
        if done == "opened":
            return JobExit(exits.SETTINGS, f"{name} cannot be used: {text}: mend the address")
        return JobExit(exits.SETTINGS, f"{name} does not fit: {text}")
    return JobExit(exits.UNREACHABLE, f"{name} could not be {done}: {text}")


def _is_refusal(text: str) -> bool:
    """Whether connecting failed for good: then psycopg gives the server's words without a code."""
    return re.search(r"authentication failed|does not exist|no pg_hba.conf entry", text) is not None
