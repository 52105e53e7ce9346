"""The results of a message batch: read as a stream, and stored some hundred at a time.

Where the stream breaks off, it is read again; what is stored already is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from common import times
from common.claude.faults import Fault, Kind, is_about_account
from common.claude.message import is_message
from common.claude.message_batch_api import look_at, results
from common.claude.request import Outcome, Request
from common.context import Context
from common.delivery.spending import Spending
from common.delivery.store import store
from common.ledger.message_batches import AwaitedRequest, MessageBatch
from common.ledger.states import Ending, MessageBatchStatus, RequestStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log, shortened
from common.process.words import counted, duration

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_TOGETHER = 500  # results in one commit, …
_MOST_TOGETHER = 20_000_000  # … of so many characters at most
_HELD = timedelta(days=2)  # one that this key cannot see, before it counts as gone
_KEPT = timedelta(days=29)  # results, from the creation of their message batch
_WARNED_AFTER = timedelta(days=7)
_ACCOUNT_ERRORS = ("authentication_error", "billing_error", "permission_error")


class Results:
    """Stores the results of message batches that have ended."""

    def __init__(self, context: Context, spending: Spending) -> None:
        self._context = context
        self._spending = spending
        self._message_batches = context.message_batches
        self._ledger = context.ledger
        self.stored = False  # whether there were any
        self._refused = ""  # why Claude refused requests, where the fault is the account's

    def look(self, message_batch: MessageBatch) -> None:
        """Store a message batch's results, if it has ended.

        Raises JobExit where it cannot be asked about.
        """
        age = self._context.clock.utc_now() - times.instant(message_batch.created_at)
        if _WARNED_AFTER < age < _KEPT:
            left = duration((_KEPT - age).total_seconds())
            log.warning("message batch %s: its results are gone in %s", message_batch.id, left)
        seen = self._context.claude.call(lambda client: look_at(client, message_batch.id))
        if isinstance(seen, Fault):
            if seen.kind is not Kind.NOT_FOUND:
                raise JobExit(seen.code, seen.reason)
            if age < _HELD:
                # A key of another workspace cannot see it either: to send again is to pay twice.
                left = duration((_HELD - age).total_seconds())
                raise JobExit(
                    exits.SETTINGS,
                    f"this key cannot see message batch {message_batch.id}: is it another"
                    f" workspace's? Nothing is sent again for now; after {left} it counts as lost"
                    " and is sent again",
                )
            self._gone(message_batch)
        elif seen.archived_at is not None:
            self._gone(message_batch)
        elif seen.processing_status == "ended":
            self._fetch(message_batch)

    def _gone(self, message_batch: MessageBatch) -> None:
        left = self._message_batches.close(message_batch.id, MessageBatchStatus.GONE)
        log.error(
            "message batch %s is gone, with what was paid for it"
            " (another workspace's key, or older than 29 days?): %s sent again",
            message_batch.id,
            counted(left, "request"),
        )

    def _fetch(self, message_batch: MessageBatch) -> None:
        async def fetch(client: AsyncAnthropic) -> bool:
            lines: list[str] = []
            size = 0
            async with aclosing(results(client, message_batch.id)) as stream:
                async for line in stream:
                    lines.append(line)
                    size += len(line)
                    if len(lines) == _TOGETHER or size > _MOST_TOGETHER:
                        self._store(message_batch, lines)
                        lines, size = [], 0
            self._store(message_batch, lines)
            return True

        # What was stored before a download broke off is not awaited any more, so that it is not
        # stored twice.
        fetched = self._context.claude.call(fetch, streams=True)
        if isinstance(fetched, Fault):
            raise JobExit(fetched.code, fetched.reason)
        if left := self._message_batches.close(message_batch.id, MessageBatchStatus.COLLECTED):
            lost = counted(left, "request")
            log.warning("message batch %s: %s without a result: sent again", message_batch.id, lost)
        log.info("message batch %s: collected", message_batch.id)
        if self._refused:
            raise JobExit(exits.REFUSED, f"message batch {message_batch.id}: {self._refused}")

    def _store(self, message_batch: MessageBatch, lines: Sequence[str]) -> None:
        """Commit some results: the answers, then the requests that have none."""
        self.stored = True
        # A raw control character in a text is no reason to lose what was paid for.
        found = [json.loads(line, strict=False) for line in lines]
        by_id = {one["custom_id"]: one["result"] for one in found}
        awaited = self._message_batches.awaited(message_batch.id, list(by_id)) if by_id else []
        answers, others = [], []
        for request in awaited:
            result = by_id[request.request_id]
            if result.get("type") == "succeeded" and is_message(result.get("message")):
                answers.append(_outcome(request, result["message"]))
            else:
                others.append(self._without_answer(request, result))
        if full := store(self._context, self._spending, answers):
            raise full
        with self._ledger.transaction():
            self._ledger.apply(others)
        self._context.tally.apply(others)

    def _without_answer(self, request: AwaitedRequest, result: dict[str, Any]) -> Ending:
        """The end of a request that errored, expired, was canceled, or ended in an unknown way."""
        kind = result.get("type")
        if kind == "succeeded":  # and yet without a message: broken on its way, as a 200 may be
            return Ending(
                request_id=request.request_id,
                status=RequestStatus.LOST,
                waiting=request.record_ids,
                attempts=1,
                unsettled_usd=request.unsettled_usd,
            )
        known = kind in ("errored", "expired", "canceled")
        error = (result.get("error") or {}).get("error") or {}
        reason = shortened(f"{error.get('type')}: {error.get('message')}")
        if not known:
            # In another message batch it could come to the same end, and be paid for again and
            # again.
            reason = shortened(f"a result of a kind that is unknown here: {kind}")
        refused = error.get("type") in _ACCOUNT_ERRORS or _about_account(error)
        if refused:
            self._refused = reason
        judged = not known or (error.get("type") == "invalid_request_error" and not refused)
        # What is judged is asked again live, and in halves where it fails again: that finds the
        # culprit. The rest waits as if it had not been sent.
        return Ending(
            request_id=request.request_id,
            status=RequestStatus.FAILED if judged else RequestStatus.LOST,
            reason=reason if judged else "",
            failed=dict.fromkeys(request.record_ids, reason) if judged else {},
            waiting=() if judged else request.record_ids,
            attempts=1,
            unsettled_usd=0.0 if known else request.unsettled_usd,
        )


def _about_account(error: dict[str, Any]) -> bool:
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else ""
    return is_about_account(str(code or ""), str(error.get("message")))


def _outcome(request: AwaitedRequest, message: dict[str, Any]) -> Outcome:
    asked = Request(
        request.request_id,
        {},
        [{"record_id": record_id} for record_id in request.record_ids],
        run_id=request.run_id,
        delivery="message_batch",
        model=request.model,
        most_usd=request.unsettled_usd,
    )
    return Outcome(asked, json.dumps(message), message, attempts=1)
