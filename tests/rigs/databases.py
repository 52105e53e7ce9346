"""Where a site keeps its records and its ledgers: SQLite files in its folder.

The tests of jobs, ledger, source, status and prune reach both through these functions alone, in SQL
that every database understands.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from common.ledger.sqlite_ledger import LedgerFile
from common.source.sqlite_source import Database

# What a user reads of a table or a column that is not there.
NO_TABLE = 'no such table: {0}|relation "{0}" does not exist'
NO_COLUMN = 'no such column: {0}|column "{0}" does not exist'


class Databases(Protocol):
    """The databases of one site."""

    holds_nul: bool  # whether a text can hold this sign

    def settings(self) -> dict[str, str]:
        """The settings that lead a job to them."""

    def records(self, patience: float = 5) -> AbstractContextManager[Any]:
        """A connection to the records, which waits `patience` seconds at most for others' locks.

        What it changes is committed at the end.
        """

    def ledger(self, job: str) -> AbstractContextManager[Any]:
        """A connection to the ledger, which shows that job's rows alone."""

    def table(self, name: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows to a table of the records, which is made where it is missing.

        `columns` are those of its `create table`; one without a type takes every value.
        """

    def empty(self) -> None:
        """Take away all records and ledgers."""

    def tables(self) -> dict[str, str]:
        """How each table of the records is made up."""

    def open_ledger(self, job: str, *, read_only: bool = False) -> Any:
        """The ledger, opened as a run opens it."""

    def open_source(self, *, writable: bool, **options: Any) -> Any:
        """The records, opened as a run opens them."""


@dataclass
class SqliteFiles:
    """SQLite files, where a run finds them that is told of the records alone."""

    root: Path
    holds_nul = True

    @property
    def path(self) -> Path:
        """The file with the records."""
        return self.root / "records.db"

    def ledger_path(self, job: str) -> Path:
        """The file of a job's ledger."""
        return self.root / f"state/{job}.db"

    def settings(self) -> dict[str, str]:
        return {"RECORDS_DB": str(self.path)}

    def records(self, patience: float = 5) -> AbstractContextManager[sqlite3.Connection]:
        return _committed(self.path, patience)

    @contextmanager
    def ledger(self, job: str) -> Iterator[sqlite3.Connection]:
        path = self.ledger_path(job)
        assert path.exists(), f"there is no {path}"
        with _committed(path) as db:
            yield db

    def table(self, name: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        with self.records() as db:
            db.execute(f"create table if not exists {name} ({columns})")
            marks = ", ".join("?" for _ in columns.split(","))
            db.executemany(f"insert into {name} values ({marks})", rows)

    def empty(self) -> None:
        for path in (self.path, *self.root.glob("state/*.db*")):
            path.unlink(missing_ok=True)

    def tables(self) -> dict[str, str]:
        with self.records() as db:
            return dict(db.execute("select name, sql from sqlite_master where type = 'table'"))

    def open_ledger(self, job: str, *, read_only: bool = False) -> LedgerFile:
        return LedgerFile(self.ledger_path(job), read_only=read_only)

    def open_source(self, *, writable: bool, **options: Any) -> Database:
        return Database(self.path, writable=writable, **options)


class Mixed:
    """Records in one place, ledgers in another."""

    def __init__(self, records: Databases, ledgers: Databases) -> None:
        self._both = (records, ledgers)
        self.holds_nul = records.holds_nul
        self._settings = {
            "RECORDS_DB": records.settings()["RECORDS_DB"],
            "LEDGER_DB": ledgers.settings().get("LEDGER_DB", ""),
        }
        self.records, self.table, self.tables = records.records, records.table, records.tables
        self.open_source = records.open_source
        self.ledger, self.open_ledger = ledgers.ledger, ledgers.open_ledger

    def settings(self) -> dict[str, str]:
        return self._settings

    def empty(self) -> None:
        for databases in self._both:
            databases.empty()


@contextmanager
def _committed(path: Path, patience: float = 5) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=patience)) as db, db:
        yield db
