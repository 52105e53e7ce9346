"""A worker's connections to PostgreSQL: one for each thread that needs one at the moment.

What is done in a transaction here can be done again: a lost connection is opened anew, and all of
it is done once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TypeVar

from common.ledger.ledger_database import Rows, Statements, Values
from common.ledger.postgres.lease import DURABLE_BEGIN
from common.ledger.postgres.postgres_ledger import make_tables
from common.ledger.postgres.postgres_statements import escaped
from common.process.exits import JobExit
from common.process.postgres import PATIENCE, Connection
from common.process.postgres_errors import is_passing, plain

T = TypeVar("T")


class _Escaping:
    """Statements whose texts are written as the runs write them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Values = (), /) -> Rows:
        return self._connection.execute(sql, escaped(values))

    def executemany(self, sql: str, rows: Iterable[Values], /) -> Rows:
        return self._connection.executemany(sql, [escaped(values) for values in rows])


class PatientDatabase:
    """Hands out connections, and waits for a server that is being restarted."""

    def __init__(
        self,
        address: str,
        patience: float = PATIENCE,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Connect once, and make the ledger's tables where there are none yet.

        Raises JobExit as Connection does, and 78 for what is no ledger of this version.
        """
        self._address = address
        self._patience = patience
        self._sleep = sleep
        self._lock = Lock()
        self._idle = [self._connect()]
        make_tables(self._idle[0])

    def _connect(self) -> Connection:
        return Connection(self._address, "LEDGER_DB", "worker", self._sleep)

    def transact(self, work: Callable[[Statements], T]) -> T:
        """Do some work in one transaction, and give what it gives.

        Raises JobExit: 69 where the server stays away for longer than our patience, 74, 78.
        """
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        until = time.monotonic() + self._patience
        while connection is None:
            connection = self._patiently(until)
        try:
            return self._transact(connection, work, until)
        finally:
            with self._lock:
                self._idle.append(connection)

    def _patiently(self, until: float) -> Connection | None:
        try:
            return self._connect()
        except JobExit:
            if time.monotonic() > until:
                raise
            self._sleep(0.5)
            return None

    def _transact(self, connection: Connection, work: Callable[[Statements], T], until: float) -> T:
        import psycopg

        while True:
            if connection.lost:
                connection.reconnect(max(0.0, until - time.monotonic()))
            try:
                connection.raw.execute(DURABLE_BEGIN)
                found = work(_Escaping(connection))
                connection.execute("commit")
                return found
            except psycopg.Error as error:
                again = (connection.lost or is_passing(error)) and time.monotonic() < until
                # A pooler may keep a connection whose server is gone.
                connection.close()
                if not again:
                    raise plain(error, connection.name, "written") from error
                self._sleep(0.05)
            except BaseException:
                connection.close()  # with whatever it has begun
                raise

    def close(self) -> None:
        """Let go of all connections that are not in use."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()
