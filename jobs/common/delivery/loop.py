"""Requests out, answers in: the loop that keeps the ledger's three promises.

    intent committed -> sent -> answer committed -> used (saved) -> done committed

Chunks come in; `use` says what their answers are good for; `verdicts` says what is asked again. Whatever ends the run
ends it in order: what is in flight is awaited, stored and used, and nothing new is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from common.claude.faults import Fault, Whose
from common.claude.request import Outcome, Request
from common.context import Context
from common.delivery.request_maker import RequestMaker
from common.delivery.spending import Accounts
from common.delivery.triage import Again, Used, Verdicts
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.records.chunks import Chunk

if TYPE_CHECKING:
    from common.claude.client import Connection
    from common.delivery.message_batch.deferred import ByMessageBatch

# What answers are good for, in the order of the requests they answer.
Use = Callable[[list[tuple[Request, dict[str, Any]]]], list[Used]]


class Exchange:
    """One run's requests."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ledger = context.ledger
        self._accounts = Accounts(context)
        self._connection: Connection | None = None
        self._requests = RequestMaker(context, lambda: self.connection.model)
        self._verdicts = Verdicts(context)
        self._waiting: deque[Request] = deque()  # to be sent before any new chunk
        self._alone = False  # what is in flight must have nothing beside it
        self._ending: Exception | None = None

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if self._connection:
            self._connection.close()

    @property
    def connection(self) -> Connection:
        """The connection, made now if there is none."""
        if self._connection is None:
            # Not before: the SDK and asyncio would double the time of a run with nothing to do.
            from common.claude.client import Connection

            self._connection = Connection(self._context, self._accounts.may_send_again)
        return self._connection

    def ask(self, chunks: Iterator[Chunk], use: Use) -> None:
        """Send every chunk, and what has to be asked again. Raises JobExit where the run has to end before that."""
        try:
            self._settle([], chunks, use)
            while self._in_flight and not self._ending:
                self._settle(self.connection.delivery.collect(), chunks, use)
            if self._in_flight:
                self._settle(self.connection.delivery.drain(), iter(()), use)
        except BaseException:
            self._rescue()
            raise
        if self._ending:
            raise self._ending

    def _rescue(self) -> None:
        """Something broke: keep the answers that are on their way; they are used by the next run."""
        if self._in_flight:
            now = self._context.stop.now
            if not now:
                log.warning("waiting for what is in flight, to keep its answers")
            outcomes = self.connection.delivery.drain(now=now)
            self._accounts.store([outcome for outcome in outcomes if outcome.message is not None])
            with self._ledger.transaction():
                for outcome in outcomes:
                    if outcome.message is None:
                        self._ledger.lost(outcome.request.request_id, outcome.request.record_ids)

    def submit(self, chunks: Iterator[Chunk]) -> int:
        """Send chunks by message batch; how many were sent. Raises JobExit (4) where a cap forbids the first."""
        first = next(chunks, None)
        if first is None:
            return 0
        requests = (self._requests.of_chunk(chunk) for chunk in chain((first,), chunks))
        sent = self._by_message_batch.submit(requests)
        if not sent:
            raise self._accounts.cap_reached()
        return sent

    def collect(self, wait: float) -> None:
        """Store the results of all message batches under way. Raises JobExit (75) while one is still processing."""
        self._by_message_batch.collect(wait)

    @cached_property
    def _by_message_batch(self) -> ByMessageBatch:
        from common.delivery.message_batch.deferred import ByMessageBatch

        return ByMessageBatch(self._context, self._accounts, self.connection)

    def ask_once(
        self, request_id: str, params: dict[str, Any], label: str
    ) -> dict[str, Any] | Fault:
        """Send one request that is about no record: its message, or the fault that asking again cannot mend.

        Raises JobExit where the run has to end before that.
        """
        found: list[dict[str, Any] | Fault] = []

        def use(answered: list[tuple[Request, dict[str, Any]]]) -> list[Used]:
            found.extend(message for _, message in answered)
            return [Used({}, {}) for _ in answered]

        self._verdicts.on_fault_without_record = found.append
        self._waiting.append(Request(request_id, params, label=label))
        self.ask(iter(()), use)
        return found[0]

    def _settle(self, outcomes: list[Outcome], chunks: Iterator[Chunk], use: Use) -> None:
        """Store the answers, use them, note what came of them, and send what there is room for now.

        Two commits for all outcomes together: the answers; then their ends, with the intents of what is sent next.
        """
        answered = [outcome for outcome in outcomes if outcome.message is not None]
        if full := self._accounts.store(answered):
            self._ending = full
        used = use([(outcome.request, outcome.message or {}) for outcome in answered])
        with self._ledger.transaction():
            for outcome, result in zip(answered, used, strict=True):
                self._take_up(self._verdicts.on_answer(outcome.request, result), outcome.request)
            for outcome in outcomes:
                if outcome.message is None:
                    self._unanswered(outcome)
            requests = self._chosen(chunks)
            for request in requests:
                self._ledger.submitted(
                    request.request_id,
                    request.record_ids,
                    self.connection.delivery.name,
                    self._context.model,
                    request.most_usd,
                )
        self._context.counts.requests += len(requests)
        for request in requests:
            self.connection.delivery.submit(request)
        counts = self._context.counts
        self._context.progress.live(
            counts.done + counts.dead, counts.records, self._in_flight, counts.usd
        )
        for outcome in outcomes:
            if outcome.bug:
                raise outcome.bug

    def _chosen(self, chunks: Iterator[Chunk]) -> list[Request]:
        """The requests to be sent now, each with its cost reserved."""
        if (by := self._context.stop.by) and not self._ending:
            waits = "what is left waits for the next run"
            self._ending = JobExit(exits.NOT_NOW, f"stopped by {by}: {waits}")
        requests: list[Request] = []
        while not self._ending and self._room(len(requests)):
            request = self._next(chunks)
            if request is None:
                break
            busy = bool(requests) or self._in_flight > 0
            by_itself = request.alone or request.warms
            if by_itself and busy:
                self._waiting.appendleft(request)
                break
            if not self._accounts.reserve(request):
                self._waiting.appendleft(request)
                # What is in flight reserves the most it can cost, and gives most of it back.
                if not busy:
                    self._ending = self._accounts.cap_reached()
                break
            self._alone = by_itself
            requests.append(request)
        return requests

    @property
    def _in_flight(self) -> int:
        return self._connection.delivery.in_flight if self._connection else 0

    def _room(self, taken: int) -> bool:
        if self._connection is None:
            return True
        if self._alone and (taken or self._in_flight):
            return False
        return self._connection.delivery.room > taken

    def _next(self, chunks: Iterator[Chunk]) -> Request | None:
        if self._waiting:
            return self._waiting.popleft()
        try:
            chunk = next(chunks, None)
            if chunk is None:
                return None
            return self._requests.of_chunk(chunk)
        except Exception as error:  # ends the run, but not before what is in flight has come in
            self._ending = error
            return None

    def _unanswered(self, outcome: Outcome) -> None:
        request, fault = outcome.request, outcome.fault
        self._accounts.unanswered(outcome)
        if fault is not None and fault.whose is Whose.RECORD:
            self._take_up(self._verdicts.on_fault(request, fault), request)
            return
        # Nobody here is to blame: its records wait for the next run as if they had not been sent.
        self._ledger.lost(request.request_id, request.record_ids)
        if self._ending or self._context.stop.by:
            return
        if outcome.capped:
            self._ending = self._accounts.cap_reached()
        elif fault is not None:
            reached = "Claude could not be reached: " if fault.whose is Whose.NOBODY else ""
            self._ending = JobExit(fault.code, f"{reached}{fault.reason}; the rest waits")

    def _take_up(self, again: list[Again] | JobExit, request: Request) -> None:
        if isinstance(again, JobExit):
            self._ending = self._ending or again
        else:
            self._waiting.extend(
                self._requests.about(one, request.number, alone=request.alone) for one in again
            )
