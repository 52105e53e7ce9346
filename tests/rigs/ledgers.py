"""A ledger in a test's folder, and shorthands for what runs write into it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from common.claude.pricing import Tokens
from common.ledger.dead_letters import DeadLetters
from common.ledger.ledger import Ledger
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.recovery import Recovery
from common.ledger.runs import Runs
from common.ledger.set_aside import Answer
from common.ledger.sqlite_ledger import LedgerFile
from common.ledger.states import Ending, Intent, RecordState, RequestStatus
from common.process.mark import Mark
from rigs.databases import Databases

JOB = "daily_report"
# What becomes of a statement that would break a rule of the tables.
REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)


@dataclass
class Book:
    """An open ledger of the run `run-1`, with shorthands for what a run does to it."""

    file: LedgerDatabase
    folder: Path
    ledger: Ledger = field(init=False)
    runs: Runs = field(init=False)
    dead_letters: DeadLetters = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.file, JOB, "run-1", "version 1")
        self.runs = Runs(self.file, JOB, "run-1")
        self.dead_letters = DeadLetters(self.file, JOB)

    def submit(self, request_id: str, *record_ids: str, most_usd: float = 0.5) -> None:
        with self.ledger.transaction():
            self.ledger.intend([intent(request_id, *record_ids, most_usd=most_usd)])

    def answer(self, request_id: str, *record_ids: str, usd: float | None = 0.25) -> None:
        spent = Tokens(input=100, output=10, cache_write_5m=1, cache_write_1h=2, cache_read=3)
        answer = json.dumps({"about": request_id})
        with self.ledger.transaction():
            self.ledger.answered([Answer(request_id, record_ids, answer, "req_api", spent, usd)])

    def finish(self, request_id: str, *record_ids: str) -> None:
        outputs = dict.fromkeys(record_ids, "{}")
        self.apply(request_id, RequestStatus.DONE, done=outputs)

    def judge(self, request_id: str, **groups: Any) -> None:
        self.apply(request_id, RequestStatus.FAILED, reason="why", **groups)

    def lose(self, request_id: str, *record_ids: str) -> None:
        self.apply(request_id, RequestStatus.LOST, waiting=record_ids)

    def apply(self, request_id: str, status: RequestStatus, **groups: Any) -> None:
        with self.ledger.transaction():
            self.ledger.apply([ended(request_id, status, **groups)])

    @cached_property
    def mark(self) -> Mark:
        return Mark(self.folder / f"{JOB}.doing")

    def recover(self) -> tuple[int, list[RecordState]]:
        """Take up what a run left that died just now."""
        return Recovery(self.file, self.ledger, self.dead_letters, self.mark).take_up()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.file.db.execute(sql)]

    def statuses(self, table: str = "records") -> dict[str, str]:
        return dict(self.rows(f"select {table[:-1]}_id, status from {table}"))


def intent(request_id: str, *record_ids: str, most_usd: float = 0.5) -> Intent:
    """The intent to send a live request about these records."""
    return Intent(
        request_id=request_id,
        record_ids=record_ids,
        delivery="live",
        model="claude-haiku-5-5",
        most_usd=most_usd,
    )


def ended(request_id: str, status: RequestStatus = RequestStatus.DONE, **groups: Any) -> Ending:
    """The end of a request. `groups` are the fields of Ending: done, failed, dead, waiting."""
    return Ending(request_id=request_id, status=status, **groups)


@contextmanager
def ledger_at(path: Path, *, read_only: bool = False) -> Iterator[Book]:
    """Open the ledger in that file; a new one if there is none."""
    file = LedgerFile(path, read_only=read_only)
    try:
        yield Book(file, path.parent)
    finally:
        file.close()


@contextmanager
def postgres_book(url: str, folder: Path, job: str = JOB, **options: Any) -> Iterator[Book]:
    """Open the ledger in a PostgreSQL database, as an installation whose state is in `folder`."""
    from common.ledger.postgres.postgres_ledger import PostgresLedger

    folder.mkdir(exist_ok=True)
    ledger = PostgresLedger(url, job, state=folder, **options)
    try:
        yield Book(ledger, folder)
    finally:
        ledger.close()


@contextmanager
def ledger_in(databases: Databases, folder: Path) -> Iterator[Book]:
    """Open the ledger in these databases; a new one if there is none."""
    folder.mkdir(exist_ok=True)
    file = databases.open_ledger(JOB)
    try:
        yield Book(file, folder)
    finally:
        file.close()


def plan(db: sqlite3.Connection, statement: str) -> str:
    """SQLite's query plan for a statement, in one line."""
    return "; ".join(row[3] for row in db.execute(f"explain query plan {statement}"))
