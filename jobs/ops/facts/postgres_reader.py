"""Reads a PostgreSQL database for somebody who waits: it changes nothing, and is soon over."""

from __future__ import annotations

import os
import socket
from threading import Timer
from typing import TYPE_CHECKING, Any

from common.process import exits
from common.process.exits import JobExit
from common.process.postgres import Connection, Row, Values, plain

if TYPE_CHECKING:
    import psycopg

_CONNECT, _READ = 3, 5  # seconds
_BEGIN = (
    "begin isolation level repeatable read read only; set local timezone = 'UTC';"
    f" set local statement_timeout = '{_READ}s'; set local lock_timeout = '1s'"
)


class Reader:
    """A connection inside a transaction: one moment for all that is read.

    Every JobExit comes again for whoever asks after it: nobody waits for a lost server twice.
    """

    def __init__(self, address: str, setting: str, purpose: str) -> None:
        """Connect. Raises JobExit as Connection does."""
        self.connection = Connection(address, setting, purpose, connect_seconds=_CONNECT)
        self.name = self.connection.name
        self._late = False
        self._end: JobExit | None = None
        # A server that is silent, or a pooler that has none to give, would be waited for.
        self._timer = Timer(_READ, self._cut)
        self._timer.daemon = True
        self._timer.start()
        self.execute(_BEGIN)

    def _cut(self) -> None:
        self._late = True
        with socket.socket(fileno=os.dup(self.connection.raw.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def execute(self, sql: str, values: Values = (), /) -> psycopg.Cursor[Row]:
        """One statement, with its rows. Raises JobExit: 69 where they are too long in coming."""
        import psycopg

        if self._end:
            raise self._end
        try:
            return self.connection.execute(sql, values)
        except psycopg.Error as error:
            self._end = plain(error, self.name, "read")
            if self._late:
                text = f"{self.name} did not answer within {_READ} seconds"
                self._end = JobExit(exits.UNREACHABLE, text)
            raise self._end from error

    def row(self, sql: str, values: Values = (), /) -> Any:
        """The first row, None where there is none. Raises JobExit as execute() does."""
        return self.execute(sql, values).fetchone()

    def close(self) -> None:
        """Let go of the server."""
        self._timer.cancel()
        self.connection.close()
