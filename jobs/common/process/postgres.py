"""A connection to PostgreSQL through psycopg 3, as it is right behind a pooler, too.

Nothing outlives a transaction: no prepared statement, no setting, no lock of the session. SQL is
written with SQLite's placeholders, `?` and `:name`, so that it is the same on both databases.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from common.process import exits
from common.process.exits import JobExit
from common.process.patient_connection import patient_connection
from common.process.postgres_errors import plain
from common.process.postgres_texts import as_texts, load_any
from common.process.redaction import redacted
from common.process.sql_text import MARK, NAMED, tokens

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql://", "postgres://")
# Seconds in which a server that is restarted, or a pooler before it, is back.
PATIENCE = 60.0
# The longest that a statement may take, and a little more.
SILENCE = 630.0
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
# A sign in a user or a password that means something else in an address, and was not encoded.
_UNENCODED = re.compile(r"//.*(?:[@/?]|%(?![0-9a-f]{2})).*@", re.IGNORECASE | re.DOTALL)
_ANY = "SQL_ASCII"  # the encoding of a database that keeps any bytes


def is_postgres(address: str) -> bool:
    """Whether a setting such as RECORDS_DB names a PostgreSQL database."""
    return address.startswith(SCHEMES)


def in_words(address: str) -> str:
    """An address as it may be shown: no password, and none of its parameters."""
    return redacted(re.sub(r"\?.*", "", re.sub(r"(?<=//)([^/@:]*):.*@", r"\1@", address)))


@lru_cache(maxsize=500)
def translated(sql: str, *, named: bool) -> tuple[bytes, tuple[str, ...]]:
    """SQL with psycopg's placeholders in the place of SQLite's, and whose values they stand for.

    `named`: the values have names; else `?` stands for each. Each `:name` is a placeholder of its
    own, so that PostgreSQL finds a type for each by itself.
    """
    parts, order = [], []
    for token in tokens(sql):
        if token.kind == NAMED and named:
            order.append(token.text[1:])
            parts.append("%s")
        elif token.kind == MARK and not named:
            parts.append("%s")
        else:
            parts.append(token.text.replace("%", "%%"))
    return "".join(parts).encode(), tuple(order)


class Row(tuple[Any, ...]):
    """A row whose columns are found by place and by name, as those of sqlite3.Row are."""

    __slots__ = ()
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
    return type("Row", (Row,), {"names": names, "__slots__": ()})


def check_installed(name: str) -> None:
    """Raises JobExit (78) where the package is missing that the database `name` needs."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        needs = f"{name} needs psycopg, which is not installed"
        raise JobExit(exits.SETTINGS, f"{needs}: ./run_job.sh --setup --with postgres") from error


class Connection:
    """One connection, opened again where it is lost."""

    def __init__(
        self,
        address: str,
        setting: str,
        purpose: str,
        sleep: Callable[[float], object] = time.sleep,
        *,
        texts: Callable[[bytes], str] | None = None,
        connect_seconds: int = 0,
        silence: float = SILENCE,
    ) -> None:
        """Connect. `setting`: which one gave the address; `purpose`: what the server is told of us;
        `connect_seconds`: how long that may take, whatever the address says.

        `silence`: for how many seconds the server may say nothing before it is taken for gone.
        `texts`: all values that are no number, bool or bytea come as texts, as psql shows them;
        it makes one of bytes where the database keeps any bytes, which need not be UTF-8.

        Raises JobExit: 78 where the package is missing, or the address or what it says of user,
        password or database is refused; 69 where the server cannot be reached.
        """
        self.name = f"{setting} {in_words(address)}"
        self._address = address
        self._purpose = purpose
        self.sleep = sleep
        self._texts = texts
        self._most = {"connect_timeout": str(connect_seconds)} if connect_seconds else {}
        self._silence = silence
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[Row]:
        check_installed(self.name)
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        try:
            asked: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(self._address), **self._most}
            asked.setdefault("application_name", f"claude-batch-jobs/{self._purpose}")
            asked |= {"autocommit": True, "prepare_threshold": None, "row_factory": _rows}
            context = as_texts() if self._texts else None
            connect = patient_connection().connect
            made = connect(**{**asked, "client_encoding": "utf8"}, context=context)
            if self._texts and made.info.parameter_status("server_encoding") == _ANY:
                made.close()  # to UTF-8 it would not let all of its texts go
                made = connect(**{**asked, "client_encoding": _ANY}, context=context)
                load_any(made.adapters, self._texts)
            made.patience = self._silence
            return cast("psycopg.Connection[Row]", made)
        except psycopg.Error as error:
            if _UNENCODED.search(self._address):  # what libpq says of it shows the password
                signs = "@ as %40, / as %2F, ? as %3F and % as %25"
                remedy = f"in its user and password write {signs}, or use ~/.pgpass"
                raise JobExit(exits.SETTINGS, f"{self.name} cannot be used: {remedy}") from None
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
            self.sleep(wait)
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
        return 0 < int(self._connection.info.transaction_status) < 4  # 4: nobody knows

    @property
    def has_failed(self) -> bool:
        """Whether a statement has failed in this transaction, which can only be rolled back."""
        return int(self._connection.info.transaction_status) == 3

    def execute(self, sql: str, values: Values = ()) -> psycopg.Cursor[Row]:
        """Run one statement; several without values. Raises psycopg.Error."""
        if not values:
            return self._connection.execute(sql.encode())
        query, order = translated(sql, named=isinstance(values, Mapping))
        return self._connection.execute(query, _storable(values, order))

    def executemany(self, sql: str, rows: Iterable[Values]) -> psycopg.Cursor[Row]:
        """Run one statement for each of these rows, in few round trips. Raises psycopg.Error."""
        cursor = self._connection.cursor()
        if given := list(rows):
            query, order = translated(sql, named=isinstance(given[0], Mapping))
            cursor.executemany(query, [_storable(values, order) for values in given])
        return cursor

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


def _storable(values: Values, order: tuple[str, ...]) -> list[Any]:
    if not isinstance(values, Mapping):
        return [*map(storable, values)]
    try:
        return [storable(values[name]) for name in order]
    except KeyError as error:
        import psycopg

        lacking = f"You did not supply a value for binding parameter :{error.args[0]}"
        raise psycopg.ProgrammingError(lacking) from None


def storable(value: Any) -> Any:
    """A value that PostgreSQL takes: a text of it holds neither NUL nor half a character."""
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        if not value.isascii():
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value
