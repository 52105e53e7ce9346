"""Statements on a ledger in PostgreSQL that outlive a lost connection.

What a transaction changes is sent when it ends, or when somebody asks for what a statement of it
found: so a transaction takes three journeys, holds nothing while a job prepares its records, and
can be said again, word for word, over another connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from common.ledger.ledger_database import Values
from common.ledger.ledger_errors import gone_or_broken
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.meanwhile import Meanwhile, at_once
from common.process.postgres import BEGIN, PATIENCE, Connection, Row
from common.process.postgres_errors import (
    is_about_the_statement,
    is_passing,
    plain,
    said,
    without_details,
)

READING = f"{BEGIN}; set transaction read only"
_LACKING = ("42P01", "42703")  # a table, a column
# A key is never changed, and PostgreSQL takes no NUL: it stands for itself and, with a 0, for NUL.
_ESCAPE = "\U0010fffe"


@dataclass
class Step:
    """A statement of a transaction, and what it found once it was sent."""

    sql: str
    values: Any
    many: bool = False
    rows: list[Row] = field(default_factory=list)
    rowcount: int = -1


class Result:
    """The rows of a statement, which is sent when they are asked for, if it was not before."""

    def __init__(self, step: Step, send: Callable[[], None]) -> None:
        self._step = step
        self._send = send
        self._read = 0

    def _rows(self) -> list[Row]:
        if self._step.rowcount < 0:
            self._send()
        return self._step.rows

    @property
    def rowcount(self) -> int:
        """How many rows it changed or found."""
        self._rows()
        return self._step.rowcount

    def fetchone(self) -> Row | None:
        """The next row, None where there is none."""
        rows = self._rows()
        self._read += 1
        return rows[self._read - 1] if self._read <= len(rows) else None

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        rows = self._rows()[self._read :]
        self._read += len(rows)
        return rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchall())


class PostgresStatements:
    """The statements of one connection, and its transactions."""

    def __init__(self, connection: Connection, begin: Callable[[], int]) -> None:
        """`begin` begins a transaction, and gives a number that each one that is committed raises
        by one: so it is known whether one whose connection was lost in COMMIT was committed.
        """
        self._connection = connection
        self._begin_one = begin
        self._inside = False
        self._steps: list[Step] = []
        self._sent = 0  # of these steps
        self._number: int | None = None  # of this transaction
        self._in_doubt = False
        self._end: JobExit | None = None  # once the server is gone for good

    def execute(self, sql: str, values: Values = (), /) -> Result:
        """One statement. Raises JobExit."""
        return self._do(Step(sql, escaped(values)))

    def executemany(self, sql: str, rows: Iterable[Values], /) -> Result:
        """One statement for each of these rows. Raises JobExit."""
        return self._do(Step(sql, [escaped(values) for values in rows], many=True))

    def _do(self, step: Step) -> Result:
        is_read = step.sql.lstrip()[:6].lower() == "select"
        if not self._inside:
            if not is_read:
                with self.transaction():
                    return self._do(step)
            # A statement by itself would have no more time than its role is given.
            self._persistently(lambda: self._commit([step], READING))
        else:
            self._steps.append(step)
            if is_read:
                self._flush()
        return Result(step, self._flush)

    @contextmanager
    def transaction(self, meanwhile: Meanwhile = at_once) -> Iterator[None]:
        """Commit everything inside together, by `meanwhile`. Raises JobExit."""
        if self._inside:
            yield
            return
        self._inside, self._steps, self._sent, self._number = True, [], 0, None
        self._in_doubt = False
        try:
            yield
            if self._steps:
                meanwhile(lambda: self._flush(commit=True))
        finally:
            if self._connection.in_transaction:  # else it was committed, or is gone anyway
                self._roll_back()
            self._inside, self._steps = False, []

    def _roll_back(self) -> None:
        try:
            self._connection.raw.execute("rollback")
        except Exception:  # the server does it, once the connection is gone
            self._connection.close()

    def _flush(self, *, commit: bool = False) -> None:
        """Send what is not sent of the transaction, and end it. Raises JobExit."""
        self._persistently(lambda: self._send_all(commit))

    def _send_all(self, commit: bool) -> None:
        if not self._connection.in_transaction:
            number = self._begin_one()
            self._sent = 0
            if self._number is None:
                self._number = number
            elif number != self._number:
                if self._in_doubt and number == self._number + 1:
                    self._roll_back()
                    return  # the one that was in doubt had been committed
                raise JobExit(exits.UNREACHABLE, f"{self._connection.name} counts otherwise")
        left = self._steps[self._sent :]
        if not commit:
            _note(self._asked(left))
            self._sent = len(self._steps)
            return
        self._in_doubt = True
        self._commit(left)

    def _commit(self, steps: Sequence[Step], begin: str = "") -> None:
        """Send these and the end of the transaction, in one journey."""
        if begin:
            self._connection.execute(begin)
        with self._connection.raw.pipeline():
            found = self._asked(steps)
            self._connection.raw.execute("commit")
        _note(found)

    def _asked(self, steps: Sequence[Step]) -> list[tuple[Step, Any]]:
        one, many = self._connection.execute, self._connection.executemany
        return [(step, (many if step.many else one)(step.sql, step.values)) for step in steps]

    def _persistently(self, act: Callable[[], None]) -> None:
        """Do something that a lost connection does not spoil. Raises JobExit."""
        import psycopg

        until, pause = 0.0, 0.1
        while True:
            try:
                act()
                return
            except psycopg.Error as error:
                self._lost(error)
                until = until or time.monotonic() + PATIENCE
                self._reconnect(until, error)
            # A server that takes connections need not do anything yet.
            self._connection.sleep(pause)
            pause = min(2.0, 2 * pause)

    def _lost(self, error: Exception) -> None:
        """Raises JobExit unless the connection is to blame, so that another one may do."""
        if self._connection.lost or is_passing(error):
            return
        if self._connection.in_transaction:
            self._roll_back()
        if getattr(error, "sqlstate", None) in _LACKING:
            raise gone_or_broken(self._connection.name, said(error)) from error
        if is_about_the_statement(error):  # a bug
            raise without_details(error)
        raise plain(error, self._connection.name, "used") from error

    def _reconnect(self, until: float, error: Exception) -> None:
        if self._end:  # what is left of this run does not wait once more
            raise self._end
        left = until - time.monotonic()
        failed = plain(error, self._connection.name, "used")
        log.warning("%s: connecting again", failed.message)
        try:
            if left < 0:
                raise failed from error
            self._connection.reconnect(left)
        except JobExit as end:
            self._end = end
            self._connection.close()
            raise


def _note(found: Iterable[tuple[Step, Any]]) -> None:
    for step, cursor in found:
        rows = cursor.fetchall() if cursor.description else []
        # Of a million ids hardly one is escaped: they are looked through together.
        kept = any(_ESCAPE in value for row in rows for value in row if type(value) is str)
        step.rows = [type(row)(map(_unescaped, row)) for row in rows] if kept else rows
        step.rowcount = max(0, cursor.rowcount)


def escaped(values: Values) -> Any:
    """Values for a statement, each text of them as the ledger holds it."""
    if isinstance(values, dict):
        return {name: _escaped(value) for name, value in values.items()}
    return [_escaped(value) for value in values]


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return escaped(value)
    if isinstance(value, str) and ("\0" in value or _ESCAPE in value):
        return value.replace(_ESCAPE, f"{_ESCAPE}1").replace("\0", f"{_ESCAPE}0")
    return value


def _unescaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(f"{_ESCAPE}0", "\0").replace(f"{_ESCAPE}1", _ESCAPE)
    return value
