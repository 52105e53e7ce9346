"""The time at Claude is read from its replies, and from no clock of this machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from common.claude.server_clock import ServerClock
from rigs.harness import InstantClock

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def heard(clock: ServerClock, date: str, **more: str) -> None:
    clock.heard({"date": date, "request-id": "req_1", **more})


def test_it_goes_on_by_the_seconds_that_pass_here():
    ours = InstantClock()
    clock = ServerClock(ours)
    assert clock.now() is None
    heard(clock, "Sun, 22 Nov 2026 12:00:00 GMT")
    ours.time += 90
    assert clock.now() == NOON + timedelta(seconds=90)


def test_it_never_goes_back():
    clock = ServerClock(InstantClock())
    heard(clock, "Sun, 22 Nov 2026 12:00:00 GMT")
    heard(clock, "Sun, 22 Nov 2026 11:00:00 GMT")
    assert clock.now() == NOON


@pytest.mark.parametrize("first", [1990, 2099])
def test_of_two_dates_that_are_far_apart_the_earlier_one_is_believed(first):
    clock = ServerClock(InstantClock())
    good, odd = "Sun, 22 Nov 2026 12:00:00 GMT", f"Sun, 22 Nov {first} 12:00:00 GMT"
    for date in (good, odd, good) if first > 2026 else (odd, good):
        heard(clock, date)
    assert clock.now() == min(NOON, NOON.replace(year=first))
    clock = ServerClock(InstantClock())
    for date in (odd, good):
        heard(clock, date)
    assert clock.now() == min(NOON, NOON.replace(year=first))


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 12:00:00 GMT", "\xff", "0"])
def test_what_is_no_date_tells_nothing(date):
    clock = ServerClock(InstantClock())
    heard(clock, date)
    assert clock.now() is None


def test_a_reply_that_is_not_claudes_tells_nothing():
    clock = ServerClock(InstantClock())
    clock.heard({"date": "Sun, 22 Nov 2026 12:00:00 GMT"})
    assert clock.now() is None
