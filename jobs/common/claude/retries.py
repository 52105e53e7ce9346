"""When to send again: backoff with full jitter, limited in seconds, at one pace for all."""

from __future__ import annotations

import random
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from math import isinf
from typing import TYPE_CHECKING

from common import times
from common.claude.faults import Fault

if TYPE_CHECKING:
    import asyncio

    from common.pace.flow import Flow

_LOOKS_BY_ITSELF = 0.5  # seconds that an attempt waits for word of a place


@dataclass(frozen=True)
class Retry:
    """How long a request is sent again when it was nobody's fault: docs/how-it-works.md says it."""

    seconds: float = 900.0  # from the first attempt to the last
    attempts: int | None = None  # in all, the first included; None: as many as the time allows
    wasted: int = 5  # attempts that were paid for and brought an answer of no use
    wait_initial: float = 1.0  # the n-th wait is random between 0 and wait_initial * 2**(n-1) …
    wait_max: float = 60.0  # … and at most this

    def wait(self, attempts: int, fault: Fault) -> float:
        """Seconds to wait after that many attempts; what the server asked for, where it did."""
        if fault.retry_after:
            return fault.retry_after + random.uniform(0, 1)
        most = self.wait_initial * 2 ** min(attempts - 1, 60)
        return random.uniform(0, min(self.wait_max, most))


class Clock:
    """Time as a run sees it; a test has one that does not wait, on a day of its choice."""

    def utc_now(self) -> datetime:
        """The present instant, which says what day it is."""
        return times.now()

    def now(self) -> float:
        """Seconds, from any beginning."""
        return time.monotonic()

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        """Wait, or less long if `until` is set."""
        import asyncio

        try:
            async with asyncio.timeout(seconds):
                await until.wait()
        except TimeoutError:
            pass


class Pace:
    """The pace that all attempts share: when Claude tells one to wait, all of them wait."""

    def __init__(self, flow: Flow, clock: Clock, stop: asyncio.Event) -> None:
        self._flow = flow
        self._clock = clock
        self._stop = stop
        self._queue: deque[asyncio.Event] = deque()  # attempts that wait for a place, oldest first

    def slow(self, seconds: float) -> None:
        """Nothing is sent for that long from now."""
        self._flow.slow(seconds)

    async def wait(self, attempt: int) -> None:
        """Come back when the n-th attempt of a request may be sent, or when the run stops."""
        with self._flow.waiting():
            while not self._stop.is_set() and (left := self._flow.before(attempt)) > 0:
                if isinf(left):
                    await self._a_place()
                    continue
                # A little apart, or all of them would be sent in the same instant.
                await self._clock.sleep(left + random.uniform(0, min(1.0, left)), self._stop)

    def ended(self) -> None:
        """An attempt has ended: the one that has waited longest looks whether it may go."""
        if self._queue:
            self._queue.popleft().set()

    async def _a_place(self) -> None:
        import asyncio

        place = asyncio.Event()
        self._queue.append(place)
        # What is on its way comes in its own time, so a run's clock has no say here. It may end
        # without a word, where the one that had a place gave up: then we look by ourselves.
        await Clock().sleep(_LOOKS_BY_ITSELF, until=place)
        if not place.is_set():
            self._queue.remove(place)
