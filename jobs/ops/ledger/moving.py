"""Copies the ledger of a job from a SQLite file into a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from common.ledger.apart import names
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import marks
from common.ledger.sqlite_ledger import LedgerFile
from common.process import exits
from common.process.exits import JobExit

_AT_ONCE = 200  # rows of one transaction, each with an answer
# The runs come last: as long as they are missing, a run that begins is refused, since
# state/history.tsv tells of one that the ledger does not know.
_TABLES = ("records", "requests", "message_batches", "windows", "left_out", "tries", "runs")


def copy(file: LedgerFile, ledger: LedgerDatabase, job: str) -> dict[str, int]:
    """Copy all rows of a job, and of what stands apart of it: how many of each table.

    What is there already is not added again.

    The caller has both ledgers to itself, and the new one knows of no run of the job. Raises
    JobExit: 78 where a row is another one there.
    """
    counts = {}
    jobs = names(file.db, job)
    of_the_job = f"where job in {marks(jobs)}"
    for table in _TABLES:
        cursor = file.db.execute(f"select * from {table} {of_the_job}", jobs)
        columns = [column[0] for column in cursor.description]
        quoted = ", ".join(f'"{name}"' for name in columns)
        insert = f"insert into {table} ({quoted}) values {marks(columns)} on conflict do nothing"
        counts[table] = 0
        for rows in _groups(cursor):
            with ledger.transaction():
                ledger.db.executemany(insert, rows)
            counts[table] += len(rows)
        there = ledger.db.execute(f"select count(*) from {table} {of_the_job}", jobs).fetchone()
        if there[0] != counts[table]:
            text = f"of {counts[table]} rows of {table} {there[0]} came to be in {ledger.name}"
            raise JobExit(exits.SETTINGS, f"{text}: let LEDGER_DB name a database without others'")
    return counts


def _groups(rows: Iterator[Sequence[Any]]) -> Iterator[list[list[Any]]]:
    while group := [[_text(value) for value in row] for row in islice(rows, _AT_ONCE)]:
        yield group


def _text(value: Any) -> Any:
    # A damaged answer need not be text; nobody can use it, here or there.
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
