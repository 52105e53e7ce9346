"""The results of a message batch: read as a stream, stored some hundred at a time, read again where they break off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from common import times
from common.claude.answers import is_message
from common.claude.faults import Fault
from common.claude.message_batch_api import look_at, results
from common.claude.request import Outcome, Request
from common.context import Context
from common.delivery.spending import Accounts
from common.ledger.message_batches import MessageBatch, Submitted
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log, redacted, shortened
from common.process.words import counted, duration

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from common.claude.client import Connection

_TOGETHER = 500  # results in one commit
_HELD = timedelta(days=2)  # one that this key cannot see, before it counts as gone
_KEPT = timedelta(days=29)  # results, from the creation of their message batch
_SAID_AFTER = timedelta(days=7)
_ACCOUNT_ERRORS = ("authentication_error", "billing_error", "permission_error")


class Collecting:
    """Stores the results of message batches that have ended."""

    def __init__(self, context: Context, accounts: Accounts, connection: Connection) -> None:
        self._context = context
        self._accounts = accounts
        self._connection = connection
        self._message_batches = context.message_batches
        self._ledger = context.ledger
        self._refused = ""  # why Claude refused requests that are nobody's fault but the account's

    def look(self, message_batch: MessageBatch) -> None:
        """Store a message batch's results, if it has ended. Raises JobExit where it cannot be asked about."""
        age = self._context.clock.utc_now() - times.instant(message_batch.created_at)
        if _SAID_AFTER < age < _KEPT:
            left = duration((_KEPT - age).total_seconds())
            log.warning("message batch %s: its results are gone in %s", message_batch.id, left)
        found = self._connection.call(lambda client: look_at(client, message_batch.id))
        if isinstance(found, Fault):
            if "not_found" not in found.reason:
                raise JobExit(found.code, found.reason)
            if age < _HELD:
                # A key of another workspace cannot see it either: sending anew would pay for it twice.
                raise JobExit(
                    exits.SETTINGS,
                    f"message batch {message_batch.id} is not there for this key: is it another workspace's?"
                    f" It is held, and sent anew {duration((_HELD - age).total_seconds())} from now",
                )
            self._gone(message_batch)
        elif found.archived_at is not None:
            self._gone(message_batch)
        elif found.processing_status == "ended":
            self._fetch(message_batch)

    def _gone(self, message_batch: MessageBatch) -> None:
        left = self._message_batches.close(message_batch.id, "gone")
        log.error(
            "message batch %s is gone, with what was paid for it (another workspace's key, or older than 29 days?):"
            " %s sent anew",
            message_batch.id,
            counted(left, "request"),
        )

    def _fetch(self, message_batch: MessageBatch) -> None:
        async def fetch(client: AsyncAnthropic) -> bool:
            lines: list[str] = []
            async with aclosing(results(client, message_batch.id)) as stream:
                async for line in stream:
                    lines.append(line)
                    if len(lines) == _TOGETHER:
                        self._store(message_batch, lines)
                        lines = []
            self._store(message_batch, lines)
            return True

        # What was stored before a download broke off is not awaited any more: it is read over, not stored twice.
        fetched = self._connection.call(fetch)
        if isinstance(fetched, Fault):
            raise JobExit(fetched.code, fetched.reason)
        if left := self._message_batches.close(message_batch.id, "collected"):
            lost = counted(left, "request")
            log.warning("message batch %s: %s without a result: sent anew", message_batch.id, lost)
        log.info("message batch %s: collected", message_batch.id)
        if self._refused:
            raise JobExit(exits.REFUSED, f"message batch {message_batch.id}: {self._refused}")

    def _store(self, message_batch: MessageBatch, lines: Sequence[str]) -> None:
        """Commit some results: the answers, then the requests that have none."""
        found = {one["custom_id"]: one["result"] for one in map(json.loads, lines)}
        awaited = self._message_batches.awaited(message_batch.id, list(found)) if found else []
        answers, others = [], []
        for submitted in awaited:
            result = found[submitted.request_id]
            if result.get("type") == "succeeded" and is_message(result.get("message")):
                answers.append(self._outcome(submitted, result["message"]))
            else:
                others.append((submitted, result))
        if full := self._accounts.store(answers):
            raise full
        with self._ledger.transaction():
            for submitted, result in others:
                self._without_answer(submitted, result)

    def _outcome(self, submitted: Submitted, message: dict[str, Any]) -> Outcome:
        records = [{"record_id": record_id} for record_id in submitted.record_ids]
        request = Request(submitted.request_id, {}, list(records), delivery="message_batch")
        request.model = submitted.model
        return Outcome(request, json.dumps(message, ensure_ascii=False), message, attempts=1)

    def _without_answer(self, submitted: Submitted, result: dict[str, Any]) -> None:
        """A request that errored, expired, was canceled, or came to an end that is unknown here."""
        kind = result.get("type")
        known = kind in ("errored", "expired", "canceled")
        unsettled = 0.0 if known else submitted.unsettled_usd
        self._ledger.attempted(submitted.request_id, 1, unsettled)
        error = (result.get("error") or {}).get("error") or {}
        reason = redacted(shortened(f"{error.get('type')}: {error.get('message')}"))
        if not known:
            # In another message batch it could come to the same end, and be paid for again and again.
            reason = shortened(f"a result of a kind that is unknown here: {kind}")
        if not known or error.get("type") == "invalid_request_error":
            # Asked again live, and in halves where it fails again, which finds the culprit.
            self._ledger.closed(submitted.request_id, "failed", reason)
            self._ledger.failed(submitted.record_ids, reason)
            self._context.troubled.update(submitted.record_ids)
            return
        self._ledger.lost(submitted.request_id, submitted.record_ids)
        if error.get("type") in _ACCOUNT_ERRORS:
            self._refused = reason
