"""The requests of one job as the ledger holds them, each with its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import marks
from common.ledger.states import RequestStatus, StoredRequest

_ANSWERS = 20  # answers that are in memory at once


class StoredRequests:
    """Reads the table `requests`, the rows of one job; ledger.py writes it."""

    def __init__(self, file: LedgerDatabase, job: str, run_id: str) -> None:
        self._db = file.db
        self._select = (
            f"select request_id, run_id, record_ids, {file.answer_as_bytes},"
            " coalesce(version, ''), model from requests"
        )
        self.job = job
        self.run_id = run_id

    def in_flight(self) -> Iterator[StoredRequest]:
        """The live requests without an answer: of runs that died, as long as this one sends none.

        What is in a message batch is not lost: it is collected.
        """
        return self._stored(RequestStatus.SUBMITTED, "and delivery = 'live'")

    def request(self, request_id: str) -> StoredRequest | None:
        """A request with its answer, if it has one that can be used."""
        return self.requests([request_id]).get(request_id)

    def requests(self, request_ids: Sequence[str]) -> dict[str, StoredRequest]:
        """Those of these requests that have an answer that can be used, by id, all in memory."""
        rows = self._db.execute(
            f"{self._select} where request_id in {marks(request_ids)}"
            " and status in ('answered', 'done') and answer is not null",
            request_ids,
        )
        return {row[0]: _stored(row) for row in rows}

    def requests_of_run(self) -> int:
        """How many requests this run has made: it may be tried again under the same id."""
        row = self._db.execute(
            "select count(*) from requests where job = ? and run_id = ?", (self.job, self.run_id)
        ).fetchone()
        return int(row[0])

    def unsaved(self) -> Iterator[StoredRequest]:
        """The requests about records whose answer is here and whose outputs are not saved yet."""
        # An answer about no record is a merge's: it is found by its id when its report is written.
        return self._stored(RequestStatus.ANSWERED, "and record_ids <> '[]'")

    def answered_records(self) -> Iterator[dict[str, str]]:
        """The ids of the records of these requests, each as a record of nothing else."""
        for request in self.unsaved():
            for record_id in request.record_ids:
                yield {"record_id": record_id}

    def _stored(self, status: RequestStatus, condition: str) -> Iterator[StoredRequest]:
        # The first condition is the partial index's own: so SQLite knows that it can use it.
        where = f"status in ('submitted', 'answered') and status = ? and job = ? {condition}"
        found = self._db.execute(
            f"select request_id from requests where {where}", (status, self.job)
        )
        ids = [request_id for (request_id,) in found]
        for first in range(0, len(ids), _ANSWERS):
            group = ids[first : first + _ANSWERS]
            rows = self._db.execute(
                f"{self._select} where request_id in {marks(group)} and status = ?",
                (*group, status),
            ).fetchall()
            by_id = {row[0]: row for row in rows}
            yield from (_stored(by_id[one]) for one in group if one in by_id)


def _stored(row: tuple[str, str, str, bytes | None, str, str]) -> StoredRequest:
    request_id, run_id, record_ids, answer, version, model = row
    ids = json.loads(record_ids)
    return StoredRequest(request_id, run_id, ids, answer or b"", version, model)
