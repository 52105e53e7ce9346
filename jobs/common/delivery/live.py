"""Live delivery: requests are sent as they come, several in flight, each again if nobody failed.

The event loop runs while collect() waits for answers, and while a commit waits for the disk: what
is in flight goes on meanwhile. What finishes together is committed together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf, isinf
from typing import TYPE_CHECKING

from common.claude.api import post
from common.claude.faults import Fault, must_be_fault
from common.claude.message import message_in, tokens_of
from common.claude.request import Outcome, Request
from common.claude.retries import Clock, Pace, Retry
from common.claude.send import SECONDS_TO_DRAIN, STOPPED, send
from common.pace.flow import Flow

if TYPE_CHECKING:
    from common.claude.api import Clients

_SOON = 0.01  # seconds


class Live:
    """Requests in flight, as many as the flow lets through."""

    def __init__(
        self,
        clients: Clients,
        loop: asyncio.AbstractEventLoop,
        flow: Flow,
        before_another: Callable[[Request, int, float], Fault | None],
        at_rest: Callable[[], Awaitable[None]],
        retry: Retry,
        clock: Clock,
    ) -> None:
        """`before_another(request, attempts, most_usd)` commits another attempt, or forbids it.

        It is called once `at_rest` says that no other commit is under way.
        """
        self._clients = clients
        self._loop = loop
        self._flow = flow
        self._before_another = before_another
        self._at_rest = at_rest
        self._retry = retry
        self._clock = clock
        self._stop = asyncio.Event()
        self._pace = Pace(flow, clock, self._stop)
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._ended: list[Outcome] = []
        self._enough = 1  # how many have to end before collect() looks
        self._news = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests submitted and not collected."""
        return len(self._tasks) + len(self._ended)

    @property
    def room(self) -> int:
        """How many more may be submitted now."""
        return self._flow.room(self.in_flight)

    def submit(self, requests: Sequence[Request]) -> None:
        """Send requests, whose intents are committed. None is sent after a stop."""
        for request in requests:
            task = self._loop.create_task(self._send(request))
            self._tasks.add(task)
            task.add_done_callback(partial(self._end, request))
        if requests:
            # They are on their way before anything else takes its time.
            self._loop.run_until_complete(asyncio.sleep(0))

    def collect(self, *, more: bool = False) -> list[Outcome]:
        """Wait until a request has ended, and return all that have.

        There may be none when the run is stopped, or where there are `more` to be sent and there is
        room for another.
        """
        return self._loop.run_until_complete(self._some(more))

    def soon(self) -> list[Outcome]:
        """What ends within some milliseconds."""
        return self._loop.run_until_complete(self._few())

    def wake(self) -> None:
        """Send nothing again, and let collect() come back: callable from a signal handler."""
        self._loop.call_soon_threadsafe(self._be_stopped)

    def drain(self, *, now: bool = False) -> list[Outcome]:
        """Wait for what is in flight (`now`: for nothing), sending nothing again.

        What does not answer in time comes back without an answer.
        """
        self._be_stopped()
        return self._loop.run_until_complete(self._rest(0.0 if now else SECONDS_TO_DRAIN))

    def _be_stopped(self) -> None:
        self._stop.set()
        self._news.set()

    def _end(self, request: Request, task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            # In flight for longer than a stopped run waits: it may have been billed, as may have
            # attempts before it.
            outcome = Outcome(request, unsettled_usd=request.reserved_usd)
        elif (error := task.exception()) is not None:
            outcome = Outcome(request, bug=error if isinstance(error, Exception) else None)
        else:
            outcome = task.result()
        self._ended.append(outcome)
        if len(self._ended) >= self._enough:
            self._news.set()

    async def _some(self, more: bool) -> list[Outcome]:
        while not (self._ended or self._stop.is_set() or (more and self.room)):
            await self._until(1, self._flow.wait(self.in_flight) if more else inf)
        return self._take()

    async def _few(self) -> list[Outcome]:
        with suppress(TimeoutError):
            async with asyncio.timeout(_SOON):
                await self._until(1)
        return self._take()

    async def _until(self, enough: int, seconds: float = inf) -> None:
        self._enough = enough
        if len(self._ended) < enough and not self._stop.is_set():
            self._news.clear()
            if isinf(seconds):
                await self._news.wait()
            else:
                await self._clock.sleep(seconds, self._news)

    async def _rest(self, seconds: float) -> list[Outcome]:
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        # The callbacks of tasks run one turn of the loop after them.
        await asyncio.sleep(0)
        return self._take()

    def _take(self) -> list[Outcome]:
        ended, self._ended = self._ended, []
        return ended

    async def _send(self, request: Request) -> Outcome:
        """Send a request until there is an answer, or no use in another attempt."""
        outcome = Outcome(request)
        began = self._clock.now()

        async def before_each(number: int) -> Fault | None:
            if number > 1:  # the intent of the first one is committed with the request itself
                await self._at_rest()
                if self._stop.is_set():
                    return STOPPED
                most_usd = outcome.unsettled_usd + request.most_usd
                if forbidden := self._before_another(request, number, most_usd):
                    return forbidden
            outcome.attempts = number
            return None

        async def attempt() -> Outcome | Fault:
            sending = self._flow.sent(len(request.body), len(request.records))
            fault = await self._attempt(outcome)
            if fault:
                overloaded = not fault.no_effect
                self._flow.failed(sending, slow_down=fault.slow_down, overloaded=overloaded)
            else:
                tokens = tokens_of(outcome.message or {})
                self._flow.answered(sending, tokens.prompt - tokens.cache_read, tokens.output)
            self._pace.ended()
            if fault and fault.may_be_billed:
                outcome.unsettled_usd += request.most_usd
            return fault or outcome

        ended = await send(
            attempt,
            f"request {request.request_id}",
            self._retry,
            self._clock,
            self._stop,
            pace=self._pace,
            before_each=before_each,
        )
        outcome.fault = ended if isinstance(ended, Fault) else None
        outcome.seconds = self._clock.now() - began
        return outcome

    async def _attempt(self, outcome: Outcome) -> Fault | None:
        """Send it once: the fault, or None with the answer noted in the outcome."""
        try:
            answer, outcome.api_request_id = await post(
                self._clients.next(len(self._tasks)), outcome.request.body
            )
        except Exception as error:  # every exception is judged; a bug is raised again
            return must_be_fault(error)
        if isinstance(message := message_in(answer), Fault):
            return message
        outcome.answer, outcome.message = answer, message
        return None
