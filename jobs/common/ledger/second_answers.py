"""Which records a second model is asked about, and what its answers change.

    done by the first model -> chosen: a row under JOB@VERSION of the second model waits, and says
                               in `version` what the first answer's is
    done under that name    -> handed over: the first answer is kept under JOB@VERSION of its own,
                               and the record has the second one, to be saved like any that waits

Both stand in the transaction in which the record is done, so that a kill at any instant neither
loses nor doubles them. An answer is handed over by whichever run notes it, since it is paid for;
but only where the record still has the first answer that it was chosen with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from common import times
from common.ledger.apart import job_of, name_of
from common.ledger.ledger_database import Statements
from common.ledger.lookup import groups, marks
from common.ledger.states import NOT_SENT, Ending, Purpose

SHARE = 0.02  # of the records whose output has no runner-up
_UNDER_WAY = "status in ('submitted', 'answered')"


@dataclass(frozen=True)
class UnderWay:
    """What a second model is being asked, or has answered: by one version of the job."""

    version: str
    model: str
    records: int


class SecondAnswers:
    """Chooses records of one job, and hands over what a second model has answered about them."""

    def __init__(self, db: Statements, name: str, run_id: str, version: str, second: str) -> None:
        """`name` is the job's, or one under which answers stand apart. `version` is the run's.

        `second` is the version of the second model, "" where there is none to be asked.
        """
        self._db = db
        self._name = name
        self._job = job_of(name)
        self._run_id = run_id
        self._version = version
        self._second = second
        # By record id, the first output and the second one of what was handed over: the run that
        # looks at it takes it from here.
        self.handed_over: dict[str, tuple[str, str]] = {}

    # Both are called inside the transaction in which an ending is noted.

    def choose(self, ending: Ending) -> None:
        """Records are done: those that a second model is to be asked about wait for it.

        What a person has given is not among them, nor what an older version was asked, nor what
        nobody was asked. What the second model has said already, for --eval, is handed over.
        """
        if not self._second or ending.corrected or ending.version not in (None, self._version):
            return
        chosen = {
            record_id: output
            for record_id, output in ending.done.items()
            if output is not None and is_chosen(self._job, record_id, output)
        }
        if not chosen or not self._was_sent(ending.request_id):
            return
        name = name_of(self._job, self._second)
        self._note_run(name)
        said = self._said_apart(name, [*chosen], ending.request_id)
        now = times.stamp()
        # One that the second model had before the first one was asked again is asked again, too.
        self._db.executemany(
            "insert into records (job, record_id, status, version, updated_at)"
            " values (?, ?, 'waiting', ?, ?) on conflict (job, record_id) do update set"
            " version = excluded.version, updated_at = excluded.updated_at, status = case"
            " when records.status = 'done' then 'waiting' else records.status end",
            [(name, one, self._version, now) for one in chosen if one not in said],
        )
        for record_id, (request_id, output) in said.items():
            first = (self._version, ending.request_id, chosen[record_id])
            self._hand_over(record_id, first, request_id, output)

    def hand_over(self, ending: Ending) -> None:
        """Answers apart are about to be noted: records that were chosen for them have them now."""
        if self._name == self._job:
            return
        for group in groups([*ending.done]):
            rows = self._db.execute(
                "select r.record_id, r.version, r.request_id, r.output from records w"
                " join records r on r.record_id = w.record_id and r.version = w.version"
                f" where w.job = ? and w.record_id in {marks(group)} and w.status <> 'done'"
                " and r.job = ? and r.status = 'done'",
                (self._name, *group, self._job),
            ).fetchall()
            for record_id, version, request_id, first in rows:
                second = ending.done[record_id]
                if first is not None and second is not None:
                    known = (version, request_id, first)
                    self._hand_over(record_id, known, ending.request_id, second)

    def _hand_over(
        self, record_id: str, first: tuple[str, str, str], request_id: str, output: str
    ) -> None:
        """Keep the first answer (version, request, output); the record has the second one."""
        now = times.stamp()
        version, first_request_id, first_output = first
        name = name_of(self._job, version)
        self._note_run(name)
        self._db.execute(
            "insert into records (job, record_id, status, request_id, version, output, updated_at)"
            " values (?, ?, 'done', ?, ?, ?, ?) on conflict (job, record_id) do update set"
            " status = 'done', error = null, request_id = excluded.request_id,"
            " version = excluded.version, output = excluded.output,"
            " updated_at = excluded.updated_at",
            (name, record_id, first_request_id, version, first_output, now),
        )
        self._db.execute(
            "update records set status = 'answered', request_id = ?, updated_at = ?"
            " where job = ? and record_id = ? and status = 'done'",
            (request_id, now, self._job, record_id),
        )
        self.handed_over[record_id] = (first_output, output)

    def _was_sent(self, request_id: str) -> bool:
        sql = "select 1 from requests where request_id = ? and delivery <> ?"
        return self._db.execute(sql, (request_id, NOT_SENT)).fetchone() is not None

    def _said_apart(
        self, name: str, record_ids: list[str], first_request_id: str
    ) -> dict[str, tuple[str, str]]:
        """What the second model has said of these records: the request and the output, by id.

        It was asked by --eval, or after the first one: the prompt was edited, and is as it was.
        """
        found: dict[str, tuple[str, str]] = {}
        for group in groups(record_ids):
            rows = self._db.execute(
                "select r.record_id, r.request_id, r.output from records r"
                f" join requests q using (request_id) where r.job = ? and r.record_id in"
                f" {marks(group)} and r.status = 'done' and r.output is not null"
                " and q.answer is not null and (q.purpose <> ? or q.created_at >"
                " (select created_at from requests where request_id = ?))",
                (name, *group, Purpose.SECOND_OPINION, first_request_id),
            )
            found.update((row[0], (row[1], row[2])) for row in rows)
        return found

    def _note_run(self, name: str) -> None:
        """Where answers stand apart is known by runs: this name is to have one, too."""
        now = times.stamp()
        self._db.execute(
            "insert into runs (run_id, job, started_at, ended_at, exit_code, delivery, model)"
            " select ?, ?, ?, ?, 0, 'none', '' where not exists"
            " (select 1 from runs where job = ?)",
            (self._run_id, name, now, now, name),
        )

    def waiting(self) -> list[str]:
        """The ids of the records that the second model is to be asked about."""
        if not self._second:
            return []
        name = name_of(self._job, self._second)
        rows = self._db.execute(
            "select record_id from records where job = ? and record_id in"
            # Answered by the partial index alone, whose condition it repeats.
            " (select record_id from records where job = ?"
            " and status in ('failed', 'waiting', 'dead'))"
            " and status <> 'dead' and version is not null order by record_id",
            (name, name),
        )
        return [record_id for (record_id,) in rows]

    def forget(self, record_ids: Iterable[str]) -> None:
        """Records that wait for the second model are gone: nobody is asked about them."""
        name = name_of(self._job, self._second)
        self._db.executemany(
            "delete from records where job = ? and record_id = ? and status in"
            " ('waiting', 'failed')",
            [(name, record_id) for record_id in record_ids],
        )

    def under_way(self) -> list[UnderWay]:
        """What second models are being asked by any version, or have answered and is not used."""
        rows = self._db.execute(
            "select job, version, model, record_ids, status from requests"
            f" where {_UNDER_WAY} and purpose = ?",
            (Purpose.SECOND_OPINION,),
        ).fetchall()
        found: dict[tuple[str, str], int] = {}
        for name, version, model, record_ids, status in rows:
            if job_of(name) == self._job:
                awaited = len(json.loads(record_ids)) if status == "submitted" else 0
                key = (version or "", model)
                found[key] = found.get(key, 0) + awaited
        return [UnderWay(*key, records) for key, records in sorted(found.items())]


def is_chosen(job: str, record_id: str, output: str) -> bool:
    """Whether a second model is asked: about a runner-up, and about some of the other records.

    `output` is JSON. The same record is chosen each time.
    """
    # Most outputs need not be read for it.
    if '"runner_up"' in output and (said := json.loads(output).get("runner_up")):
        return bool(not isinstance(said, str) or said.strip())
    digest = sha256(f"{job}\n{record_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) < SHARE * 2**64
