"""The source database: where records come from, and where a job's outputs go.

A job that only reads opens it read-only. `within(created_at, :start, :end)` is there in every
SELECT, and understands every form of time that times.instant does.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, timedelta, tzinfo
from pathlib import Path

from common import times
from common.job import Record
from common.process import exits, sqlite_files
from common.process.exits import JobExit
from common.process.meanwhile import Meanwhile, at_once
from common.process.sqlite_errors import plain_errors
from common.row import Row
from common.source.own_columns import fault_of_sqlite, statements_that_add, wanted_columns
from common.source.record_ids import TWINS, decoded, lacking_id, record_id, twins
from common.source.sqlite_ids import wanted
from common.source.times_seen import TimesSeen

# A row in a table that is this connection's alone tells whether what was written since `begin` was
# rolled back: it goes the same way.
_BEGIN = ("delete from temp.begun", "begin immediate", "insert into temp.begun values (1)")


class Database:
    """An open SQLite file that holds the records."""

    def __init__(
        self, path: Path, *, writable: bool, timeout: float = 30, zone: tzinfo = UTC
    ) -> None:
        """Open a file that exists; where others have locked it, wait `timeout` seconds.

        A date without a time is that date in `zone`.

        Raises JobExit: 78 where there is none, it is no database, or it must be written and may
        not; 69 where it cannot be opened.
        """
        refused = sqlite_files.unreadable(path) or (writable and sqlite_files.unwritable(path))
        if refused:
            raise JobExit(exits.SETTINGS, f"RECORDS_DB={path}: {refused}")
        self._path = path
        self._writable = writable
        self._timeout = timeout
        self.zone = zone
        self.hidden = ""
        # Of the last SELECT: the times that were read, the rows with a record_id and without.
        self.seen = TimesSeen(zone)
        self.rows = self.without_id = 0
        self._connect()

    def _connect(self) -> None:
        uri = sqlite_files.address(self._path, writable=self._writable)
        self._watched = sqlite_files.watched(self._path, uri)
        self._uri = uri
        with self._plain_errors("opened"):
            self.connection = sqlite3.connect(
                uri,
                uri=True,
                timeout=self._timeout,
                isolation_level=None,
                check_same_thread=False,  # a commit may be another's work
            )
            self.connection.executescript(sqlite_files.settings_for(uri))
            self.connection.execute(
                "create temp table begun (n)" if self._writable else "pragma query_only = on"
            )
            self.connection.text_factory = decoded
            # Each connection sets its own durability. FULL is not enough: a commit is the removal
            # of a journal, which a power cut could bring back, and with it undo rows that the
            # ledger has as done. EXTRA syncs the removal, too.
            self.connection.execute("pragma synchronous = extra")
            self.connection.create_function("id_text", 1, record_id, deterministic=True)
            self.connection.create_function("within", 3, self._within, deterministic=True)

    def select(
        self,
        select: str,
        parameters: Mapping[str, object],
        not_done: Callable[[Iterable[list[str]]], Iterator[str]] | None = None,
    ) -> Iterator[Record]:
        """Stream the records of a SELECT. `not_done` takes ids in lists, and gives those of records
        that are not done: others are left out where that is quicker.

        Raises JobExit: 78 where the SELECT does not fit the database, 69 where the database fails.
        """
        with self._unchanged(), self._plain_errors("read"):
            if not_done and not re.search("random", select, re.IGNORECASE):
                self.seen = TimesSeen(self.zone)
                inner = _statement(select)
                if found := wanted(self.connection, inner, parameters, not_done):
                    self.rows, self.without_id, ids = found.rows, 0, found.ids
                    yield from self._only(inner, parameters, ids)
                    return
            self.seen, self.rows, self.without_id = TimesSeen(self.zone), 0, 0
            kinds: set[type] = set()
            for record in self._records(select, parameters):
                kinds.add(type(record["record_id"]))
                record["record_id"] = record_id(record["record_id"])
                if record["record_id"]:
                    self.rows += 1
                    yield record
                else:
                    self.without_id += 1
            if str in kinds and kinds & {int, float}:
                self._refuse_twins(select, parameters)

    def _records(self, sql: str, parameters: Mapping[str, object]) -> Iterator[Row]:
        rows = self.connection.cursor()
        rows.row_factory = sqlite3.Row
        for row in rows.execute(sql, parameters):
            record = Row(row)
            if "record_id" not in record:
                raise lacking_id()
            yield record

    def _only(
        self, inner: str, parameters: Mapping[str, object], ids: list[int] | list[str]
    ) -> Iterator[Record]:
        """The records that have these ids, in their order; of times there is nothing new to say."""
        if not ids:
            return
        seen, self.seen = self.seen, TimesSeen(self.zone)
        sql = f"select * from ({inner}\n)"
        values = {**parameters, "_ids": json.dumps(ids)}
        try:
            for record in self._records(
                f"{sql} where record_id in (select value from json_each(:_ids))", values
            ):
                record["record_id"] = record_id(record["record_id"])
                yield record
        finally:
            self.seen = seen

    def _refuse_twins(self, select: str, parameters: Mapping[str, object]) -> None:
        """Raises JobExit (78) where an id is a number in one row and the same text in another."""
        sql = TWINS.format(select=_statement(select))
        seen, self.seen = self.seen, TimesSeen(self.zone)
        found = self.connection.execute(sql, parameters).fetchone()
        self.seen = seen
        if found:
            raise twins(str(found[0]))

    def columns(self, select: str) -> list[str]:
        """The names of a SELECT's columns; no row is read.

        Raises JobExit: 78 where the SELECT does not fit the database, 69 where the database fails.
        """
        end = times.now()
        window = {"start": times.sql_time(end - timedelta(days=1)), "end": times.sql_time(end)}
        with self._unchanged(), self._plain_errors("read"):
            self.connection.execute(f"explain {select}", window)
            # The line break ends a comment on the SELECT's last line.
            inner = _statement(select)
            found = self.connection.execute(f"select * from ({inner}\n) limit 0", window)
        return [str(column[0]) for column in found.description]

    def create(self, tables: str) -> None:
        """Run the SQL that creates a job's own tables, before anything is sent.

        Raises JobExit where the database refuses it, and 78 where a table is there already and
        lacks a column: save() would fail on every answer.
        """
        with self._plain_errors("written"):
            self.connection.executescript(tables)
        if lacking := self.lacking(tables):
            raise JobExit(exits.SETTINGS, lacking)

    def lacking(self, tables: str) -> str:
        """What columns the job's own tables lack, with the statement that adds them; "" for none.

        Also why the SQL that makes them is none. A table that is not there yet lacks nothing:
        create() makes it.
        """
        if fault := fault_of_sqlite(tables):
            return fault
        columns = wanted_columns(tables)
        there: dict[str, set[str]] = {}
        with self._plain_errors("read"):
            for table in {table for table, _, _ in columns}:
                names = self.connection.execute("select name from pragma_table_info(?)", (table,))
                there[table] = {name.lower() for (name,) in names}
        adds = statements_that_add(columns, there)
        return f"RECORDS_DB {self._path} is from before: run `{'; '.join(adds)}`" if adds else ""

    def unwritable(self, tables: str) -> str:
        """Why the file cannot be written; "" where it can."""
        refused = sqlite_files.unwritable(self._path)
        return f"RECORDS_DB={self._path}: {refused}" if refused else ""

    def write(self, save: Callable[[], object], meanwhile: Meanwhile = at_once) -> None:
        """Call `save` in one transaction, which it may commit itself; else `meanwhile` does.

        Raises JobExit where the database is to blame, sqlite3.Error where a statement of `save` is,
        also for what the commit finds wrong with it and where `save` has rolled back what was
        written before, and what `save` raises.
        """
        with plain_errors(f"RECORDS_DB {self._path}", "written", statements=False):
            if self._is_closed():
                self._connect()
            for statement in _BEGIN:
                self.connection.execute(statement)
            try:
                save()
                if not self.connection.execute("delete from temp.begun").rowcount:
                    raise sqlite3.ProgrammingError("what was written has been rolled back")
                if self.connection.in_transaction:
                    meanwhile(lambda: self.connection.execute("commit"))
            except BaseException:
                if not self._is_closed() and self.connection.in_transaction:
                    self.connection.execute("rollback")
                raise

    def _is_closed(self) -> bool:
        """Whether save() has closed the connection that it was given."""
        try:
            return self.connection.total_changes < 0
        except sqlite3.ProgrammingError:
            return True

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def _within(self, value: object, start: str, end: str) -> bool:
        return self.seen.within(value, start, end)

    def _written_meanwhile(self) -> bool:
        return sqlite_files.watched(self._path, self._uri) != self._watched

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Read one state of the file, opened anew where it has changed since.

        Raises JobExit (69) where a file that is read without a lock was written to meanwhile.
        """
        if self._written_meanwhile() or self._is_closed():
            self.connection.close()
            self._connect()
        failed: JobExit | None = None
        try:
            yield
        except JobExit as error:
            failed = error
        if self._written_meanwhile():
            written = f"RECORDS_DB {self._path} was written to while it was read"
            again = "and this user may not lock it: the next run reads it again"
            raise JobExit(exits.UNREACHABLE, f"{written}, {again}") from failed
        if failed:
            raise failed

    def _plain_errors(self, done: str) -> AbstractContextManager[None]:
        return plain_errors(f"RECORDS_DB {self._path}", done)


def _statement(select: str) -> str:
    """A SELECT as it can stand within another: without its semicolon and what comments follow."""
    for semicolon in re.finditer(";", select):
        if sqlite3.complete_statement(select[: semicolon.end()]):  # it ends no text, no comment
            return select[: semicolon.start()]
    return select
