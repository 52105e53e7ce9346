"""What a ledger may forget: old answers, outputs, reports and runs. Never what makes a record done.

It keeps, however old: each record with its status, and its request with what it cost; everything
that is not done; the last run and the last success (--after asks for it); which days were reported;
what people have corrected.

What stands apart, of --try, --eval and second opinions, ages in the same way, but for the records'
rows: they hold nothing but outputs, so that they go with these. A run or an evaluation that
wants such a record again asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from common.ledger.apart import job_of, names
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import marks

_AT_ONCE = 2_000  # rows of one transaction: it stays short, and SQLite's write-ahead log small
_OLD_ANSWERS = (
    "job = ? and created_at < ? and answer is not null and status in ('done', 'failed', 'lost')"
    " and purpose <> 'correction'"
)
# Of the answers that stand apart, not those that a record of the job waits to be saved with.
_OLD_ANSWERS_APART = (
    f"{_OLD_ANSWERS} and request_id not in (select request_id from records"
    " where job = ? and status = 'answered' and request_id is not null)"
)
_OLD_OUTPUTS = "status = 'done' and output is not null and updated_at < ?"
_OLD_REPORTS = "job = ? and report is not null and updated_at < ?"
_OLD_TRIES = "job = ? and tried_at < ?"
_OLD_RUNS = (
    "job = :job and started_at < :before"
    " and started_at < (select max(started_at) from runs where job = :job)"
    " and run_id <> coalesce((select run_id from runs where job = :job and exit_code = 0"
    " order by started_at desc limit 1), '')"
)

# Found again by its id: `failed`, it is asked again and not taken for answered.
_MERGE = "record_ids = '[]' and status = 'done'"


@dataclass
class Forgotten:
    """What the ledger forgot, or would forget."""

    answers: int = 0
    outputs: int = 0
    reports: int = 0  # what the ledger keeps of them: their pages stay
    runs: int = 0
    tries: int = 0  # which records --try took
    length: int = 0  # of the answers and outputs
    bytes: int = 0  # given back to the file system
    reusable: int = 0  # free inside the ledger, for what comes next
    by_server: bool = False  # what is free is PostgreSQL's to use again, after its vacuum
    note: str = ""

    def add(self, more: Forgotten) -> None:
        """What goes of another name, too."""
        self.answers += more.answers
        self.outputs += more.outputs
        self.reports += more.reports
        self.runs += more.runs
        self.tries += more.tries
        self.length += more.length


def would_forget(file: LedgerDatabase, job: str, before: str) -> Forgotten:
    """What `forget` would forget."""
    would = Forgotten()
    for name in names(file.db, job):
        are_old, values = _old(name, before)
        answers, length = file.db.execute(
            f"select count(*), sum(length(answer)) from requests where {are_old}", values
        ).fetchone()
        outputs, more = file.db.execute(
            f"select count(*), sum(length(output)) from records where job = ? and {_OLD_OUTPUTS}",
            (name, before),
        ).fetchone()
        reports, stored = _old_reports(file, name, before)
        (runs,) = file.db.execute(
            f"select count(*) from runs where {_OLD_RUNS}", {"job": name, "before": before}
        ).fetchone()
        (tries,) = file.db.execute(
            f"select count(*) from tries where {_OLD_TRIES}", (name, before)
        ).fetchone()
        length = (length or 0) + (more or 0) + stored
        would.add(Forgotten(answers, outputs, reports, runs, tries, length))
    would.reusable = would.length
    return would


def forget(file: LedgerDatabase, job: str, before: str) -> Forgotten:
    """Forget what is older than that time. Raises JobExit."""
    gone = Forgotten()
    for name in names(file.db, job):
        answers, length = _forget_answers(file, name, before)
        outputs, more = _forget_outputs(file, name, before)
        reports, stored = _old_reports(file, name, before)
        with file.transaction():
            file.db.execute(
                f"update windows set report = null where {_OLD_REPORTS}", (name, before)
            )
            runs = file.db.execute(
                f"delete from runs where {_OLD_RUNS}", {"job": name, "before": before}
            ).rowcount
            tries = file.db.execute(
                f"delete from tries where {_OLD_TRIES}", (name, before)
            ).rowcount
        gone.add(Forgotten(answers, outputs, reports, runs, tries, length + more + stored))
    return gone


def forget_work(file: LedgerDatabase, job: str, before: str) -> None:
    """Forget, on PostgreSQL, what Celery's workers did for a job before that time, and workers that
    have not been heard of since. Raises JobExit.
    """
    has_queue = "to_regclass('queue') is not null and to_regclass('workers') is not null"
    if not file.db.execute(f"select {has_queue}").fetchone()[0]:
        return
    with file.transaction():
        file.db.execute(
            "delete from queue where job = ? and ended is not null"
            " and created_at < ?::timestamptz and not exists (select 1 from requests"
            " where requests.request_id = queue.request_id"
            " and requests.status in ('submitted', 'answered'))",
            (job, before),
        )
        file.db.execute("delete from workers where heartbeat_at < ?::timestamptz", (before,))


def _forget_answers(file: LedgerDatabase, job: str, before: str) -> tuple[int, int]:
    """Old answers, some at a time: (how many, their length)."""
    count = length = 0
    for request_ids in _old_answers(file, job, before):
        these = f"request_id in {marks(request_ids)}"
        with file.transaction():
            length += file.db.execute(
                f"select sum(length(answer)) from requests where {these}", request_ids
            ).fetchone()[0]
            file.db.execute(
                "update requests set answer = null,"
                f" error = case when {_MERGE} then 'its answer was pruned' else error end,"
                f" status = case when {_MERGE} then 'failed' else status end where {these}",
                request_ids,
            )
        count += len(request_ids)
    return count, length


def _old(name: str, before: str) -> tuple[str, tuple[str, ...]]:
    """Which answers under that name are old: a condition of SQL, and its values."""
    job = job_of(name)
    if name == job:
        return _OLD_ANSWERS, (name, before)
    return _OLD_ANSWERS_APART, (name, before, job)


def _old_answers(file: LedgerDatabase, job: str, before: str) -> Iterator[list[str]]:
    """The requests whose answers are old, some at a time, oldest first."""
    last = ("", "")
    are_old, values = _old(job, before)
    while True:
        rows = file.db.execute(
            f"select created_at, request_id from requests where {are_old}"
            " and (created_at, request_id) > (?, ?)"
            f" order by created_at, request_id limit {_AT_ONCE}",
            (*values, *last),
        ).fetchall()
        if not rows:
            return
        last = tuple(rows[-1])
        yield [row[1] for row in rows]


def _old_reports(file: LedgerDatabase, job: str, before: str) -> tuple[int, int]:
    """How many stored reports are old, and their length."""
    count, length = file.db.execute(
        f"select count(*), sum(length(report)) from windows where {_OLD_REPORTS}", (job, before)
    ).fetchone()
    return count, length or 0


def _forget_outputs(file: LedgerDatabase, job: str, before: str) -> tuple[int, int]:
    """Old outputs, some at a time in the table's own order: (how many, their length)."""
    count = length = 0
    last = ""
    while True:
        end = file.db.execute(
            "select max(record_id) from (select record_id from records"
            f" where job = ? and record_id > ? order by record_id limit {_AT_ONCE}) as page",
            (job, last),
        ).fetchone()[0]
        if end is None:
            return count, length
        part = f"job = ? and record_id > ? and record_id <= ? and {_OLD_OUTPUTS}"
        values = (job, last, end, before)
        found = file.db.execute(
            f"select count(*), sum(length(output)) from records where {part}", values
        ).fetchone()
        if found[0]:
            with file.transaction():
                if job == job_of(job):
                    file.db.execute(f"update records set output = null where {part}", values)
                else:
                    file.db.execute(f"delete from records where {part}", values)
            count, length = count + found[0], length + (found[1] or 0)
        last = end
