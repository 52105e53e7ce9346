"""Reads a PostgreSQL database for somebody who waits: it changes nothing, and is soon over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from common.process import exits
from common.process.exits import JobExit
from common.process.postgres import Connection, Row, Values
from common.process.postgres_errors import plain

if TYPE_CHECKING:
    import psycopg

_CONNECT, _ANSWER, _ALL = 3, 8, 15  # seconds: for connecting, for one answer, for all of them
_BEGIN = (
    "begin isolation level repeatable read read only; set local timezone = 'UTC';"
    f" set local statement_timeout = '{_ANSWER}s'; set local lock_timeout = '1s'"
)


class Reader:
    """A connection inside a transaction: one moment for all that is read.

    Every JobExit comes again for whoever asks after it: nobody waits for a lost server twice.
    """

    def __init__(self, address: str, setting: str, purpose: str) -> None:
        """Connect. Raises JobExit as Connection does."""
        self.connection = Connection(
            address, setting, purpose, connect_seconds=_CONNECT, silence=_ANSWER
        )
        self.name = self.connection.name
        self._until = time.monotonic() + _ALL
        self._end: JobExit | None = None
        try:
            self.execute(_BEGIN)
        except JobExit:
            self.close()
            raise

    def execute(self, sql: str, values: Values = (), /) -> psycopg.Cursor[Row]:
        """One statement, with its rows. Raises JobExit: 69 where they are too long in coming."""
        import psycopg

        if time.monotonic() > self._until:
            text = f"{self.name} takes more than {_ALL} seconds to answer"
            self._end = JobExit(exits.UNREACHABLE, text)
        if self._end:
            raise self._end
        try:
            return self.connection.execute(sql, values)
        except psycopg.Error as error:
            self._end = plain(error, self.name, "read")
            raise self._end from error

    def row(self, sql: str, values: Values = (), /) -> Any:
        """The first row, None where there is none. Raises JobExit as execute() does."""
        return self.execute(sql, values).fetchone()

    def close(self) -> None:
        """Let go of the server."""
        self.connection.close()
