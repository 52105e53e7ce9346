"""Short transactions on a connection that may get lost, or be another server's the next time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus

from common.process.postgres import BEGIN, Connection
from common.process.postgres_errors import may_go_well_again, said

# The forms in which values come as texts are the same for every role, and times are UTC.
# To compile what within() has become would take longer than to compute it.
_FORMS = "set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local jit = off"
READING = f"{BEGIN}; set transaction isolation level repeatable read, read only; {_FORMS}"
# A commit that is told of is on the disk, whatever the server does for others.
WRITING = (
    f"{BEGIN}; {_FORMS}; select set_config('synchronous_commit', 'on', true)"
    " where current_setting('synchronous_commit') in ('off', 'local')"
)
_NOT_GRANTED = "42501"

T = TypeVar("T")


class Session:
    """One transaction after the other. A method that says nothing else raises psycopg.Error."""

    def __init__(self, db: Connection, timeout: float, patience: float) -> None:
        """`timeout`: seconds to wait for others' locks; `patience`: for a server that is gone."""
        self.db = db
        self._locks = f"; set local lock_timeout = '{max(1, int(timeout * 1000))}ms'"
        self._patience = patience
        self._current: object = None

    @contextmanager
    def transaction(self, begin: str = READING) -> Iterator[None]:
        """A transaction, in place of one that somebody has left open.

        Where it is still going on in the end, and no other one has begun, it is rolled back.
        """
        if self.db.in_transaction:
            self.db.execute("rollback")
        self.db.execute(begin + self._locks)
        self._current = token = object()
        try:
            yield
        finally:
            if self._current is token:
                self._current = None
                if self.db.in_transaction and not self.db.lost:
                    with suppress(psycopg.Error):
                        self.db.execute("rollback")

    def is_back(self, error: Exception) -> bool:
        """Whether it is worth to do once more what has failed with `error`.

        Where the connection is lost, it is opened anew: raises JobExit as Connection.reconnect.
        """
        if self.db.lost:
            self.db.reconnect(self._patience)
            return True
        return may_go_well_again(error)

    def again(self, call: Callable[[], T]) -> T:
        """Call `call`; once more where that may help."""
        try:
            return call()
        except psycopg.Error as error:
            if not self.is_back(error):
                raise
        return call()

    def read(self, *statements: str) -> Any:
        """The first row that the last of these statements gives."""

        def read() -> Any:
            with self.transaction():
                for statement in statements:
                    row = self.db.execute(statement).fetchone()
            return row

        return self.again(read)

    def hiding(self, sql: str) -> str:
        """That row security may hide rows of a SELECT from our role, in words; else ""."""
        try:
            self.described(sql, begin=f"{READING}; set local row_security = off")
        except psycopg.Error as error:
            if error.sqlstate != _NOT_GRANTED:
                raise
            return f"{self.db.name} may hide rows from its user: {said(error)}"
        return ""

    def described(
        self, *statements: str, begin: str = READING
    ) -> tuple[list[str], list[int], list[int]]:
        """The columns that the last of these statements gives, the types of its parameters, and
        those of the columns.

        Each statement is checked, and none is run.
        """

        def describe() -> tuple[list[str], list[int], list[int]]:
            with self.transaction(begin):
                # The server forgets an unnamed one with the next.
                server, wait = self.db.raw.pgconn, self.db.raw.wait
                for statement in statements:
                    server.send_prepare(b"", statement.encode())
                    _checked(wait(execute(server)))
                server.send_describe_prepared(b"")
                found = _checked(wait(execute(server)))
            names = [(found.fname(n) or b"").decode() for n in range(found.nfields)]
            given = [found.param_type(n) for n in range(found.nparams)]
            return names, given, [found.ftype(n) for n in range(found.nfields)]

        return self.again(describe)


def _checked(results: list[Any]) -> Any:
    result = results[-1]
    if result.status != ExecStatus.COMMAND_OK:
        raise error_from_result(result, encoding="utf-8")
    return result
