"""Live delivery: requests are sent as they come, several in flight, each again when it was nobody's fault.

Everything happens in one thread: the event loop runs only inside collect(), so the ledger needs no lock, and what
finishes together is committed together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from common.claude.answers import is_message
from common.claude.api import must_be_fault, post
from common.claude.faults import Fault, Whose
from common.claude.request import Outcome, Request
from common.claude.retries import Clock, Pace, Retry
from common.process.log import log
from common.process.words import duration

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

SECONDS_TO_DRAIN = 20.0  # what is in flight when the run is stopped gets this long
_LINGER = 0.003  # so long after one answer, others are gathered to share its commits …
_SHARE = 25  # … up to this part of what is in flight, so that most of it stays under way

_BROKEN = Fault(Whose.NOBODY, "an answer that is not a message", may_be_billed=True)


class Live:
    """Requests in flight, at most `concurrency` of them."""

    name = "live"

    def __init__(
        self,
        clients: Sequence[AsyncAnthropic],
        loop: asyncio.AbstractEventLoop,
        concurrency: int,
        may_send_again: Callable[[Request, int, float], bool],
        retry: Retry,
        clock: Clock,
    ) -> None:
        """`may_send_again(request, attempts, unsettled_usd)` commits the next attempt, or forbids it."""
        self._clients = cycle(clients)
        self._loop = loop
        self._concurrency = concurrency
        self._may_send_again = may_send_again
        self._retry = retry
        self._clock = clock
        self._stop = asyncio.Event()
        self._pace = Pace(clock, self._stop)
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
        return max(0, self._concurrency - self.in_flight)

    def submit(self, request: Request) -> None:
        """Take a request, whose intent is committed. It is sent while collect() runs."""
        task = self._loop.create_task(self._send(request))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._end(task, request))

    def collect(self) -> list[Outcome]:
        """Wait until a request has come to its end, and return all that have; may be none when the run is stopped."""
        return self._loop.run_until_complete(self._some())

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

    def _end(self, task: asyncio.Task[Outcome], request: Request) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            # On its way for longer than a stopped run waits: it may have been billed, as may attempts before.
            outcome = Outcome(request, unsettled_usd=request.reserved_usd)
        elif (error := task.exception()) is not None:
            outcome = Outcome(request, bug=error if isinstance(error, Exception) else None)
        else:
            outcome = task.result()
        self._ended.append(outcome)
        if len(self._ended) >= self._enough:
            self._news.set()

    async def _some(self) -> list[Outcome]:
        await self._until(1)
        if self._tasks and not self._stop.is_set():
            try:
                async with asyncio.timeout(_LINGER):
                    await self._until(self.in_flight // _SHARE + 1)
            except TimeoutError:
                pass
        return self._take()

    async def _until(self, enough: int) -> None:
        self._enough = enough
        if len(self._ended) < enough and not self._stop.is_set():
            self._news.clear()
            await self._news.wait()

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
        """Send a request until there is an answer, a fault that sending again cannot mend, or no more trying."""
        outcome = Outcome(request)
        began = self._clock.now()
        while True:
            await self._pace.wait()
            if self._stop.is_set():
                return outcome
            most_usd = outcome.unsettled_usd + request.most_usd
            if outcome.attempts and not self._may_send_again(
                request, outcome.attempts + 1, most_usd
            ):
                outcome.capped = True
                return outcome
            outcome.attempts += 1
            outcome.fault = await self._attempt(outcome)
            fault = outcome.fault
            outcome.seconds = self._clock.now() - began
            if fault is None or fault.whose is not Whose.NOBODY:
                return outcome
            if fault.may_be_billed:
                outcome.unsettled_usd += request.most_usd
            wait = self._retry.wait(outcome.attempts, fault)
            last = outcome.attempts >= self._retry.attempts
            if last or outcome.seconds + wait > self._retry.seconds:
                return outcome
            log.warning(
                "request %s: attempt %d of %d failed (%s): sent again in %s",
                request.request_id,
                outcome.attempts,
                self._retry.attempts,
                fault.reason,
                duration(wait),
            )
            if fault.slow_down:
                self._pace.slow(wait)
            await self._clock.sleep(wait, self._stop)

    async def _attempt(self, outcome: Outcome) -> Fault | None:
        """Send it once: the fault, or None with the answer noted in the outcome."""
        try:
            answer, outcome.api_request_id = await post(next(self._clients), outcome.request.body)
            message = json.loads(answer)
            if not is_message(message):
                return _BROKEN
        except Exception as error:  # every exception is judged; a bug is raised again
            return must_be_fault(error)
        outcome.answer, outcome.message = answer, message
        return None
