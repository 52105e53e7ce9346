"""An intent without a reply: did it become a message batch?

Claude gives message batches no name of ours, so the list is searched: those newer than the newest
one that was there before, with the right number of requests, unknown to the ledger. The first
result of one that has ended shows whether it is ours. Nobody can look into one that is still
running: then nothing is sent again, and the question stays open. Where there is none, the list gets
time to catch up before the intent is dropped: by Claude's clock, since what is sent again for a
clock of ours that is wrong is paid for twice.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

from common import times
from common.claude.faults import Fault, Whose
from common.claude.message_batch_api import Seen, newest_first, results
from common.delivery.message_batch.result_lines import read_line
from common.ledger.message_batches import MessageBatch, MessageBatches
from common.ledger.states import MessageBatchStatus
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import span

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from common.claude.client import Claude
    from common.claude.retries import Clock

GRACE = timedelta(minutes=15)  # from the intent, for the list to show what was made
_APART = timedelta(seconds=60)  # between two looks that find nothing
_NEVER = "%s never became a message batch: its requests are sent again"
_FAR_BACK = timedelta(days=1)  # where the newest one of then is gone from the list


class Adoption:
    """Finds out about intents, one look at a time."""

    def __init__(self, message_batches: MessageBatches, claude: Claude, clock: Clock) -> None:
        self._message_batches = message_batches
        self._claude = claude
        self._clock = clock
        self._first_looks: dict[str, float] = {}  # at intents that nobody knows the age of
        self._logged: set[str] = set()  # intents that the log has told about, once a run

    def look(self, intent: MessageBatch) -> None:
        """Adopt it, drop it, or leave it open. Raises JobExit where Claude cannot be asked."""
        known = self._message_batches.known_ids()
        newer = self._claude.call(lambda client: self._newer(client, intent))
        if isinstance(newer, Fault):
            raise JobExit(newer.code, newer.reason)
        candidates = [
            one
            for one in newer
            if one.id not in known
            and one.size in (intent.requests, 0)  # 0: it does not say
            # What is archived cannot be had any more, be it ours or not.
            and not one.archived
        ]
        doubt = ""
        for candidate in candidates:
            if candidate.status != "ended":
                doubt = f"{candidate.id}, which is still processing"
                continue
            custom_id = self._first_custom_id(candidate.id)
            if isinstance(custom_id, Fault):
                if custom_id.whose is not Whose.NOBODY:
                    raise JobExit(custom_id.code, f"{candidate.id}: {custom_id.reason}")
                # Its owner may have deleted it since; then the next list is without it.
                doubt = f"{candidate.id}, whose results cannot be read ({custom_id.reason})"
            elif not custom_id:
                doubt = f"{candidate.id}, whose results name no request"
            elif self._message_batches.awaited(intent.id, [custom_id]):
                log.info("message batch %s: found again, its reply had been lost", candidate.id)
                self._message_batches.adopt(
                    intent.id,
                    candidate.id,
                    created_at=times.stamp(candidate.created_at),
                    expires_at=times.stamp(candidate.expires_at),
                )
                return
        if doubt:
            self._tell_once(intent, f"{intent.id} may be {doubt}: not sent again yet")
            if intent.missed_at:
                self._message_batches.missed(intent.id, "")
        else:
            self._drop_in_time(intent)

    def _first_custom_id(self, message_batch_id: str) -> str | Fault:
        """The first request that its results name, "" where they name none."""

        async def first_custom_id(client: AsyncAnthropic) -> str:
            async with aclosing(results(client, message_batch_id)) as lines:
                async for line in lines:
                    if custom_id := read_line(line).custom_id:
                        return custom_id
            return ""

        return self._claude.once(first_custom_id, f"message batch {message_batch_id}")

    def _drop_in_time(self, intent: MessageBatch) -> None:
        """Two looks a minute apart, both after the time of grace, say that it never came to be."""
        now = self._claude.server_clock.now()
        if now is None:
            self._drop_untimed(intent)
            return
        if now - times.instant(intent.created_at) < GRACE:
            return
        if not intent.missed_at:
            # Noted for the next run, which may be the one that looks again.
            self._message_batches.missed(intent.id, times.stamp(now))
        elif now - times.instant(intent.missed_at) >= _APART:
            self._message_batches.close(intent.id, MessageBatchStatus.VOID)
            log.warning(_NEVER, intent.id)

    def _drop_untimed(self, intent: MessageBatch) -> None:
        """Where no reply tells the time, only the seconds that this run has waited are sure."""
        first = self._first_looks.setdefault(intent.id, self._clock.now())
        if self._clock.now() - first >= GRACE.total_seconds():
            self._message_batches.close(intent.id, MessageBatchStatus.VOID)
            log.warning(_NEVER, intent.id)
        elif intent.id not in self._logged:
            self._logged.add(intent.id)
            log.warning(
                "%s: no reply of Claude's carries Date and request-id, so nobody knows how old it"
                " is: a run that waits for %s (--wait 20m) finds out what became of it",
                intent.id,
                span(GRACE.total_seconds()),
            )

    def _tell_once(self, intent: MessageBatch, line: str) -> None:
        if intent.id not in self._logged:
            self._logged.add(intent.id)
            log.info("%s", line)

    async def _newer(self, client: AsyncAnthropic, intent: MessageBatch) -> list[Seen]:
        """The message batches newer than the newest one there was at the intent."""
        found = []
        # Both by Claude's clock; where its replies do not tell the time, the whole list is read.
        timed = self._claude.server_clock.now() is not None
        oldest = times.instant(intent.created_at) - _FAR_BACK
        async with aclosing(newest_first(client)) as all_of_them:
            async for one in all_of_them:
                if one.id == intent.head or (timed and one.created_at < oldest):
                    break
                found.append(one)
        return found
