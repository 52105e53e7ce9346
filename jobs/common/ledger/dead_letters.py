"""Records given up on without an answer to judge, and taken back where the job was to blame."""

from __future__ import annotations

from collections.abc import Iterable

from common import times
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.states import RecordStatus


class DeadLetters:
    """The records of one job that are `dead`. Each method is called inside a transaction."""

    def __init__(self, file: LedgerDatabase, job: str) -> None:
        self._db = file.db
        self._job = job
        self.transaction = file.transaction

    def bury(self, record_id: str, reason: str) -> None:
        """A record is a dead letter, whatever it was before."""
        self._db.execute(
            "insert into records (job, record_id, status, error, updated_at)"
            " values (?, ?, 'dead', ?, ?) on conflict (job, record_id) do update set"
            " status = 'dead', error = excluded.error, updated_at = excluded.updated_at",
            (self._job, record_id, reason, times.stamp()),
        )

    def take_back(self, record_ids: Iterable[str], status: RecordStatus) -> None:
        """Those of these records that are dead become WAITING, or ANSWERED with their answers."""
        for record_id in record_ids:
            key = (self._job, record_id)
            if status is RecordStatus.ANSWERED:
                # One that stands apart stays as it is there.
                self._db.execute(
                    "update requests set status = 'answered' where job = ? and request_id in"
                    " (select request_id from records where job = ? and record_id = ?"
                    " and status = 'dead')",
                    (self._job, *key),
                )
            self._db.execute(
                "update records set status = ?, error = null, failures = 0, crashes = 0"
                " where job = ? and record_id = ? and status = 'dead'",
                (status, *key),
            )

    def with_an_answer(self, function: str) -> list[str]:
        """The ids of records that a function of the job's failed for after they were answered."""
        rows = self._db.execute(
            "select r.record_id from records r join requests q using (request_id)"
            " where r.job = ? and r.status = 'dead' and r.error like ? || ' %'"
            " and q.answer is not null",
            (self._job, function),
        )
        return [record_id for (record_id,) in rows]
