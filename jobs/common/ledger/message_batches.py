"""The message batches of a job, as the ledger knows them (states.py draws their states).

The intent is committed before Claude is asked for the message batch, under a name of ours; when the
reply comes, the message batch's own id takes the name's place. An intent that is still there after
a crash may or may not have become a message batch: delivery/message_batch/adoption.py finds it out,
and never guesses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common import times
from common.ledger.ledger import Ledger
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.states import Ending, Intent, MessageBatchStatus, RequestStatus

_TOGETHER = 500  # requests that are in memory at once
UNDER_WAY = "status in ('preparing', 'intent', 'submitted')"


@dataclass(frozen=True)
class MessageBatch:
    """One row."""

    id: str  # Claude's, or the name of the intent while there is none
    status: MessageBatchStatus
    requests: int
    created_at: str
    head: str  # the newest message batch of the workspace when this one was intended, "" for none
    expires_at: str  # "" where that is not known yet
    missed_at: str  # of an intent: when it was first looked for in vain, "" where it was not


@dataclass(frozen=True)
class AwaitedRequest:
    """A request in a message batch whose result is awaited."""

    request_id: str
    run_id: str
    record_ids: list[str]
    unsettled_usd: float
    model: str


class MessageBatches:
    """The table `message_batches`, and the requests that belong to them."""

    def __init__(self, file: LedgerDatabase, ledger: Ledger) -> None:
        self._file = file
        self._db = file.db
        self._ledger = ledger

    def under_way(self) -> list[MessageBatch]:
        """Those whose results are not all here, oldest first."""
        rows = self._db.execute(
            "select message_batch_id, status, requests, created_at, head,"
            " coalesce(expires_at, ''), coalesce(missed_at, '') from message_batches"
            f" where job = ? and {UNDER_WAY} order by created_at, message_batch_id",
            (self._ledger.job,),
        )
        return [MessageBatch(row[0], MessageBatchStatus(row[1]), *tuple(row)[2:]) for row in rows]

    def known_ids(self) -> set[str]:
        """The ids of all that this ledger ever had."""
        return {row[0] for row in self._db.execute("select message_batch_id from message_batches")}

    def prepare(self, name: str) -> None:
        """Begin one. Its requests follow, some at a time."""
        with self._file.transaction():
            self._db.execute(
                "insert into message_batches"
                " (message_batch_id, run_id, job, status, requests, created_at)"
                " values (?, ?, ?, 'preparing', 0, ?)",
                (name, self._ledger.run_id, self._ledger.job, times.stamp()),
            )

    def add(self, intents: Iterable[Intent]) -> None:
        """Commit the intent to send these requests with the message batch that each one names."""
        with self._file.transaction():
            self._ledger.intend(intents)

    def intend(self, name: str, requests: int, head: str, *, asked_at: str) -> None:
        """Commit that Claude is about to be asked for it, with that many requests.

        `asked_at` is the time at Claude: no clock of this machine says how old an intent is. From
        now on only Claude's list of message batches says whether it exists. Raises JobExit (74)
        where the ledger was replaced in the meantime.
        """
        self._file.ready(0)
        with self._file.transaction():
            self._db.execute(
                "update message_batches set status = 'intent', requests = ?, head = ?,"
                " created_at = ? where message_batch_id = ?",
                (requests, head, asked_at, name),
            )

    def divide(self, name: str, other: str, request_ids: Iterable[str]) -> None:
        """Claude surely did not make it: prepare it anew without these requests, which go to the
        other one, prepared before.
        """
        with self._file.transaction():
            self._db.execute(
                "update message_batches set status = 'preparing' where message_batch_id = ?",
                (name,),
            )
            self._db.executemany(
                "update requests set message_batch_id = ? where request_id = ?",
                [(other, request_id) for request_id in request_ids],
            )

    def refuse(self, name: str, reason: str) -> list[Ending]:
        """Claude surely did not make it, for what is in it: its requests failed, and it is VOID."""
        with self._file.transaction():
            endings = [
                Ending(
                    request_id=request.request_id,
                    status=RequestStatus.FAILED,
                    reason=reason,
                    failed=dict.fromkeys(request.record_ids, reason),
                    attempts=1,
                )
                for request in self.awaited(name)
            ]
            self._ledger.apply(endings)
            self._db.execute(
                "update message_batches set status = 'void', ended_at = ?"
                " where message_batch_id = ?",
                (times.stamp(), name),
            )
        return endings

    def missed(self, name: str, at: str) -> None:
        """Note when an intent was first looked for in vain; "": it may have been seen after all."""
        with self._file.transaction():
            self._db.execute(
                "update message_batches set missed_at = ? where message_batch_id = ?",
                (at or None, name),
            )

    def adopt(self, name: str, message_batch_id: str, *, created_at: str, expires_at: str) -> None:
        """The intent became this message batch. Both times are Claude's."""
        with self._file.transaction():
            self._db.execute(
                "update message_batches set status = 'submitted', message_batch_id = ?,"
                " created_at = ?, expires_at = ?, missed_at = null where message_batch_id = ?",
                (message_batch_id, created_at, expires_at, name),
            )
            self._db.execute(
                "update requests set message_batch_id = ? where message_batch_id = ?",
                (message_batch_id, name),
            )

    def close(self, message_batch_id: str, status: MessageBatchStatus) -> int:
        """Commit its end: COLLECTED, VOID or GONE. Requests without a result are lost: how many."""
        with self._file.transaction():
            left = self._left(message_batch_id)
            for first in range(0, len(left), _TOGETHER):
                for request in self.awaited(message_batch_id, left[first : first + _TOGETHER]):
                    # What was never sent was not billed. What ended without a result may have been.
                    if status is MessageBatchStatus.VOID:
                        self._ledger.attempted(request.request_id, 1, 0.0)
                    self._ledger.lost(request.request_id, request.record_ids)
            self._db.execute(
                "update message_batches set status = ?, ended_at = ? where message_batch_id = ?",
                (status, times.stamp(), message_batch_id),
            )
        return len(left)

    def _left(self, message_batch_id: str) -> list[str]:
        rows = self._db.execute(
            "select request_id from requests where message_batch_id = ? and status = 'submitted'",
            (message_batch_id,),
        )
        return [request_id for (request_id,) in rows]

    def left(self, message_batch_id: str) -> int:
        """How many of its requests have no result yet."""
        row = self._db.execute(
            "select count(*) from requests where message_batch_id = ? and status = 'submitted'",
            (message_batch_id,),
        ).fetchone()
        return int(row[0])

    def awaited(
        self, message_batch_id: str, request_ids: Sequence[str] = ()
    ) -> list[AwaitedRequest]:
        """Its requests without a result; only those of `request_ids` where some are given."""
        condition, plus = "", ""
        if request_ids:
            condition = f" and request_id in ({','.join('?' * len(request_ids))})"
            # Keeps SQLite from going through the whole message batch for a few of its requests.
            plus = self._file.not_by_index
        rows = self._db.execute(
            "select request_id, run_id, record_ids, unsettled_usd, model from requests"
            f" where {plus}message_batch_id = ? and status = 'submitted'{condition}",
            (message_batch_id, *request_ids),
        )
        return [AwaitedRequest(row[0], row[1], json.loads(row[2]), row[3], row[4]) for row in rows]
