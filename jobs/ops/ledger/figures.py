"""The figures of one job, asked of its ledger on either database.

No question may read the table `records`, which holds every output: each has an index that answers
it, and repeats that index's condition word for word, which is how SQLite knows to use it
(ledger.sql).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common.ledger.apart import names
from common.ledger.erasure.other_parts import ERASED
from common.ledger.ledger_database import Asked
from common.ledger.lookup import marks
from common.ledger.message_batches import UNDER_WAY
from common.process.log import one_line, shortened

LETTERS = 20
RUNS = 40  # more than are shown: some may be older than what history.tsv adds
_LATELY = 3  # runs that asked anything
_UNDER_WAY = "status in ('submitted', 'answered')"
_UNFINISHED = "status in ('failed', 'waiting', 'dead')"
_DEAD = f"from records where job = ? and {_UNFINISHED} and status = 'dead'"
_DONE = "status in ('done', 'corrected')"


@dataclass(frozen=True)
class Records:
    """How many records stand where.

    `dead`: given up on, so that --retry-dead asks them again. `waiting`: in a request under way,
    answered and not yet saved, or never judged by anybody. `corrected`: a person's value stands.
    `erased`: by `prune --record`; nothing asks them again.
    """

    done: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int = 0
    corrected: int = 0
    erased: int = 0


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

    `versions`: how many records each version has done, "" for one that is not known. `model` is
    the one that runs ask these days, `newest` the newest request of it, and `newest_second` the
    newest second opinion.
    `apart`: the runs whose answers stand apart, each with what it was for ("" where it asked
    nothing); a second opinion is part of a run of the job, and not in it.
    """

    records: Records
    versions: dict[str, int]
    model: str
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

    `model` is the one that the settings name; `length` is this database's SQL for the number of
    a request's records.

    The caller has begun a transaction: one moment for all figures.
    """
    jobs = names(db, job)
    runs = _rows(db, f"{_RUN} order by started_at desc, run_id desc limit {RUNS}", job)
    model = _model(runs, model)
    newest = _newest(db, jobs, "model = ? and purpose in ('run', 'try', 'eval')", model)
    versions, corrected = _versions(db, job, newest.version if newest else "")
    success = f"{_RUN} and exit_code = 0 order by started_at desc limit 1"
    return Figures(
        _records(db, job, sum(versions.values()), corrected, length),
        versions,
        model,
        newest,
        _newest(db, jobs[1:], "purpose = 'second opinion'"),  # they all stand apart
        _apart(db, jobs),
        runs,
        next(iter(_rows(db, success, job)), None),
        _rows(db, f"{_RUN} and started_at >= ?", job, since),
        _spent(db, jobs, since),
        _message_batches(db, jobs),
        _dead_letters(db, job),
        bool(_rows(db, "select 1 from windows where job = ? limit 1", job)),
    )


_RUN = (
    "select run_id, started_at, ended_at, exit_code, model, records, done, failed, dead, requests,"
    " usd, warnings from runs where job = ?"
)


def _model(runs: list[dict[str, Any]], configured: str) -> str:
    """The model that most of the last runs asked: the crontab may name another than the settings.

    What a person asked by hand once, of another model, does not count.
    """
    lately: list[str] = [row["model"] for row in runs if row["requests"]][:_LATELY]
    asked = lately or [configured]
    return max(asked, key=lambda one: (asked.count(one), one == configured))


def _rows(db: Asked, sql: str, *values: str) -> list[dict[str, Any]]:
    return [dict(row) for row in db.execute(sql, values)]


def _records(db: Asked, job: str, done: int, corrected: int, length: str) -> Records:
    unfinished: dict[str, int] = dict(
        db.execute(
            f"select status, count(*) from records where job = ? and {_UNFINISHED} group by status",
            (job,),
        ).fetchall()
    )
    erased = 0
    if dead := unfinished.get("dead", 0):  # these few have their reasons in the table alone
        erased = db.execute(f"select count(*) {_DEAD} and error = ?", (job, ERASED)).fetchone()[0]
    under_way = db.execute(
        f"select sum({length}) from requests where job = ? and {_UNDER_WAY}", (job,)
    ).fetchone()[0]
    return Records(
        done=done,
        failed=unfinished.get("failed", 0),
        dead=dead - erased,
        waiting=(under_way or 0) + unfinished.get("waiting", 0),
        corrected=corrected,
        erased=erased,
    )


def _versions(db: Asked, job: str, most: str) -> tuple[dict[str, int], int]:
    """How many records each version has done, "" for none that is known; how many are corrected.

    To count them all takes half as long as to group them. So those of one version, which has
    probably done `most` of them, are what the others leave.
    """
    of_job = f"from records where job = ? and {_DONE}"
    (left,) = db.execute(f"select count(*) {of_job}", (job,)).fetchone()
    done: dict[str, int] = {}
    corrected = 0
    for version in _different(db, job) if left else ():
        same, values = (" and version = ?", (version,)) if version else (" and version is null", ())
        if version == most:
            same += " and status = 'corrected'"
        found = dict(
            db.execute(
                f"select status, count(*) {of_job}{same} group by status", (job, *values)
            ).fetchall()
        )
        done[version] = found.get("done", 0)
        corrected += found.get("corrected", 0)
        left -= sum(found.values())
    if left:
        done[most] = left
    return {version: count for version, count in done.items() if count}, corrected


def _different(db: Asked, job: str) -> Iterator[str]:
    """The versions of records that are done, from one to the next in the index, "" for none."""
    yield ""
    last = ""
    while row := db.execute(
        f"select version from records where job = ? and {_DONE} and version > ?"
        " order by version limit 1",
        (job, last),
    ).fetchone():
        last = row[0]
        yield last


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
        f"select record_id, error, updated_at {_DEAD} and coalesce(error, '') <> ?"
        f" order by updated_at desc limit {LETTERS}",
        (job, ERASED),
    )
    return tuple(
        DeadLetter(
            one_line(row["record_id"]),
            shortened(row["error"] or "no reason known"),
            row["updated_at"],
        )
        for row in rows
    )
