"""Answers that stand apart from the records' own state: of --try, of --eval, of a second model.

They are in the same tables as all others, under a name of their own: JOB@VERSION. So each version
keeps its own answers, the records of the job stay as they are, and a run of that version takes over
what is there already instead of paying for it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common import times
from common.ledger.ledger_database import Asked, LedgerDatabase
from common.ledger.lookup import groups, marks


def name_of(job: str, version: str) -> str:
    """The name under which the answers of a version stand apart."""
    return f"{job}@{version}"


def job_of(name: str) -> str:
    """The job that a name belongs to: its own, or one under which answers stand apart."""
    return name.partition("@")[0]


def names(db: Asked, job: str) -> list[str]:
    """The job's own name, and all those under which answers of it stand apart."""
    # Texts are compared by bytes, and A comes after @: all that begin with JOB@, by the index.
    found = db.execute(
        "select distinct job from runs where job >= ? and job < ? order by job",
        (f"{job}@", f"{job}A"),
    )
    return [job, *(name for (name,) in found.fetchall())]


def knows(db: Asked, job: str, run_id: str = "") -> bool:
    """Whether a ledger knows of that run of the job, of any run without an id: --try counts."""
    jobs = names(db, job)
    sql = f"select 1 from runs where job in {marks(jobs)}" + (" and run_id = ?" if run_id else "")
    values = (*jobs, run_id) if run_id else jobs
    return db.execute(f"{sql} limit 1", values).fetchone() is not None


class KeptAnswers:
    """What stands apart of the version that a run works with, and can be used by it."""

    def __init__(self, file: LedgerDatabase, job: str, version: str) -> None:
        self._db = file.db
        self._job = job
        self._name = name_of(job, version)
        self._any: bool | None = None  # None: nobody has looked

    def of(self, record_ids: Sequence[str]) -> dict[str, str]:
        """The requests whose answers gave these records an output, by record id.

        Also those that nobody has read yet, since the run that asked died before.
        """
        if self._any is None:
            sql = "select 1 from records where job = ? limit 1"
            self._any = self._db.execute(sql, (self._name,)).fetchone() is not None
        found: dict[str, str] = {}
        for group in groups(record_ids) if self._any else ():
            rows = self._db.execute(
                "select r.record_id, r.request_id from records r join requests q using (request_id)"
                f" where r.job = ? and r.record_id in {marks(group)}"
                " and r.status in ('done', 'answered') and q.status in ('done', 'answered')"
                " and q.answer is not null",
                (self._name, *group),
            )
            found.update((row[0], row[1]) for row in rows)
        return found

    def take_over(self, kept: Mapping[str, str]) -> None:
        """These records have the answers of these requests, inside a transaction of the caller's.

        They are used like any that wait.
        """
        now = times.stamp()
        self._db.executemany(
            "insert into records (job, record_id, status, request_id, updated_at)"
            " values (?, ?, 'answered', ?, ?) on conflict (job, record_id) do update set"
            " status = 'answered', request_id = excluded.request_id,"
            " updated_at = excluded.updated_at",
            [(self._job, record_id, request_id, now) for record_id, request_id in kept.items()],
        )
