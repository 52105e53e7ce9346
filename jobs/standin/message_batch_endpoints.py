"""Message batches: created, processed over time, ended, listed, cancelled and deleted.

After half of the duration, half of the requests have an outcome. A stand-in that starts on an old
state directory continues where the last one stopped.
"""

import asyncio
import json
import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from standin.fault_kinds import MESSAGE_BATCHES
from standin.message_batch_rules import MOST_REQUESTS, checked_requests
from standin.message_batch_store import MessageBatchStore, StoredMessageBatch
from standin.paging import page, page_of
from standin.problems import Refused, invalid
from standin.scripted_faults import Faults

KEPT = 29 * 86_400.0
FOREVER = 1e12
SLICE = 500
SLICE_SECONDS = 0.05
LONGEST_CANCEL = 0.2
OUTCOMES = ("processing", "succeeded", "errored", "canceled", "expired")

Outcome = dict[str, Any]
Process = Callable[[str, Any], Outcome]
"""Makes the result of one request from its custom_id and params, billing what is billed."""


class MessageBatches:
    """All message batches of one stand-in, and the tasks that process them."""

    def __init__(
        self,
        store: MessageBatchStore,
        process: Process,
        faults: Faults,
        duration: float,
        expiry: float,
        base_url: str,
    ) -> None:
        self.store = store
        self.process = process
        self.faults = faults
        self.duration = duration
        self.expiry = expiry
        self.skew = float(faults.settings.get("clock_skew") or 0.0)
        self.list_lag = float(faults.settings.get("list_lag") or 0.0)
        self.base_url = base_url
        self.tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Continue the message batches that an earlier stand-in left in progress."""
        for message_batch_id in self.store.unended():
            self.start(message_batch_id)

    def start(self, message_batch_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self.run(message_batch_id))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.store.close()

    # What clients ask.

    def create(self, body: Any) -> StoredMessageBatch:
        """Create a message batch and start to process it. Raises `Refused` (400).

        As in the API, wrong params of a request are no error here: its result says `errored`.
        """
        requests = checked_requests(body)
        places = list(range(len(requests)))
        random.shuffle(places)
        now = time.time()
        fault = self.faults.pick("message batch", MESSAGE_BATCHES, "POST", "")
        duration = fault.options.get("seconds", FOREVER) if fault else self.duration
        made = StoredMessageBatch(
            message_batch_id=f"msgbatch_{secrets.token_hex(12)}",
            requests=len(requests),
            duration=duration,
            created_at=now,
            expires_at=now + self.expiry,
            cancel_initiated_at=None,
            ended_at=None,
        )
        self.store.add(
            made,
            (
                (number, place, request["custom_id"], json.dumps(request["params"]))
                for number, (place, request) in enumerate(zip(places, requests, strict=True))
            ),
        )
        self.start(made.message_batch_id)
        return made

    def get(self, message_batch_id: str) -> StoredMessageBatch:
        """The message batch of that id. Raises `Refused` (404)."""
        stored = self.store.get(message_batch_id)
        if stored is None:
            raise Refused(404, f"Message batch {message_batch_id} not found.")
        return stored

    def page(self, limit: str | None, after: str | None, before: str | None) -> dict[str, Any]:
        """A page of the list, newest first."""
        visible = time.time() - self.list_lag
        listed = [m for m in self.store.newest_first() if m.created_at <= visible]
        ids = [stored.message_batch_id for stored in listed]
        part, has_more = page_of(ids, limit, after, before)
        return page([self.shown(stored) for stored in listed[part]], has_more)

    def results(self, message_batch_id: str) -> tuple[int, Iterator[bytes]]:
        """The length in bytes and the lines of the results.

        Raises `Refused` (404) before the message batch has ended, and 29 days after its creation.
        """
        stored = self.get(message_batch_id)
        if stored.ended_at is None or self.archived(stored):
            raise Refused(404, f"Message batch {message_batch_id} has no available results.")
        return self.store.results_length(message_batch_id), self.store.results(message_batch_id)

    def cancel(self, message_batch_id: str) -> StoredMessageBatch:
        stored = self.get(message_batch_id)
        if stored.ended_at is not None:
            raise invalid(f"Message batch {message_batch_id} has ended and cannot be canceled.")
        if stored.cancel_initiated_at is None:
            self.store.cancel(message_batch_id, time.time())
        return self.get(message_batch_id)

    def delete(self, message_batch_id: str) -> dict[str, Any]:
        if self.get(message_batch_id).ended_at is None:
            raise invalid(f"Message batch {message_batch_id} is in progress: cancel it first.")
        self.store.delete(message_batch_id)
        return {"id": message_batch_id, "type": "message_batch_deleted"}

    def shown(self, stored: StoredMessageBatch) -> dict[str, Any]:
        """The JSON object that clients get for a message batch."""
        ended, archived = stored.ended_at is not None, self.archived(stored)
        counts = dict.fromkeys(OUTCOMES, 0)
        if ended:
            counts |= self.store.counts(stored.message_batch_id)
        else:
            counts["processing"] = stored.requests  # no outcome shows before all have one
        status = "in_progress" if stored.cancel_initiated_at is None else "canceling"
        own = f"{self.base_url}{MESSAGE_BATCHES}/{stored.message_batch_id}/results"
        results_url = self.faults.settings.get("results_url", own)
        return {
            "id": stored.message_batch_id,
            "type": "message_batch",
            "processing_status": "ended" if ended else status,
            "request_counts": counts,
            "created_at": self.instant(stored.created_at),
            "expires_at": self.instant(stored.expires_at),
            "ended_at": self.instant(stored.ended_at),
            "archived_at": self.instant(stored.created_at + KEPT) if archived else None,
            "cancel_initiated_at": self.instant(stored.cancel_initiated_at),
            "results_url": results_url if ended and not archived else None,
        }

    def archived(self, stored: StoredMessageBatch) -> bool:
        return time.time() - stored.created_at > KEPT

    def instant(self, at: float | None) -> str | None:
        """A time in RFC 3339, shifted by the fault `clock_skew`."""
        if at is None:
            return None
        when = datetime.fromtimestamp(at + self.skew, UTC)
        return when.isoformat(timespec="microseconds").replace("+00:00", "Z")

    # Processing.

    async def run(self, message_batch_id: str) -> None:
        """Process a message batch to its end, in slices: the server answers in between."""
        while True:
            pause = self.advance(message_batch_id)
            if pause is None:
                return
            await asyncio.sleep(pause)

    def advance(self, message_batch_id: str) -> float | None:
        """Process some of the requests that are due.

        Returns the seconds to wait for the next slice, None once the message batch has ended or is
        deleted.
        """
        stored = self.store.get(message_batch_id)
        if stored is None or stored.ended_at is not None:
            return None
        now = time.time()
        step = min(0.25, max(0.01, stored.duration / 10))
        if now >= stored.expires_at:
            self.close(message_batch_id, "expired", now)
            return None
        if stored.cancel_initiated_at is not None:
            pause = min(LONGEST_CANCEL, stored.duration / 4)
            if now < stored.cancel_initiated_at + pause:
                return step
            self.close(message_batch_id, "canceled", now)
            return None
        passed = 1.0 if stored.duration <= 0 else (now - stored.created_at) / stored.duration
        left = self.store.left(message_batch_id)
        due = int(stored.requests * min(1.0, passed)) - (stored.requests - left)
        outcomes = []
        for number, custom_id, params in self.store.waiting(message_batch_id, min(due, SLICE)):
            result = self.process(custom_id, json.loads(params))
            outcome = result["type"] if result["type"] in OUTCOMES else "succeeded"
            outcomes.append((number, outcome, line_of(custom_id, result)))
            if time.time() - now > SLICE_SECONDS:
                break
        self.store.settle(message_batch_id, outcomes)
        if passed >= 1 and len(outcomes) == left:
            self.store.end(message_batch_id, now)
            return None
        return 0.0 if len(outcomes) < due else step

    def close(self, message_batch_id: str, outcome: str, now: float) -> None:
        """End a message batch. Requests without an outcome get `outcome`."""
        left = self.store.waiting(message_batch_id, MOST_REQUESTS)
        self.store.settle(
            message_batch_id,
            [(n, outcome, line_of(custom_id, {"type": outcome})) for n, custom_id, _ in left],
        )
        self.store.end(message_batch_id, now)


def line_of(custom_id: str, result: Outcome) -> str:
    """A line of the results: as in the API, only what JSON wants escaped is."""
    line = json.dumps({"custom_id": custom_id, "result": result}, ensure_ascii=False)
    # Half of a surrogate pair is no character: it can be written as an escape alone.
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", line)
