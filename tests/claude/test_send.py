"""The retry loop: what is attempted again, how often, and what the log says.

No test waits: the clock is a number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from common.claude.faults import Fault, Kind
from common.claude.retries import Pace, Retry
from common.claude.send import STOPPED, send
from common.pace.flow import Flow
from common.process.log import log
from rigs.harness import InstantClock

BUSY = Fault(Kind.UNREACHABLE, "529 overloaded_error: busy", slow_down=True, retry_after=7.0)
REFUSED = Fault(Kind.REFUSED, "401 authentication_error: no")
RETRY = Retry(attempts=4, seconds=100.0)


class Server:
    """Gives one reply after the other; `calls` counts them."""

    def __init__(self, *replies: str | Fault) -> None:
        self._replies = iter(replies)
        self.calls = 0

    async def __call__(self) -> str | Fault:
        self.calls += 1
        return next(self._replies)


def sent(
    server: Server,
    retry: Retry = RETRY,
    clock: InstantClock | None = None,
    stopped: bool = False,
    **options: Callable[..., object],
) -> str | Fault:
    async def story() -> str | Fault:
        stop = asyncio.Event()
        if stopped:
            stop.set()
        return await send(server, "request 17", retry, clock or InstantClock(), stop, **options)  # type: ignore[arg-type]

    return asyncio.run(story())


def test_the_first_answer_is_the_answer():
    server = Server("fine")
    assert sent(server) == "fine" and server.calls == 1


def test_a_fault_of_nobodys_is_attempted_again_and_each_wait_is_one_log_line(caplog, monkeypatch):
    monkeypatch.setattr(log, "propagate", True)
    clock = InstantClock()
    with caplog.at_level(logging.WARNING):
        assert sent(Server(BUSY, BUSY, "fine"), clock=clock) == "fine"
    failed = "failed (529 overloaded_error: busy): sent again in "
    lines = dict.fromkeys(
        record.getMessage().partition("sent again in ") for record in caplog.records
    )
    assert [before + again for before, again, _ in lines] == [
        f"request 17: attempt {number} {failed}" for number in (1, 2)
    ]
    assert len(clock.waits) == 2


def test_any_other_fault_is_not():
    server = Server(REFUSED, "fine")
    assert sent(server) == REFUSED and server.calls == 1


def test_the_last_fault_is_given_back_when_attempts_are_used_up_or_time_is():
    server = Server(*[BUSY] * 9)
    assert sent(server) == BUSY and server.calls == 4
    hurried = Server(*[BUSY] * 9)
    assert sent(hurried, Retry(attempts=9, seconds=20.0)) == BUSY and hurried.calls == 3


def test_who_sends_says_after_which_faults_there_is_another_attempt():
    server = Server(BUSY, "fine")
    assert sent(server, again=lambda fault: fault.no_effect) == BUSY and server.calls == 1


def test_an_attempt_can_be_forbidden_before_it_is_made():
    capped = Fault(Kind.CAPPED, "cost cap")
    server = Server(BUSY, BUSY, "fine")

    async def before_each(number: int) -> Fault | None:
        return capped if number > 2 else None

    assert sent(server, before_each=before_each) == capped
    assert server.calls == 2


def test_once_stopped_nothing_is_attempted():
    server = Server("fine")
    assert sent(server, stopped=True) == STOPPED and server.calls == 0


def test_a_stop_during_a_wait_ends_it_without_another_attempt():
    server = Server(BUSY, "fine")

    async def story() -> str | Fault:
        stop = asyncio.Event()
        clock = InstantClock(at_wait=lambda _: stop.set())
        return await send(server, "request 17", RETRY, clock, stop)

    assert asyncio.run(story()) == STOPPED and server.calls == 1


def test_when_one_is_told_to_wait_the_others_wait_too():
    clock = InstantClock()

    async def story() -> list[float]:
        stop = asyncio.Event()
        pace, begun = Pace(Flow(clock.now, lambda: None), clock, stop), []

        async def before_each(number: int) -> None:
            begun.append(clock.now())

        for name, server in (("first", Server(BUSY, "fine")), ("second", Server("fine"))):
            await send(server, name, RETRY, clock, stop, pace=pace, before_each=before_each)
        return begun

    begun = asyncio.run(story())
    assert begun[0] == 0 and begun[1] >= 7 and begun[2] >= 7


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_count_the_first_one(attempts):
    server = Server(*[BUSY] * 9)
    sent(server, Retry(attempts=attempts))
    assert server.calls == attempts


def test_time_limits_it_and_not_the_count():
    overloaded = Fault(Kind.UNREACHABLE, "529 overloaded_error: busy", slow_down=True)
    for _ in range(50):
        clock = InstantClock()
        server = Server(*[overloaded] * 2_000)
        assert sent(server, Retry(), clock) == overloaded
        assert clock.time == pytest.approx(900)


@pytest.mark.parametrize("seconds", [60, 600, 890])
def test_an_overload_that_is_over_within_the_time_is_sat_out(seconds):
    clock = InstantClock()

    async def busy_for_a_while() -> str | Fault:
        busy = Fault(Kind.UNREACHABLE, "529 overloaded_error: busy", slow_down=True)
        return busy if clock.time < seconds else "fine"

    async def story() -> str | Fault:
        return await send(busy_for_a_while, "request 17", Retry(), clock, asyncio.Event())

    assert asyncio.run(story()) == "fine"


def test_each_line_says_when_the_next_attempt_is_and_when_it_is_given_up(caplog, monkeypatch):
    monkeypatch.setattr(log, "propagate", True)
    with caplog.at_level(logging.WARNING):
        sent(Server(BUSY, "fine"), Retry())
    line = caplog.records[0].getMessage()
    assert line.startswith("request 17: attempt 1 failed (529 overloaded_error: busy): sent again")
    assert line.endswith(", given up in 15m 0s")


def test_answers_that_were_paid_for_in_vain_are_limited_in_number():
    broken = Fault(Kind.UNREACHABLE, "no message", may_be_billed=True, wasted=True)
    server = Server(*[broken] * 99)
    assert sent(server, Retry()) == broken and server.calls == 5
    # What costs nothing in between does not count.
    server = Server(*[broken, BUSY] * 99)
    assert sent(server, Retry()) == broken and server.calls == 9
