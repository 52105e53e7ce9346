"""What has become of a message batch: nothing yet, results to be stored, or it is gone.

Nothing is sent again as long as its results may only be late. How late is measured by Claude's
clock, since this machine's may be days off.
"""

from __future__ import annotations

from datetime import timedelta

from common import times
from common.claude.faults import Fault, Kind
from common.claude.message_batch_api import Seen, delete, look_at
from common.context import Context
from common.delivery.held import Held
from common.delivery.message_batch.download import Download
from common.delivery.spending import Spending
from common.ledger.message_batches import MessageBatch
from common.ledger.states import MessageBatchStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted, span

_HELD = timedelta(days=2)  # what cannot be had, before it counts as lost
_KEPT = timedelta(days=29)  # results, from the creation of their message batch
_WARNED_AFTER = timedelta(days=7)


class Results:
    """Collects the results of message batches that have ended."""

    def __init__(self, context: Context, spending: Spending) -> None:
        self._context = context
        self._spending = spending
        self._message_batches = context.message_batches
        self.stored = False  # whether there were any
        self._keep = context.settings.flag("KEEP_MESSAGE_BATCHES")

    def look(self, message_batch: MessageBatch) -> None:
        """Collect a message batch, if it has ended.

        Raises Held where it cannot be had yet, JobExit where Claude cannot be asked.
        """
        if not self._message_batches.left(message_batch.id):
            # A run died between its last result and its end. It may be deleted already.
            self._close(message_batch, whole=True)
            return
        seen = self._context.claude.call(lambda client: look_at(client, message_batch.id))
        age = self._since(message_batch.created_at)
        if age is not None and _WARNED_AFTER < age < _KEPT:
            left = span((_KEPT - age).total_seconds())
            log.warning("message batch %s: its results are gone in %s", message_batch.id, left)
        if isinstance(seen, Fault):
            if seen.kind is not Kind.NOT_FOUND:
                raise JobExit(seen.code, seen.reason)
            # A key of another workspace cannot see it either: to send again is to pay twice.
            unseen = f"this key cannot see message batch {message_batch.id}: is it another"
            self._gone(message_batch, f"{unseen} workspace's?", age)
        elif seen.archived:
            early = f"message batch {message_batch.id} is archived, although it is new."
            self._gone(message_batch, early, self._since(times.stamp(seen.created_at)))
        elif seen.status == "ended":
            self._collect(message_batch, seen)

    def _since(self, at: str) -> timedelta | None:
        """How long ago an instant of Claude's was, by Claude's clock; None where nobody knows."""
        now = self._context.claude.server_clock.now()
        return None if now is None else now - times.instant(at)

    def _gone(self, message_batch: MessageBatch, about: str, age: timedelta | None) -> None:
        if age is None or age < _HELD:
            raise Held(exits.SETTINGS, f"{about} {_until_lost(age)}")
        left = self._message_batches.close(message_batch.id, MessageBatchStatus.GONE)
        log.error(
            "message batch %s is gone, with what was paid for it"
            " (another workspace's key, or older than 29 days?): %s sent again",
            message_batch.id,
            counted(left, "request"),
        )

    def _collect(self, message_batch: MessageBatch, seen: Seen) -> None:
        self.stored = True
        download = Download(self._context, self._spending, message_batch, seen.counts)
        try:
            name = f"results of {message_batch.id}"
            read = self._context.claude.call(download.read, name, streams=True)
        except JobExit as end:
            if end.code != exits.UNREACHABLE or not download.lacking:
                raise
            self._hold(message_batch, seen, download.lacking)
        else:
            if isinstance(read, Fault):
                raise JobExit(read.code, read.reason)
        if told := download.left_over.in_words():
            log.warning("message batch %s: %s", message_batch.id, told)
        self._close(message_batch, whole=not download.left_over.doubtful)
        if download.refused:
            raise JobExit(exits.REFUSED, f"message batch {message_batch.id}: {download.refused}")

    def _close(self, message_batch: MessageBatch, *, whole: bool) -> None:
        """All that can be had of it is committed. What was not read `whole` stays at Anthropic."""
        if whole and not self._keep and not self._message_batches.left(message_batch.id):
            # Before it is closed: a run that is killed in between leaves it to the next one.
            self._delete(message_batch.id)
        if lost := self._message_batches.close(message_batch.id, MessageBatchStatus.COLLECTED):
            without = counted(lost, "request")
            log.warning(
                "message batch %s: %s without a result: sent again", message_batch.id, without
            )
        log.info("message batch %s: collected", message_batch.id)

    def _delete(self, message_batch_id: str) -> None:
        """Delete it at Anthropic. Where that fails it stays 29 days; nothing else changes."""
        deleted = self._context.claude.once(
            lambda client: delete(client, message_batch_id), f"message batch {message_batch_id}"
        )
        if isinstance(deleted, Fault) and deleted.kind is not Kind.NOT_FOUND:
            log.info(
                "message batch %s was not deleted at Anthropic (%s): it is kept there for 29 days",
                message_batch_id,
                deleted.reason,
            )

    def _hold(self, message_batch: MessageBatch, seen: Seen, lacking: int) -> None:
        """Results that were paid for do not come: raises Held for as long as they still may."""
        about = (
            f"message batch {message_batch.id} has ended, and {lacking:,} of its"
            f" {counted(message_batch.requests, 'result')} cannot be had from Claude"
        )
        age = self._since(times.stamp(seen.ended_at or seen.created_at))
        if age is not None and age >= _HELD:
            log.error("%s: what was paid for them is lost", about)
            return
        log.warning("%s: the next run reads them again", about)
        raise Held(exits.UNREACHABLE, f"{about}. {_until_lost(age)}")


def _until_lost(age: timedelta | None) -> str:
    """What becomes of that which cannot be had, and is that old; None where nobody knows."""
    if age is None:
        return (
            "Nothing is sent again as long as no reply of Claude's carries Date and request-id: let"
            " your gateway pass them on, or set ANTHROPIC_BASE_URL to Claude's address for a night"
        )
    left = span((_HELD - age).total_seconds())
    return f"Nothing is sent again for now; after {left} it counts as lost, and is sent again"
