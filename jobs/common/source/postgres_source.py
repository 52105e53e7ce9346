"""The source database on PostgreSQL: where records come from, and where a job's outputs go.

Nothing is created in it but the job's own tables: a role that may only read, a hot standby and a
pooler will do for a job that only reads. No transaction is open for longer than it takes to read a
SELECT, or to save.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, timedelta, tzinfo
from typing import Any

import psycopg

from common import times
from common.job import Record
from common.process import exits
from common.process.exits import JobExit
from common.process.meanwhile import Meanwhile, at_once
from common.process.postgres import PATIENCE, Connection
from common.process.postgres_errors import plain_errors, said
from common.source import postgres_tables
from common.source.postgres_handle import Handle
from common.source.postgres_ids import wanted
from common.source.postgres_records import Counted, records_of
from common.source.postgres_seen import (
    FORGOTTEN,
    REMEMBERED,
    Found,
    SeenOnServer,
    counting,
    remembering,
)
from common.source.postgres_session import READING, WRITING, Session
from common.source.postgres_times import Window, in_window
from common.source.record_ids import decoded
from common.source.times_seen import TimesSeen
from common.source.within_calls import Call, Standing, Statement


class PostgresDatabase:
    """An open database on a server that holds the records."""

    def __init__(
        self,
        url: str,
        *,
        writable: bool,
        timeout: float = 30,
        patience: float = PATIENCE,
        zone: tzinfo = UTC,
        purpose: str = "records",
    ) -> None:
        """Connect. Wait `timeout` seconds for others' locks, and `patience` for a server that is
        restarted. A date without a time is that date in `zone`; the server sees the `purpose`.

        Raises JobExit: 78 where the address is refused, or it must be written and may not; 69 where
        the server cannot be reached.
        """
        connection = Connection(url, "RECORDS_DB", purpose, texts=decoded)
        self._session = Session(connection, timeout, patience)
        self._begin = WRITING if writable else READING
        self.zone = zone
        self.seen: TimesSeen = TimesSeen(zone)  # the times that the last SELECT has read
        self.hidden = ""
        self._counted = Counted()
        self._handle: Handle | None = None
        self._kinds_of: dict[str, list[int]] = {}
        if writable:
            try:
                self._refuse_read_only()
            except JobExit:
                self.close()
                raise

    def _refuse_read_only(self) -> None:
        def read_only() -> bool:
            with self._session.transaction(WRITING):
                asked = "select current_setting('transaction_read_only')"
                return self._db.execute(asked).fetchone() == ("on",)

        with self._plain_errors("opened"):
            if self._session.again(read_only):
                why = "it may only be read here, and the results go there"
                remedy = "name the primary server, and a user that may write"
                raise JobExit(exits.SETTINGS, f"{self._db.name}: {why}: {remedy}")

    @property
    def _db(self) -> Connection:
        return self._session.db

    @property
    def rows(self) -> int:
        """How many rows of the last SELECT had a record_id."""
        return self._counted.rows

    @property
    def without_id(self) -> int:
        """How many had none."""
        return self._counted.without_id

    @property
    def connection(self) -> Handle:
        """What save() and note() write with."""
        return self._handle or Handle(self._db)

    def select(
        self,
        select: str,
        parameters: Mapping[str, object],
        not_done: Callable[[Iterable[list[str]]], Iterator[str]] | None = None,
    ) -> Iterator[Record]:
        """Stream the records of a SELECT. `not_done` takes ids in lists, and gives those of records
        that are not done: others are left out where that is quicker.

        Raises JobExit: 78 where the SELECT does not fit the database, 69 where the server fails or
        is lost.
        """
        statement = Statement(select)
        with self._plain_errors("read"):
            kinds = self._kinds(statement, select, parameters)
            sql = statement.sql(parameters, self._windows(statement, kinds, parameters))

        def asked(call: Standing, before: Sequence[str] = (), after: Sequence[str] = ()) -> Any:
            inner = statement.sql(parameters, call)
            counted = f"select count(*) from (\n{inner}\n) counted"
            with self._plain_errors("read"):
                return self._session.read(*before, counted, *after)

        self.seen = SeenOnServer(
            self.zone,
            kinds,
            lambda what: int(asked(counting(kinds, what))[0]),
            lambda: Found.of(asked(remembering(kinds), (FORGOTTEN,), (REMEMBERED,))),
        )
        self._counted = Counted()
        with self._plain_errors("read"):
            given = False
            try:
                for record in self._chosen(sql, None if statement.gives_others else not_done):
                    given = True
                    yield record
            except psycopg.Error as error:
                if given and self._db.lost:  # whoever has them knows no order to go on in
                    lost = "was lost while it was read: the next run reads it again"
                    reason = f"{self._db.name} {lost} ({said(error)})"
                    raise JobExit(exits.UNREACHABLE, reason) from error
                if given or not self._session.is_back(error):
                    raise
                yield from records_of(self._session, sql, self._counted)

    def _chosen(
        self, sql: str, not_done: Callable[[Iterable[list[str]]], Iterator[str]] | None
    ) -> Iterator[Record]:
        """The records of a SELECT, without those that are done where that is quicker."""
        if not (chosen := not_done and wanted(self._session, sql, not_done)):
            yield from records_of(self._session, sql, self._counted)
            return
        lacking = chosen.ids
        if lacking:
            for record in records_of(self._session, chosen.of(sql), self._counted):
                lacking.discard(record["record_id"])
                yield record
        if lacking:  # the SELECT gives other rows each time, such as some at random
            yield from (
                one
                for one in records_of(self._session, sql, self._counted)
                if one["record_id"] in lacking
            )
        self._counted = chosen.counted

    def columns(self, select: str) -> list[str]:
        """The names of a SELECT's columns; no row is read.

        Raises JobExit: 78 where the SELECT does not fit the database, 69 where the server fails.
        """
        end = times.now()
        window = {"start": times.sql_time(end - timedelta(days=1)), "end": times.sql_time(end)}
        statement = Statement(select)
        with self._plain_errors("read"):
            kinds = self._kinds(statement, select, window)
            sql = statement.sql(window, self._windows(statement, kinds, window))
            # A cursor is only declared for what gives rows, and does not change any.
            names, *_ = self._session.described(f"declare records cursor for {sql}", sql)
            self.hidden = self._session.hiding(sql)
        return names

    def create(self, tables: str) -> None:
        """Run the SQL that creates a job's own tables, before anything is sent.

        Raises JobExit where the database refuses it, and 78 where a table is there already and
        lacks a column, or may not be written: save() would fail on every answer.
        """
        if reason := self.unwritable(tables):
            raise JobExit(exits.SETTINGS, reason)
        with self._plain_errors("written"):
            postgres_tables.create(self._session, self._begin, tables)
        if lacking := self.lacking(tables):
            raise JobExit(exits.SETTINGS, lacking)

    def unwritable(self, tables: str) -> str:
        """What rights the job's own tables lack, with the statement that gives them; or ""."""
        with self._plain_errors("read"):
            grants = postgres_tables.grants(self._session, tables)
        name = self._db.name
        return f"{name} may not be written by its user: run `{'; '.join(grants)}`" if grants else ""

    def lacking(self, tables: str) -> str:
        """What columns the job's own tables lack, with the statement that adds them; "" for none.

        A table that is not there yet lacks nothing: create() makes it.
        """
        with self._plain_errors("read"):
            adds = postgres_tables.additions(self._session, tables)
        return f"{self._db.name} is from before: run `{'; '.join(adds)}`" if adds else ""

    def write(self, save: Callable[[], object], meanwhile: Meanwhile = at_once) -> None:
        """Call `save` in one transaction, which it may commit itself, else `meanwhile` does; where
        the server is lost, or others are in the way, once more.

        Raises JobExit where the server is to blame, psycopg.Error where a statement of `save` is,
        also for what the commit finds wrong with it and where `save` has rolled back what was
        written before, and what `save` raises.
        """
        with self._plain_errors("written", statements=False):
            try:
                self._write(save, meanwhile)
            except Exception as error:
                if isinstance(error, JobExit) or not self._session.is_back(error):
                    raise
                self._write(save, meanwhile)

    def _write(self, save: Callable[[], object], meanwhile: Meanwhile) -> None:
        with self._session.transaction(self._begin):
            self._handle = handle = Handle(self._db)
            try:
                save()
                handle.check()
                meanwhile(handle.commit)
                handle.check()
            finally:
                self._handle = None

    def close(self) -> None:
        """Let go of the connection."""
        self._db.close()

    def _kinds(
        self, statement: Statement, select: str, parameters: Mapping[str, object]
    ) -> list[int]:
        """The type of the value of each call of within(), which the server tells."""
        if statement.calls and select not in self._kinds_of:
            asking = statement.sql(
                parameters,
                lambda number, call: f"(coalesce(({call.value}), ${number + 1}) is null)",
            )
            _, self._kinds_of[select], _ = self._session.described(asking)
        return self._kinds_of.get(select, [])

    def _windows(
        self, statement: Statement, kinds: list[int], parameters: Mapping[str, object]
    ) -> Standing:
        """What stands for each call: whether its value is in the window."""

        def bound(sql: str) -> Any:
            if sql[1:] in parameters and sql[0] == ":":
                text = str(parameters[sql[1:]])
            else:  # an expression of them
                text = self._session.read(f"select ({Statement(sql).sql(parameters)})::text")[0]
            return times.instant(text)

        says_not = statement.says_not

        def stands_for(number: int, call: Call) -> str:
            window = Window(bound(call.start), bound(call.end), self.zone)
            sql = in_window(kinds[number], call.value, window)
            # NULL is in no window. An index serves without this, where nothing turns it around.
            return f"coalesce({sql}, false)" if says_not else sql

        return stands_for

    def _plain_errors(self, done: str, *, statements: bool = True) -> AbstractContextManager[None]:
        return plain_errors(self._db.name, done, statements=statements)
