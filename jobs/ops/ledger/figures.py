"""The figures of one job, asked of its ledger on either database.

No question may read the table `records`, which holds every output: each has an index that answers
it, and repeats that index's condition word for word, which is how SQLite knows to use it
(ledger.sql).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.ledger.apart import names
from common.ledger.ledger_database import Asked
from common.ledger.lookup import marks
from common.ledger.message_batches import UNDER_WAY
from common.process.log import one_line, shortened

LETTERS = 20
RUNS = 40  # more than are shown: some may be older than what history.tsv adds
_UNDER_WAY = "status in ('submitted', 'answered')"
_UNFINISHED = "status in ('failed', 'waiting', 'dead')"
_DONE = "status in ('done', 'corrected')"


@dataclass(frozen=True)
class Records:
    """How many records stand where.

    `waiting`: in a request under way, answered and not yet saved, or never judged by anybody.
    `corrected`: a person's value stands.
    """

    done: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    corrected: int = 0


@dataclass(frozen=True)
class DeadLetter:
    """A record given up on, and why. Never its text."""

    record_id: str
    reason: str
    at: str


@dataclass(frozen=True)
class Spent:
    """What one model cost on one UTC day, for one purpose: see states.Purpose."""

    day: str
    model: str
    purpose: str
    usd: float | None  # None: nothing was billed, or no price is known
    unsettled: float
    requests: int


@dataclass(frozen=True)
class Newest:
    """The newest request that asked a version of the job: what that was, and when."""

    version: str  # "" where that is not known
    run_id: str
    created_at: str


@dataclass(frozen=True)
class Figures:
    """What a ledger holds, as far as anybody asks. Rows are columns by name.

    `versions`: how many records each version has done, "" for one that is not known. `newest` is
    the newest request of today's model, and `newest_second` the newest second opinion.
    `apart`: the runs whose answers stand apart, each with what it was for ("" where it asked
    nothing); a second opinion is part of a run of the job, and not in it.
    """

    records: Records
    versions: dict[str, int]
    newest: Newest | None
    newest_second: Newest | None
    apart: dict[str, str]
    runs: list[dict[str, Any]]  # newest first
    last_success: dict[str, Any] | None
    month_of_runs: list[dict[str, Any]]
    spent: list[Spent]
    message_batches: list[dict[str, Any]]
    dead_letters: tuple[DeadLetter, ...]
    has_days: bool


def figures(
    db: Asked, job: str, since: str, model: str, length: str = "json_array_length(record_ids)"
) -> Figures:
    """What the ledger holds of a job; `since`: the first day of which days and costs are asked.

    `model` is the one that a run of today asks; `length` is this database's SQL for the number of
    a request's records.

    The caller has begun a transaction: one moment for all figures.
    """
    jobs = names(db, job)
    records, versions = _records(db, job, length)
    success = f"{_RUN} and exit_code = 0 order by started_at desc limit 1"
    return Figures(
        records,
        versions,
        _newest(db, jobs, "model = ? and purpose in ('run', 'try', 'eval')", model),
        _newest(db, jobs, "purpose = 'second opinion'"),
        _apart(db, jobs),
        _rows(db, f"{_RUN} order by started_at desc, run_id desc limit {RUNS}", job),
        next(iter(_rows(db, success, job)), None),
        _rows(db, f"{_RUN} and started_at >= ?", job, since),
        _spent(db, jobs, since),
        _message_batches(db, jobs),
        _dead_letters(db, job),
        bool(_rows(db, "select 1 from windows where job = ? limit 1", job)),
    )


_RUN = (
    "select run_id, started_at, ended_at, exit_code, records, done, failed, dead, requests, usd,"
    " warnings from runs where job = ?"
)


def _rows(db: Asked, sql: str, *values: str) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(sql, values)]


def _records(db: Asked, job: str, length: str) -> tuple[Records, dict[str, int]]:
    """How many records stand where, and how many each version has done."""
    versions: dict[str, int] = {}
    corrected = 0
    for version, status, count in db.execute(
        "select version, status, count(*) from records"
        f" where job = ? and {_DONE} group by version, status",
        (job,),
    ):
        if status == "done":
            versions[version or ""] = count
        else:
            corrected += count
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
    found = Records(
        done=sum(versions.values()),
        failed=unfinished.get("failed", 0),
        dead=unfinished.get("dead", 0),
        waiting=(under_way or 0) + unfinished.get("waiting", 0),
        corrected=corrected,
    )
    return found, versions


def _newest(db: Asked, jobs: list[str], condition: str, *values: str) -> Newest | None:
    """The newest request of these names that meets a condition."""
    found = [
        Newest(row[0] or "", row[1], row[2])
        for name in jobs
        for row in db.execute(
            "select version, run_id, created_at from requests"
            f" where job = ? and {condition} order by created_at desc limit 1",
            (name, *values),
        )
    ]
    return max(found, key=lambda one: one.created_at, default=None)


def _apart(db: Asked, jobs: list[str]) -> dict[str, str]:
    """The runs that left nothing but answers apart, each with what it was for."""
    own, *others = jobs
    if not others:
        return {}
    rows = db.execute(
        "select run_id, (select min(purpose) from requests where requests.run_id = runs.run_id)"
        f" from runs where job in {marks(others)}"
        " and run_id not in (select run_id from runs where job = ?)",
        (*others, own),
    )
    return {row[0]: row[1] or "" for row in rows}


def _spent(db: Asked, jobs: list[str], since: str) -> list[Spent]:
    """What was paid for the job, and for what of it stands apart. A person costs nothing."""
    rows = db.execute(
        "select substr(created_at, 1, 10) as day, model, purpose, sum(usd) as usd,"
        " sum(unsettled_usd) as unsettled, count(*) as requests from requests"
        f" where job in {marks(jobs)} and created_at >= ? and purpose <> 'correction'"
        " group by 1, 2, 3",
        (*jobs, since),
    )
    return [Spent(*row) for row in rows]


def _message_batches(db: Asked, jobs: list[str]) -> list[dict[str, Any]]:
    """Those under way, with what their requests were sent for."""
    rows = _rows(
        db,
        f"select * from message_batches where job in {marks(jobs)} and {UNDER_WAY}"
        " order by created_at",
        *jobs,
    )
    for row in rows:
        purpose = db.execute(
            "select purpose from requests where message_batch_id = ? limit 1",
            (row["message_batch_id"],),
        ).fetchone()
        row["purpose"] = purpose[0] if purpose else "run"
    return rows


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
