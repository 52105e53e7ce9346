"""The retry loop: one call to Claude, attempted until it succeeds or trying again is no use.

Live requests, the free calls and the creation of message batches are all sent by it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from math import isinf
from typing import TYPE_CHECKING, TypeVar

from common.claude.faults import Fault, Kind, must_be_fault
from common.claude.retries import Clock, Pace, Retry
from common.process.log import log
from common.process.words import duration

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

SECONDS_TO_DRAIN = 20.0  # what is in flight when the run is stopped gets this long

STOPPED = Fault(Kind.STOPPED, "stopped before it was sent")


async def send(
    attempt: Callable[[], Awaitable[T | Fault]],
    name: str,
    retry: Retry,
    clock: Clock,
    stop: asyncio.Event,
    *,
    pace: Pace | None = None,
    before_each: Callable[[int], Awaitable[Fault | None]] | None = None,
    again: Callable[[Fault], bool] = lambda fault: fault.kind is Kind.UNREACHABLE,
) -> T | Fault:
    """The value of the first attempt that succeeds, or the fault after which there is no other.

    `before_each(n)` is called before the n-th attempt and may forbid it by a fault. `again` says
    after which faults there is another attempt, within the limits of `retry`. Each wait is one log
    line that begins with `name`. Once `stop` is set nothing is attempted: the fault is STOPPED.
    `pace` is shared by requests that wait for each other when Claude tells one of them to.
    """
    began, wasted = clock.now(), 0
    for number in count(1):
        if pace:
            await pace.wait(number)
        if stop.is_set():
            return STOPPED
        if before_each and (forbidden := await before_each(number)):
            return forbidden
        reply = await attempt()
        if not isinstance(reply, Fault) or not again(reply):
            return reply
        if stop.is_set():
            return STOPPED
        wasted += reply.wasted
        wait, left = retry.wait(number, reply), retry.seconds - (clock.now() - began)
        if not reply.retry_after:
            wait = min(wait, left)  # the last attempt is made when the time is up, not before
        if number == retry.attempts or wasted == retry.wasted or left <= 0 or wait > left:
            return reply
        log.warning(
            "%s: attempt %d failed (%s): sent again in %s, given up in %s",
            name,
            number,
            reply.reason,
            duration(wait),
            duration(left),
        )
        if pace and reply.slow_down:
            pace.slow(wait)
        await clock.sleep(wait, stop)
    raise AssertionError("count() never ends")


async def judged(call: Awaitable[T]) -> T | Fault:
    """What a call of the SDK gives, or the fault that its exception is; a bug is raised again."""
    try:
        return await call
    except Exception as error:
        return must_be_fault(error)


async def in_time(
    work: Awaitable[T], seconds: float, stop: asyncio.Event, *, grace: float = 0.0
) -> T:
    """What `work` gives. Raises TimeoutError after so many seconds, or `grace` after a stop."""
    import asyncio

    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    both = (working, stopped)
    try:
        limit = None if isinf(seconds) else seconds
        await asyncio.wait(both, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done() and not working.done():
            await asyncio.wait((working,), timeout=grace)
        if not working.done():
            raise TimeoutError
        return await working
    finally:
        for one in both:
            one.cancel()
        await asyncio.wait(both)
