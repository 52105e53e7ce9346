"""Where a site keeps its records and its ledgers: one database of a real PostgreSQL for both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from common.ledger.postgres.postgres_ledger import PostgresLedger, schema
from common.source.source_database import open_source
from rigs.connections import Raw, connected

# The tables of a ledger that users may query.
LEDGER = ("records", "requests", "message_batches", "windows", "left_out", "runs")
# All of a ledger, kept from test to test.
KEPT = {*re.findall(r"create table if not exists (\w+)", schema())}
_TEXT, _DATE = (psycopg.adapters.types[name].oid for name in ("text", "date"))
_TYPED = re.compile(r"\w+\s+(?!primary key$)\S", re.IGNORECASE)


class Connection:
    """A connection that takes SQLite's placeholders, and commits each statement."""

    def __init__(self, db: Raw) -> None:
        self.raw = db

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run one statement; the cursor gives its rows."""
        if not values:
            return self.raw.execute(sql.encode())
        stored = [_storable(value) for value in values]
        return self.raw.execute(sql.replace("%", "%%").replace("?", "%s").encode(), stored)


class OfOneJob(Connection):
    """A connection to a ledger of many jobs, which shows one job's rows alone."""

    def __init__(self, db: Raw, job: str) -> None:
        super().__init__(db)
        self._job = job
        self._shown: set[str] = set()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run one statement about this job's rows."""
        for table in ({*re.findall(r"\w+", sql)} & {*LEDGER}) - self._shown:
            # Named like the table, and found before it.
            self.raw.execute(
                f"create temp view {table} as select * from public.{table}"
                f" where split_part(job, '@', 1) = '{self._job}'".encode()
            )
            self._shown.add(table)
        return super().execute(sql, values)


@dataclass
class PostgresDatabase:
    """A database that holds nothing else."""

    url: str
    root: Path
    holds_nul = False

    def settings(self) -> dict[str, str]:
        return {"RECORDS_DB": self.url, "LEDGER_DB": self.url}

    @contextmanager
    def records(self, patience: float = 5) -> Iterator[Connection]:
        with connected(self.url) as db:
            db.execute(f"set lock_timeout = {int(patience * 1000) or 1}")
            yield Connection(db)

    @contextmanager
    def ledger(self, job: str) -> Iterator[Connection]:
        with self.records() as db:
            yield OfOneJob(db.raw, job)

    def table(self, name: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        made = [[_storable(value) for value in row] for row in rows]
        given = [column.strip() for column in columns.split(",")]
        kinds = [_kind([row[n] for row in made]) for n in range(len(given))]
        typed = [
            column if _TYPED.match(column) else re.sub(r"^\w+", rf"\g<0> {kind}", column)
            for column, kind in zip(given, kinds, strict=True)
        ]
        with self.records() as db:
            db.execute(f"create table if not exists {name} ({', '.join(typed)})")
            there = db.execute(f"select * from {name} limit 0").description
            for n, (column, kind) in enumerate(zip(there, kinds, strict=True)):
                is_text = column.type_code in (_TEXT, _DATE)
                if kind == "text" and not is_text and any(row[n] for row in made):
                    # What is there already are numbers.
                    db.execute(f"alter table {name} alter {column.name} type text")
                if kind == "text" or is_text:
                    for row in made:
                        row[n] = _text(row[n])
            marks = ", ".join(["%s"] * len(given))
            db.raw.cursor().executemany(f"insert into {name} values ({marks})", made)

    def empty(self) -> None:
        """Take away also what another test has left, and who is still in it."""
        with connected(self.url) as db:
            db.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            tables = "select relname from pg_class where relnamespace = 'public'::regnamespace"
            found = [name for (name,) in db.execute(f"{tables} and relkind = 'r' order by 1")]
            # Making the tables of a ledger anew takes longer than most tests.
            gone = [f"drop table {name} cascade" for name in found if name not in KEPT]
            emptied = [f"delete from {name}" for name in found if name in KEPT - {"ledger_version"}]
            db.execute("; ".join([*gone, *emptied]))

    def tables(self) -> dict[str, str]:
        with self.records() as db:
            rows = db.execute(
                "select table_name, string_agg(column_name || ' ' || data_type, ', ' order by"
                " ordinal_position) from information_schema.columns where table_schema = 'public'"
                " group by 1"
            )
            return {name: columns for name, columns in rows if name not in KEPT}

    def open_ledger(self, job: str, *, read_only: bool = False) -> Any:
        state = self.root / "state"
        state.mkdir(exist_ok=True)
        return PostgresLedger(self.url, job, state=state, read_only=read_only)

    def open_source(self, *, writable: bool, **options: Any) -> Any:
        return open_source(self.url, writable=writable, **options)


def _kind(values: Iterable[Any]) -> str:
    """The type of a column for these values: what is mixed is kept as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int}:
        return "bigint"
    if kinds and kinds <= {int, float}:
        return "double precision"
    return "bytea" if kinds == {bytes} else "text"


def _storable(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value


def _text(value: Any) -> str | None:
    """A value as a column of texts holds it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").replace("\0", "")
    return None if value is None else str(value)
