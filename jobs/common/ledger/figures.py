"""The figures of one ledger, read without leaving a trace: no lock is waited for, no file is made.

No question may read the table `records`, which holds every output: each has an index that answers
it, and repeats that index's condition word for word, which is how SQLite knows to use it
(ledger.sql).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.ledger.message_batches import UNDER_WAY
from common.ledger.sqlite_ledger import check_parts
from common.process.log import one_line, shortened

LETTERS = 20
RUNS = 40  # more than are shown: some may be older than what history.tsv adds
_UNDER_WAY = "status in ('submitted', 'answered')"
_UNFINISHED = "status in ('failed', 'waiting', 'dead')"


@dataclass(frozen=True)
class Records:
    """How many records stand where.

    `waiting`: in a request under way, answered and not yet saved, or never judged by anybody.
    """

    done: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0


@dataclass(frozen=True)
class DeadLetter:
    """A record given up on, and why. Never its text."""

    record_id: str
    reason: str
    at: str


@dataclass(frozen=True)
class Spent:
    """What one model cost on one UTC day."""

    day: str
    model: str
    usd: float | None  # None: nothing was billed, or no price is known
    unsettled: float
    requests: int


@dataclass(frozen=True)
class Figures:
    """What a ledger holds, as far as anybody asks. Rows are columns by name."""

    records: Records
    runs: list[dict[str, Any]]  # newest first
    last_success: dict[str, Any] | None
    month_of_runs: list[dict[str, Any]]
    spent: list[Spent]
    message_batches: list[dict[str, Any]]
    dead_letters: tuple[DeadLetter, ...]
    has_days: bool


def figures(path: Path, job: str, since: str) -> Figures:
    """Read the ledger; `since`: the first day of which days and costs are asked.

    Raises sqlite3.Error, OSError, and JobExit (73) where something else is in the file's place.
    """
    check_parts(path)
    for _ in range(3):
        before = _mark(path)
        # SQLite would make two files just to read a ledger that nobody writes, and leave them.
        quietly = not _wal(path).exists()
        try:
            found = _read(path, job, since, "immutable=1" if quietly else "mode=ro")
        except sqlite3.DatabaseError:
            if not quietly or _mark(path) == before:
                raise
            continue
        if not quietly or _mark(path) == before:
            return found
    return _read(path, job, since, "mode=ro")


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _mark(path: Path) -> tuple[int, int, bool]:
    """What changes when somebody writes."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, _wal(path).exists()


def _read(path: Path, job: str, since: str, how: str) -> Figures:
    address = f"file:{quote(str(path.resolve()))}?{how}"
    with closing(sqlite3.connect(address, uri=True, timeout=1, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        db.execute("begin")  # one moment for all figures
        return Figures(
            _records(db, job),
            _rows(db, f"{_RUN} order by started_at desc, run_id desc limit {RUNS}", job),
            next(
                iter(_rows(db, f"{_RUN} and exit_code = 0 order by started_at desc limit 1", job)),
                None,
            ),
            _rows(db, f"{_RUN} and started_at >= ?", job, since),
            _spent(db, job, since),
            _rows(
                db,
                f"select * from message_batches where job = ? and {UNDER_WAY} order by created_at",
                job,
            ),
            _dead_letters(db, job),
            bool(_rows(db, "select 1 from windows where job = ? limit 1", job)),
        )


_RUN = (
    "select run_id, started_at, ended_at, exit_code, records, done, failed, dead, requests, usd"
    " from runs where job = ?"
)


def _rows(db: sqlite3.Connection, sql: str, *values: str) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(sql, values)]


def _records(db: sqlite3.Connection, job: str) -> Records:
    done = db.execute(
        "select count(*) from records where job = ? and status = 'done'", (job,)
    ).fetchone()[0]
    unfinished: dict[str, int] = dict(
        db.execute(
            f"select status, count(*) from records where job = ? and {_UNFINISHED} group by status",
            (job,),
        ).fetchall()
    )
    under_way = db.execute(
        f"select total(json_array_length(record_ids)) from requests where job = ? and {_UNDER_WAY}",
        (job,),
    ).fetchone()[0]
    return Records(
        done=done,
        failed=unfinished.get("failed", 0),
        dead=unfinished.get("dead", 0),
        waiting=int(under_way) + unfinished.get("waiting", 0),
    )


def _spent(db: sqlite3.Connection, job: str, since: str) -> list[Spent]:
    rows = db.execute(
        "select substr(created_at, 1, 10) as day, model, sum(usd) as usd,"
        " total(unsettled_usd) as unsettled, count(*) as requests from requests"
        " where job = ? and created_at >= ? group by 1, 2",
        (job, since),
    )
    return [Spent(*row) for row in rows]


def _dead_letters(db: sqlite3.Connection, job: str) -> tuple[DeadLetter, ...]:
    rows = db.execute(
        "select record_id, error, updated_at from records"
        f" where job = ? and {_UNFINISHED} and status = 'dead'"
        f" order by updated_at desc limit {LETTERS}",
        (job,),
    )
    return tuple(
        DeadLetter(
            one_line(row["record_id"]),
            shortened(row["error"] or "no reason known"),
            row["updated_at"],
        )
        for row in rows
    )
