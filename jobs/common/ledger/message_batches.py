"""The message batches of a job, as the ledger knows them.

    preparing -> intent -> submitted -> collected;  void: never came to be;  gone: its results are no longer to be had

The intent is committed before Claude is asked for the message batch, under a name of ours; when its reply comes, the
message batch's own id takes the name's place. An intent that is still there after a crash may or may not have become a
message batch: that is found out (deliveries/adoption.py), never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common import times
from common.claude.request import Request
from common.ledger.ledger import Ledger
from common.ledger.sqlite_ledger import LedgerFile

_OPEN = "('preparing', 'intent', 'submitted')"


@dataclass(frozen=True)
class MessageBatch:
    """One row. `id` is Claude's, or the name of the intent while there is none."""

    id: str
    status: str
    requests: int
    created_at: str
    head: str  # the newest message batch of the workspace when this one was intended, "" for none
    expires_at: str  # "" where that is not known yet
    missed_at: str  # of an intent: when it was first looked for in vain, "" where it was not


@dataclass(frozen=True)
class Submitted:
    """A request in a message batch whose result is awaited."""

    request_id: str
    record_ids: list[str]
    unsettled_usd: float
    model: str


class MessageBatches:
    """The table `message_batches`, and the requests that belong to them."""

    def __init__(self, file: LedgerFile, ledger: Ledger) -> None:
        self._file = file
        self._db = file.db
        self._ledger = ledger

    def open(self) -> list[MessageBatch]:
        """Those whose results are not all here, oldest first."""
        rows = self._db.execute(
            "select message_batch_id, status, requests, created_at, head,"
            " coalesce(expires_at, ''), coalesce(ended_at, '') from message_batches"
            f" where job = ? and status in {_OPEN} order by created_at, message_batch_id",
            (self._ledger.job,),
        )
        return [MessageBatch(*row) for row in rows]

    def known_ids(self) -> set[str]:
        """The ids of all that this ledger ever had."""
        return {row[0] for row in self._db.execute("select message_batch_id from message_batches")}

    def prepare(self, name: str) -> None:
        """Begin one. Its requests follow, some at a time."""
        with self._file.transaction():
            self._db.execute(
                "insert into message_batches (message_batch_id, run_id, job, status, requests, created_at)"
                " values (?, ?, ?, 'preparing', 0, ?)",
                (name, self._ledger.run_id, self._ledger.job, times.stamp()),
            )

    def add(self, name: str, requests: Iterable[Request], model: str) -> None:
        """Commit the intent to send these requests with it."""
        with self._file.transaction():
            for request in requests:
                self._ledger.submitted(
                    request.request_id,
                    request.record_ids,
                    "message_batch",
                    model,
                    request.most_usd,
                    name,
                )

    def intend(self, name: str, requests: int, head: str) -> None:
        """Commit that Claude is about to be asked for it. After this, only finding out says whether it exists."""
        with self._file.transaction():
            self._db.execute(
                "update message_batches set status = 'intent', requests = ?, head = ?, created_at = ?"
                " where message_batch_id = ?",
                (requests, head, times.stamp(), name),
            )

    def missed(self, name: str, at: str) -> None:
        """An intent was looked for in vain, first at that instant; "": what may be it was seen after all."""
        with self._file.transaction():
            # An intent that is not found from then on has ended then.
            self._db.execute(
                "update message_batches set ended_at = ? where message_batch_id = ?",
                (at or None, name),
            )

    def adopt(self, name: str, message_batch_id: str, expires_at: str) -> None:
        """The intent became this message batch."""
        with self._file.transaction():
            self._db.execute(
                "update message_batches set status = 'submitted', message_batch_id = ?, expires_at = ?,"
                " ended_at = null"
                " where message_batch_id = ?",
                (message_batch_id, expires_at, name),
            )
            self._db.execute(
                "update requests set message_batch_id = ? where message_batch_id = ?",
                (message_batch_id, name),
            )

    def close(self, message_batch_id: str, status: str) -> int:
        """It has come to its end: `collected`, `void` or `gone`. Requests without a result are lost; says how many."""
        with self._file.transaction():
            left = self.awaited(message_batch_id)
            for request in left:
                # What was never sent was not billed. What has ended without a result may have been.
                if status == "void":
                    self._ledger.attempted(request.request_id, 1, 0.0)
                self._ledger.lost(request.request_id, request.record_ids)
            self._db.execute(
                "update message_batches set status = ?, ended_at = ? where message_batch_id = ?",
                (status, times.stamp(), message_batch_id),
            )
        return len(left)

    def spent(self) -> float:
        """USD that this run's requests in message batches cost, with the most that those without a result can cost."""
        row = self._db.execute(
            "select total(usd) + total(unsettled_usd) from requests"
            " where request_id > ? || '-' and request_id < ? || '.' and delivery = 'message_batch'",
            (self._ledger.run_id, self._ledger.run_id),
        ).fetchone()
        return float(row[0])

    def awaited(self, message_batch_id: str, request_ids: Sequence[str] = ()) -> list[Submitted]:
        """Its requests without a result; of these ids alone where some are given."""
        only, plus = "", ""
        if request_ids:
            only = f" and request_id in ({','.join('?' * len(request_ids))})"
            plus = "+"  # keeps SQLite from going through the whole message batch for a few of its requests
        rows = self._db.execute(
            "select request_id, record_ids, unsettled_usd, model from requests"
            f" where {plus}message_batch_id = ? and status = 'submitted'{only}",
            (message_batch_id, *request_ids),
        )
        return [Submitted(row[0], json.loads(row[1]), row[2], row[3]) for row in rows]
