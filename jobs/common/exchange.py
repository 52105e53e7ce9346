"""Requests out, answers in: the loop that keeps the ledger's three promises.

    intent committed -> sent -> answer committed -> used (saved) -> done committed

Chunks come in; `use` says what their answers are good for; `verdicts` says what is asked again. Whatever ends the run
ends it in order: what is in flight is awaited, stored and used, and nothing new is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from common import exits, pricing, times
from common.answers import tokens_of
from common.batching import Chunk
from common.claude import Request, ask_about, most_input_tokens
from common.connection import Connection
from common.context import Context
from common.deliveries.live import Outcome
from common.exits import JobExit
from common.faults import Fault, Whose
from common.log import log
from common.pricing import Tokens
from common.verdicts import Again, Used, Verdicts

# What answers are good for, in the order of the requests they answer.
Use = Callable[[list[tuple[Request, dict[str, Any]]]], list[Used]]


class Exchange:
    """One run's requests."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ledger = context.ledger
        self._counts = context.counts
        self._connection: Connection | None = None
        self._numbers = count(1)
        self._verdicts = Verdicts(context)
        self._waiting: deque[Request] = deque()  # to be sent before any new chunk
        self._alone = False  # what is in flight must have nothing beside it
        self._ending: JobExit | None = None

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if self._connection:
            self._connection.close()

    @property
    def connection(self) -> Connection:
        """The connection, made now if there is none."""
        if self._connection is None:
            self._connection = Connection(self._context, self._may_send_again)
        return self._connection

    def ask(self, chunks: Iterator[Chunk], use: Use) -> None:
        """Send every chunk, and what has to be asked again. Raises JobExit where the run has to end before that."""
        try:
            while not self._ending:
                self._send_what_may_be_sent(chunks)
                if not self._in_flight:
                    break
                self._settle(self.connection.delivery.collect(), use)
            if self._ending and self._in_flight:
                self._settle(self.connection.delivery.drain(), use)
        except BaseException:
            self._rescue()
            raise
        if self._ending:
            raise self._ending

    def _rescue(self) -> None:
        """Something broke: keep the answers that are on their way; they are used by the next run."""
        if self._in_flight:
            log.warning("waiting for what is in flight, to keep its answers")
            outcomes = self.connection.delivery.drain()
            self._store([outcome for outcome in outcomes if outcome.message is not None])
            with self._ledger.transaction():
                for outcome in outcomes:
                    if outcome.message is None:
                        self._unanswered(outcome)

    def ask_once(self, request_id: str, params: dict[str, Any], label: str) -> dict[str, Any] | Fault:
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

    def _send_what_may_be_sent(self, chunks: Iterator[Chunk]) -> None:
        if self._context.stop.by and not self._ending:
            self._ending = JobExit(
                exits.NOT_NOW, f"stopped by {self._context.stop.by}: what is left waits for the next run"
            )
        requests: list[Request] = []
        while self._room(len(requests)) and (request := self._next(chunks)):
            busy = bool(requests) or self._in_flight > 0
            if request.alone and busy:
                self._waiting.appendleft(request)
                break
            request.most_usd = self._most_usd(request)
            if not self._context.budget.reserve(request.most_usd):
                self._waiting.appendleft(request)
                # What is in flight reserves the most it can cost, and gives most of it back.
                if not busy:
                    reached = self._context.budget.reached()
                    self._ending = JobExit(exits.COST_CAP, f"cost cap: {reached}; the rest waits")
                break
            request.reserved_usd = request.most_usd
            self._alone = request.alone
            requests.append(request)
        if not requests:
            return
        with self._ledger.transaction():
            for request in requests:
                self._ledger.submitted(
                    request.request_id,
                    request.record_ids,
                    self.connection.delivery.name,
                    self._context.model,
                    request.most_usd,
                )
        self._counts.requests += len(requests)
        for request in requests:
            self.connection.delivery.submit(request)

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
        chunk = next(chunks, None)
        if chunk is None:
            return None
        return self._request(Again(chunk.records, chunk.label, whole=True), alone=chunk.alone)

    def _request(self, again: Again, *, alone: bool = False) -> Request:
        params = ask_about(self._context.job, self.connection.model, again.records, room=again.room)
        return Request(
            f"{self._context.run_id}-{next(self._numbers):06d}",
            params,
            again.records,
            again.label,
            whole=again.whole,
            alone=alone,
        )

    def _most_usd(self, request: Request) -> float:
        most = Tokens(input=most_input_tokens(request.params), output=request.params["max_tokens"])
        return pricing.usd(self._context.model, most, datetime.now(UTC).date()) or 0.0

    def _may_send_again(self, request: Request, attempts: int, most_usd: float) -> bool:
        """Commit the intent of one more attempt, unless the cost cap forbids it."""
        # Only an attempt that may have been billed keeps its reservation: after any other, there is no more to reserve.
        more = max(0.0, most_usd - request.reserved_usd)
        if not self._context.budget.reserve(more):
            reached = self._context.budget.reached()
            self._ending = JobExit(exits.COST_CAP, f"cost cap: {reached}; the rest waits")
            return False
        request.reserved_usd += more
        with self._ledger.transaction():
            self._ledger.attempted(request.request_id, attempts, most_usd)
        return True

    def _settle(self, outcomes: list[Outcome], use: Use) -> None:
        """Store the answers, use them, then note what came of them: a commit each, for all outcomes together."""
        answered = [outcome for outcome in outcomes if outcome.message is not None]
        self._store(answered)
        used = use([(outcome.request, outcome.message or {}) for outcome in answered])
        with self._ledger.transaction():
            for outcome, result in zip(answered, used, strict=True):
                self._take_up(self._verdicts.on_answer(outcome.request, result), outcome.request)
            for outcome in outcomes:
                if outcome.message is None:
                    self._unanswered(outcome)
        for outcome in outcomes:
            if outcome.bug:
                raise outcome.bug

    def _store(self, answered: list[Outcome]) -> None:
        if not answered:
            return
        today = datetime.now(UTC).date()
        tokens = [tokens_of(outcome.message or {}) for outcome in answered]
        costs = [pricing.usd(self._context.model, spent, today) for spent in tokens]
        try:
            self._commit(answered, tokens, costs)
        except JobExit as error:
            if error.code != exits.CANNOT_WRITE:
                raise
            self._ledger.release_ballast()
            self._commit(answered, tokens, costs)
            self._ending = error
        for outcome, spent, usd in zip(answered, tokens, costs, strict=True):
            self._count(outcome, spent, usd)

    def _commit(self, answered: list[Outcome], tokens: list[Tokens], costs: list[float | None]) -> None:
        with self._ledger.transaction():
            for outcome, spent, usd in zip(answered, tokens, costs, strict=True):
                self._ledger.answered(
                    outcome.request.request_id,
                    outcome.request.record_ids,
                    outcome.answer,
                    outcome.api_request_id,
                    spent,
                    usd,
                    outcome.unsettled_usd,
                )

    def _count(self, outcome: Outcome, tokens: Tokens, usd: float | None) -> None:
        request, counts = outcome.request, self._context.counts
        counts.attempts += outcome.attempts
        counts.input_tokens += tokens.prompt
        counts.output_tokens += tokens.output
        counts.usd += usd or 0.0
        self._context.budget.settle(request.reserved_usd, (usd or 0.0) + outcome.unsettled_usd)
        log.info(
            "%s: %s%s in %s out tokens, %s, %s",
            request.label,
            f"{len(request.records)} records answered, " if request.records else "",
            f"{tokens.prompt:,}",
            f"{tokens.output:,}",
            "cost unknown" if usd is None else f"${usd:.4f}",
            times.in_words(outcome.seconds),
        )

    def _unanswered(self, outcome: Outcome) -> None:
        request, fault = outcome.request, outcome.fault
        self._counts.attempts += outcome.attempts
        self._context.budget.settle(request.reserved_usd, outcome.unsettled_usd)
        self._ledger.attempted(request.request_id, max(1, outcome.attempts), outcome.unsettled_usd)
        if fault is not None and fault.whose is Whose.RECORD:
            self._take_up(self._verdicts.on_fault(request, fault), request)
            return
        # Nobody here is to blame: its records wait for the next run as if they had not been sent.
        self._ledger.lost(request.request_id, request.record_ids)
        if fault is not None and not self._ending and not self._context.stop.by:
            reached = "Claude could not be reached: " if fault.whose is Whose.NOBODY else ""
            self._ending = JobExit(fault.code, f"{reached}{fault.reason}; the rest waits")

    def _take_up(self, again: list[Again] | JobExit, request: Request) -> None:
        if isinstance(again, JobExit):
            self._ending = self._ending or again
        else:
            self._waiting.extend(self._request(one, alone=request.alone) for one in again)
