"""Requests out, answers in: the loop that keeps the ledger's three promises.

    intent committed -> sent -> answer committed -> used (saved) -> done committed

Chunks come in; `use` says what their answers are good for; `triage` says what is asked again.
Whatever ends the run ends it in order: the loop waits for what is in flight, stores and uses it,
and sends nothing new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from common.claude.faults import Fault
from common.claude.message import tokens_of
from common.claude.request import Outcome, Request
from common.context import Context
from common.delivery.log_lines import log_answer, log_verdict
from common.delivery.model_check import checked_model
from common.delivery.request_maker import RequestMaker, intent_of
from common.delivery.spending import Spending
from common.delivery.store import make_room, store
from common.delivery.triage import Reading, Seen, Verdict, triage
from common.ledger.states import RequestStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.records.chunks import Chunk

if TYPE_CHECKING:
    from common.claude.models_api import Model
    from common.delivery.live import Live

# What answers are good for, in the order of the requests they answer.
Use = Callable[[list[tuple[Request, dict[str, Any]]]], list[Reading]]


class Loop:
    """One run's live requests."""

    def __init__(self, context: Context, spending: Spending) -> None:
        self._context = context
        self._ledger = context.ledger
        self._spending = spending
        self.requests = RequestMaker(context, lambda: self.model)
        self._seen = Seen()
        self._again: deque[Request] = deque()  # to be sent before any new chunk
        self._wave = 0  # of what is in flight
        self._held = False  # there is more to send than there is room for now
        self._by_itself = False  # what is in flight must have nothing beside it
        self._unjudged = False  # answers have come that nobody has looked into
        self._refused: dict[str, Fault] = {}  # requests about no record, by request id
        self._ending: Exception | None = None
        self._live: Live | None = None
        self._forget_signals: Callable[[], None] = lambda: None

    def close(self) -> None:
        """Let go of the signals."""
        self._forget_signals()

    @cached_property
    def model(self) -> Model:
        """What the run's model takes. Raises JobExit where it, its price or the key is refused."""
        return checked_model(self._context, self._spending)

    def _opened(self) -> Live:
        """The live delivery, opened when the first request is about to be sent."""
        if self._live:
            return self._live
        from common.delivery.live import Live

        context, claude = self._context, self._context.claude
        another, at_rest = self._before_another, claude.meanwhile.at_rest
        self._live = Live(
            claude.clients, claude.loop, claude.flow, another, at_rest, context.retry, context.clock
        )
        self._forget_signals = context.stop.waking(self._live.wake)
        return self._live

    @property
    def _is_proven(self) -> bool:
        """Whether this version of the job has ever had a usable answer.

        Until then each request goes by itself, so that a fault of the job's own is found with one.
        """
        if self._seen.proven is None:
            self._seen.proven = self._context.runs.is_proven(self._context.version)
        return self._seen.proven

    @property
    def _in_flight(self) -> int:
        return self._live.in_flight if self._live else 0

    def ask(self, chunks: Iterator[Chunk], use: Use) -> None:
        """Send every chunk, and what has to be asked again.

        Raises JobExit where the run has to end before that.
        """
        try:
            self._turn([], chunks, use)
            while (self._in_flight or self._held) and not self._ending:
                self._turn(self._opened().collect(more=self._held), chunks, use)
            if self._in_flight:
                self._turn(self._opened().drain(), iter(()), use)
        except BaseException:
            self._rescue()
            raise
        if self._ending:
            raise self._ending

    def ask_once(
        self, request_id: str, params: dict[str, Any], label: str
    ) -> dict[str, Any] | Fault:
        """Send one request that is about no record: its message, or a fault that will not pass.

        Raises JobExit where the run has to end before that.
        """
        ended: list[dict[str, Any] | Fault] = []

        def use(answered: list[tuple[Request, dict[str, Any]]]) -> list[Reading]:
            ended.extend(message for _, message in answered)
            return [Reading() for _ in answered]

        self._again.append(Request(request_id, params, label=label, run_id=self._context.run_id))
        self.ask(iter(()), use)
        return ended[0] if ended else self._refused.pop(request_id)

    def _turn(self, outcomes: list[Outcome], chunks: Iterator[Chunk], use: Use) -> None:
        """Store the answers, use them, note what came of them, send what there is room for now.

        Answers are committed as they come, with the intents of what goes in their places. What came
        within some milliseconds is used together, and its ends are committed together.
        """
        well = self._commit_answers(outcomes, chunks)
        while well and len(outcomes) < self._in_flight and (more := self._opened().soon()):
            well = self._commit_answers(more, chunks)
            outcomes += more
        readings = self._use(outcomes, use)
        verdicts = [self._judge(one, readings.get(one.request.request_id)) for one in outcomes]
        going: list[Request] = []
        self._unjudged = False
        with self._ledger.transaction(self._context.claude.meanwhile):
            self._ledger.apply(verdicts)
            if not self._seen.proven and any(verdict.done for verdict in verdicts):
                self._context.runs.prove(self._context.version)
                self._seen.proven = True
            self._intend(chunks, going)
            self._context.note_progress()
        self._context.tally.apply(verdicts)
        self._send(going)
        for bug in (outcome.bug for outcome in outcomes if outcome.bug):
            raise bug

    def _commit_answers(
        self, outcomes: list[Outcome], chunks: Iterator[Chunk] | None = None
    ) -> bool:
        """Commit answers; with them, where nothing depends on what they are good for, the intents
        of requests from `chunks`, which are sent then. Returns whether that was so.
        """
        answered = [outcome for outcome in outcomes if outcome.message is not None]
        for outcome in answered:
            self._spending.price(outcome, tokens_of(outcome.message or {}))
            self._spending.settle(outcome.request, (outcome.usd or 0.0) + outcome.unsettled_usd)
        going: list[Request] = []
        along, self._unjudged = None, bool(answered)
        if chunks is not None and len(answered) == len(outcomes) and self._is_well:
            along = partial(self._intend, chunks, going)
        if end := store(self._context, answered, along):
            self._ending = end
        else:
            self._send(going)
        for outcome in answered:
            log_answer(outcome)
        return along is not None and not self._ending

    @property
    def _is_well(self) -> bool:
        """Whether the run goes on whatever the next verdict is."""
        suspect = self._by_itself or self._wave or self._seen.failed_chunks
        return not (suspect or self._ending) and self._is_proven

    def _intend(self, chunks: Iterator[Chunk], going: list[Request]) -> None:
        """Choose what is to be sent once this transaction is committed, with its intents in it."""
        going += self._choose(chunks)
        make_room(self._context, going, self._in_flight)
        self._ledger.intend(intent_of(request, self._context.model) for request in going)

    def _use(self, outcomes: list[Outcome], use: Use) -> dict[str, Reading]:
        """What the answers are good for, by request id."""
        answered = [(one.request, one.message) for one in outcomes if one.message is not None]
        readings = use(answered)
        return {one.request_id: good for (one, _), good in zip(answered, readings, strict=True)}

    def _judge(self, outcome: Outcome, reading: Reading | None) -> Verdict:
        verdict = triage(outcome, reading, self._seen)
        self._seen.note(verdict)
        log_verdict(verdict)
        if outcome.message is None:
            self._context.tally.unanswered(outcome.attempts)
            if outcome.fault and not outcome.attempts:  # stopped before it went
                self._context.tally.sent(-1, -outcome.request.new_records)
            self._spending.settle(outcome.request, outcome.unsettled_usd)
            if not outcome.request.records and outcome.fault:
                self._refused[outcome.request.request_id] = outcome.fault
        if not (self._ending or (verdict.status is RequestStatus.LOST and self._context.stop.by)):
            self._ending = verdict.stop
        request = outcome.request
        self._again.extend(
            self.requests.about(again, request.number, wave=request.wave) for again in verdict.again
        )
        return verdict

    def _choose(self, chunks: Iterator[Chunk]) -> list[Request]:
        """The requests to be sent now, each with its cost reserved."""
        if (by := self._context.stop.by) and not self._ending:
            waits = "what is left waits for the next run"
            self._ending = JobExit(exits.NOT_NOW, f"stopped by {by}: {waits}")
        going: list[Request] = []
        room, held_by = -1, ""
        while not self._ending and not (self._by_itself and (going or self._in_flight)):
            request = self._next(chunks)
            if request is None:
                held_by = "records"
                break
            if room < 0:
                room = self._live.room if self._live else self._context.claude.flow.room(0)
            if len(going) >= room:
                self._again.appendleft(request)
                held_by = "room"
                break
            busy = bool(going) or self._in_flight > 0 or self._unjudged
            by_itself = not self._is_proven or request.warms
            if busy and (by_itself or request.wave != self._wave):
                self._again.appendleft(request)
                break
            if not self._spending.reserve(request):
                self._again.appendleft(request)
                # What is in flight reserves the most it can cost, and gives most of it back.
                held_by = "cost_cap"
                if not busy:
                    capped = self._spending.cap_reached()
                    self._ending = JobExit(capped.code, f"{capped.reason}; the rest waits")
                break
            self._wave, self._by_itself = request.wave, by_itself
            going.append(request)
        self._held = held_by == "room"
        if not self._held and (going or self._in_flight):
            self._context.claude.flow.held_by(held_by)
        return going

    def _next(self, chunks: Iterator[Chunk]) -> Request | None:
        if self._again:
            return self._again.popleft()
        try:
            chunk = next(chunks, None)
            return self.requests.of_chunk(chunk) if chunk else None
        except Exception as error:  # ends the run, but not before what is in flight has come in
            self._ending = error
            return None

    def _send(self, going: list[Request]) -> None:
        if going:
            self._opened().submit(going)
        context, tally = self._context, self._context.tally
        tally.sent(len(going), sum(request.new_records for request in going))
        context.progress.live(tally.done + len(tally.dead), self._in_flight, tally.usd)

    def _before_another(self, request: Request, attempts: int, most_usd: float) -> Fault | None:
        """Commit the intent of one more attempt, or forbid it where it could pass a cost cap."""
        if not self._spending.reserve_again(request, most_usd):
            return self._spending.cap_reached()
        with self._ledger.transaction():
            self._ledger.attempted(request.request_id, attempts, most_usd)
        return None

    def _rescue(self) -> None:
        """Something broke: keep the answers that are in flight; the next run uses them."""
        if not self._in_flight:
            return
        if not (now := self._context.stop.now):
            log.warning("waiting for what is in flight, to keep its answers")
        outcomes = self._opened().drain(now=now)
        self._commit_answers(outcomes)
        with self._ledger.transaction():
            for outcome in outcomes:
                if outcome.message is None:
                    self._ledger.lost(outcome.request.request_id, outcome.request.record_ids)
