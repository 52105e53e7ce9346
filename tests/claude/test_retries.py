"""Retries: their waits, their limits, and that all requests wait when one has to."""

from __future__ import annotations

import asyncio

import pytest

from common.claude import retries
from common.claude.faults import Fault, Kind
from common.claude.retries import Clock, Pace, Retry
from common.pace.flow import Flow
from rigs.harness import InstantClock
from rigs.sending import saying, send
from standin.standin import StandIn

NOBODYS = Fault(Kind.UNREACHABLE, "overloaded")
CAPPED = Fault(Kind.CAPPED, "cost cap")


def paced(clock: Clock, stop: asyncio.Event) -> Pace:
    return Pace(Flow(clock.now, lambda: None), clock, stop)


@pytest.mark.parametrize(
    ("attempts", "most"),
    [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (12, 60), (100, 60), (5_000, 60)],
)
def test_a_wait_is_anything_from_nothing_to_twice_the_one_before_and_a_minute_at_most(
    attempts, most
):
    waits = [Retry().wait(attempts, NOBODYS) for _ in range(2_000)]
    assert 0 <= min(waits) < most * 0.02
    assert most * 0.98 < max(waits) <= most
    assert 0.4 * most < sum(waits) / len(waits) < 0.6 * most


@pytest.mark.parametrize("asked", [0.25, 7.0, 3600.0])
def test_what_the_server_asks_for_is_waited_and_a_little_more_so_that_not_all_come_at_once(asked):
    fault = Fault(Kind.UNREACHABLE, "slow down", retry_after=asked)
    waits = {Retry().wait(attempts, fault) for attempts in (1, 5, 12) for _ in range(50)}
    assert asked <= min(waits) and max(waits) <= asked + 1
    assert len(waits) > 100


def test_attempts_are_limited_the_first_included():
    clock = InstantClock()
    with saying(500) as url:
        (outcome,) = send(url, retry=Retry(attempts=5), clock=clock)
    assert outcome.attempts == 5
    assert len(clock.waits) == 4
    assert outcome.fault is not None and outcome.fault.kind is Kind.UNREACHABLE


def test_seconds_are_limited_and_no_wait_is_begun_that_would_pass_the_limit():
    clock = InstantClock()
    with saying(500, "", {"retry-after": "100"}) as url:
        (outcome,) = send(url, retry=Retry(attempts=50, seconds=350), clock=clock)
    assert outcome.attempts == 4
    assert clock.time <= 350


def test_a_wait_longer_than_the_limit_is_not_begun():
    clock = InstantClock()
    with saying(429, "", {"retry-after": "7200"}) as url:
        (outcome,) = send(url, retry=Retry(seconds=900), clock=clock)
    assert (outcome.attempts, clock.waits) == (1, [])


def test_a_request_that_gets_through_at_last_has_its_answer():
    with StandIn(faults=[{"cycle": ["529", "cut", "429", "html"], "times": 4}]) as standin:
        (outcome,) = send(standin.url, retry=Retry())
        assert outcome.fault is None and outcome.message is not None
        assert outcome.attempts == 5
        # One may have been made and cut; one came back as a page.
        assert outcome.unsettled_usd == 1.0
        assert len(standin.billed) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_what_is_not_nobodys_fault_is_sent_once(status):
    with saying(status) as url:
        (outcome,) = send(url, retry=Retry())
    assert outcome.attempts == 1


def test_no_attempt_is_made_that_the_budget_forbids():
    asked: list[tuple[int, float]] = []

    def twice(request, attempts, most_usd):
        asked.append((attempts, most_usd))
        return None if attempts <= 2 else CAPPED

    with saying(504) as url:
        (outcome,) = send(url, retry=Retry(), before_another=twice)
    assert outcome.fault == CAPPED
    assert outcome.attempts == 2
    # Each attempt may be billed, so the budget has to hold all of them together.
    assert asked == [(2, 1.0), (3, 1.5)]


def test_when_one_is_told_to_wait_none_is_sent_before_that():
    clock = InstantClock()

    async def story() -> list[float]:
        pace, sent = paced(clock, asyncio.Event()), []

        async def request() -> None:
            await pace.wait(1)
            sent.append(clock.now())

        await request()
        pace.slow(30)
        pace.slow(10)  # a shorter one does not shorten it
        await asyncio.gather(*(request() for _ in range(20)))
        return sent

    first, *rest = asyncio.run(story())
    assert first == 0
    assert min(rest) >= 30


def test_a_slow_down_that_comes_while_waiting_counts_too():
    async def story() -> float:
        clock = InstantClock()
        pace = paced(clock, asyncio.Event())
        pace.slow(10)
        waiting = asyncio.ensure_future(pace.wait(1))
        await asyncio.sleep(0)
        pace.slow(50)
        await waiting
        return clock.now()

    assert asyncio.run(story()) >= 50


def test_a_run_that_stops_waits_for_nothing():
    async def story() -> None:
        stop = asyncio.Event()
        pace = paced(Clock(), stop)
        pace.slow(3600)
        waiting = asyncio.ensure_future(asyncio.gather(pace.wait(1), Clock().sleep(3600, stop)))
        await asyncio.sleep(0)
        stop.set()
        await asyncio.wait_for(waiting, 10)

    asyncio.run(story())


def test_a_slow_down_of_one_request_holds_the_others_back():
    clock = InstantClock()
    rule = {"kind": "429", "retry_after": 40, "times": 1}
    with StandIn(faults=[rule]) as standin:
        outcomes = send(standin.url, requests=6, retry=Retry(), clock=clock)
        assert len(standin.billed) == 6
    assert all(outcome.fault is None for outcome in outcomes)
    assert clock.time >= 40


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_the_attempt_that_has_waited_longest_takes_the_place_of_one_that_has_ended(
    told, monkeypatch
):
    monkeypatch.setattr(retries, "_LOOKS_BY_ITSELF", 30.0 if told else 0.001)

    async def play() -> list[str]:
        clock, went = InstantClock(), []
        flow = Flow(clock.now, lambda: None, 1)
        pace = Pace(flow, clock, asyncio.Event())
        first = flow.sent(100, 1)

        async def attempt(name: str) -> None:
            await pace.wait(2)
            went.append(name)

        waiting = [asyncio.create_task(attempt(name)) for name in "ab"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert went == []
        flow.failed(first, slow_down=False, overloaded=False)
        if told:
            pace.ended()
        await asyncio.wait(waiting[:1], timeout=5)
        if told:
            assert went == ["a"]
            pace.ended()
        await asyncio.wait(waiting, timeout=5)
        pace.ended()  # and nobody waits any more
        return went

    assert asyncio.run(play()) == ["a", "b"]
