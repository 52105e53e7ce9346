"""What save() and note() get of PostgreSQL: a connection with the methods of sqlite3's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import psycopg

from common.process.postgres import Connection, Row, Values
from common.process.postgres_errors import without_details

_ABORTED = "25P02"  # a statement after one that failed
# What begins or ends a transaction.
_ENDS = re.compile(
    r"\s*(?:(rollback|abort)|commit|end|begin|start)\b(?:\s+(?:work|transaction))?\s*;?\s*",
    re.IGNORECASE,
).fullmatch
# Checks at once what the commit would, and leaves for later what is for later.
_AS_THE_COMMIT = (
    "savepoint at_the_commit; set constraints all immediate; rollback to savepoint at_the_commit"
)


class Cursor:
    """What a statement gives."""

    lastrowid = None

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._cursor: psycopg.Cursor[Row] | None = None

    def execute(self, sql: str, values: Values = ()) -> Cursor:
        """Run a statement, with `?` or `:name` for its values. Raises psycopg.Error."""
        if not self._handle.leaves_out(sql):
            self._cursor = self._handle.run(lambda db: db.execute(sql, values))
        return self

    def executemany(self, sql: str, rows: Iterable[Values]) -> Cursor:
        """Run a statement once for each of these rows. Raises psycopg.Error."""
        self._cursor = self._handle.run(lambda db: db.executemany(sql, rows))
        return self

    @property
    def description(self) -> list[Any] | None:
        """A tuple for each column, which begins with its name; None where there are no rows."""
        return self._cursor.description if self._cursor else None

    @property
    def rowcount(self) -> int:
        """How many rows were found or changed."""
        return self._cursor.rowcount if self._cursor else -1

    def fetchone(self) -> Row | None:
        """The next row, None after the last."""
        return self._cursor.fetchone() if self._cursor and self.description else None

    def fetchmany(self, size: int = 1) -> list[Row]:
        """The next rows."""
        return self._cursor.fetchmany(size) if self._cursor and self.description else []

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        return self._cursor.fetchall() if self._cursor and self.description else []

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchone, None)

    def close(self) -> None:
        """Let go of the rows."""
        if self._cursor:
            self._cursor.close()


class Handle:
    """The connection for the length of one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._closed = False
        self._failure: psycopg.Error | None = None
        self._rolled_back = False
        self._stays_open = False

    def rehearse(self, save: Callable[[], object]) -> None:
        """Call save(), which can neither commit nor roll back what it writes.

        Raises what it raises, and psycopg.Error for what the commit would find wrong.
        """
        self._stays_open, self._rolled_back, self._failure = True, False, None
        self._db.execute("savepoint rehearsal")
        try:
            save()
            self.check()
            self.execute(_AS_THE_COMMIT)
        except BaseException:
            if not self._db.lost:
                self._db.execute("rollback to savepoint rehearsal")
            raise

    def leaves_out(self, sql: str) -> bool:
        """Whether a statement is not to be run: what ends the transaction of a rehearsal."""
        ends = _ENDS(sql) if self._stays_open else None
        if ends and ends[1]:
            self._rolled_back = True
        return ends is not None

    def run(self, call: Callable[[Connection], psycopg.Cursor[Row]]) -> psycopg.Cursor[Row]:
        """Call `call`, and remember how it went. Raises psycopg.Error, which shows no row."""
        if self._closed:
            raise psycopg.ProgrammingError("Cannot operate on a closed database.")
        try:
            cursor = call(self._db)
        except psycopg.Error as error:
            if error.sqlstate == _ABORTED and self._failure:
                raise self._failure from None
            self._failure = error
            without_details(error)
            raise
        if cursor.statusmessage == "ROLLBACK" and not self._db.in_transaction:
            self._rolled_back = True
        return cursor

    def check(self) -> None:
        """Raises psycopg.Error where what was written since the beginning is lost, or will be."""
        if self._closed:
            raise psycopg.ProgrammingError("Cannot operate on a closed database.")
        if self._rolled_back:
            raise psycopg.ProgrammingError("what was written has been rolled back")
        if self._failure and self._db.has_failed:
            raise self._failure

    def cursor(self) -> Cursor:
        """A cursor."""
        return Cursor(self)

    def execute(self, sql: str, values: Values = ()) -> Cursor:
        """Run a statement, with `?` or `:name` for its values. Raises psycopg.Error."""
        return self.cursor().execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Values]) -> Cursor:
        """Run a statement once for each of these rows. Raises psycopg.Error."""
        return self.cursor().executemany(sql, rows)

    def executescript(self, script: str) -> Cursor:
        """Commit, and run statements without values. Raises psycopg.Error."""
        self.commit()
        return self.execute(script)

    def commit(self) -> None:
        """Commit what was written until now. Raises psycopg.Error."""
        if self.in_transaction:
            self.execute("commit")

    def rollback(self) -> None:
        """Take back what was written since the last commit. Raises psycopg.Error."""
        if self.in_transaction:
            self.execute("rollback")

    @property
    def in_transaction(self) -> bool:
        """Whether there is something to commit, or to roll back."""
        return not self._closed and self._db.in_transaction

    def close(self) -> None:
        """Take no more statements."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind:
            self.rollback()
        else:
            self.commit()
