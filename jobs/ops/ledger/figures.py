"""The figures of one job, asked of its ledger on either database.

No question may read the table `records`, which holds every output: each has an index that answers
it, and repeats that index's condition word for word, which is how SQLite knows to use it
(ledger.sql).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from common.ledger.message_batches import UNDER_WAY
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


class Asked(Protocol):
    """A connection that takes SQL with `?` for its values, and gives rows with names."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Any:
        """Run one statement; its rows."""


def figures(
    db: Asked, job: str, since: str, length: str = "json_array_length(record_ids)"
) -> Figures:
    """What the ledger holds of a job; `since`: the first day of which days and costs are asked.

    `length` is this database's SQL for the number of a request's records.

    The caller has begun a transaction: one moment for all figures.
    """
    return Figures(
        _records(db, job, length),
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


def _rows(db: Asked, sql: str, *values: str) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(sql, values)]


def _records(db: Asked, job: str, length: str) -> Records:
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
        f"select sum({length}) from requests where job = ? and {_UNDER_WAY}",
        (job,),
    ).fetchone()[0]
    return Records(
        done=done,
        failed=unfinished.get("failed", 0),
        dead=unfinished.get("dead", 0),
        waiting=(under_way or 0) + unfinished.get("waiting", 0),
    )


def _spent(db: Asked, job: str, since: str) -> list[Spent]:
    rows = db.execute(
        "select substr(created_at, 1, 10) as day, model, sum(usd) as usd,"
        " sum(unsettled_usd) as unsettled, count(*) as requests from requests"
        " where job = ? and created_at >= ? group by 1, 2",
        (job, since),
    )
    return [Spent(*row) for row in rows]


def _dead_letters(db: Asked, job: str) -> tuple[DeadLetter, ...]:
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
