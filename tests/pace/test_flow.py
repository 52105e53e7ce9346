"""The pace of runs on accounts that are played: as fast as the limits allow, alone and together."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import isinf
from typing import Any

import pytest

from common.pace.flow import Flow
from rigs.played_account import Account, Server, Work

LOWEST: dict[str, Any] = {"requests": 1_000, "input_tokens": 2_000_000, "output_tokens": 400_000}
NEXT: dict[str, Any] = {"requests": 5_000, "input_tokens": 5_000_000, "output_tokens": 1_000_000}
TINY: dict[str, Any] = {"requests": 50, "input_tokens": 50_000, "output_tokens": 10_000}
MANY = Work(requests=700)
TEN_SECONDS, THIRTY_SECONDS = Server(seconds_per_token=1 / 210), Server(seconds_per_token=1 / 63)


def fullness(account: Account, kind: str = "output-tokens") -> float:
    bucket = account.limits._account("key").buckets[kind]
    return bucket.level / bucket.capacity


def drained(account: Account) -> Account:
    """The same account, whose buckets are nearly empty."""
    for bucket in account.limits._account("key").buckets.values():
        bucket.level = bucket.capacity * 0.03
    return account


@pytest.mark.parametrize("server", [TEN_SECONDS, Server(), THIRTY_SECONDS])
@pytest.mark.parametrize("burst", [60.0, 15.0, 5.0])
def test_a_run_alone_gets_what_the_limit_allows_without_a_429(server, burst):
    account = Account(**LOWEST, burst=burst, server=server)
    (run,) = account.play(MANY)
    # Its first request goes alone, and the last answers come when nothing more is sent.
    steady = run.seconds - MANY.at - 2 * account.seconds(account.output // account.answered)
    held = 1 + burst / 60 / (account.output / account.output_tokens)  # what was there at the start
    assert steady <= 60 * account.output / account.output_tokens * 1.05
    assert steady >= 60 * account.output / account.output_tokens * (2 - held) * 0.9
    assert account.refused == []


def test_a_bucket_of_a_second_is_used_too():
    account = Account(**LOWEST, burst=1.0)
    (run,) = account.play(MANY)
    assert run.seconds <= account.ideal()[0] * 1.12
    assert len(account.refused) <= 3


@pytest.mark.parametrize(("limits", "most"), [(LOWEST, 1.2), (NEXT, 1.4), (TINY, 1.15)])
def test_ten_thousand_records_take_little_more_than_the_limits_allow(limits, most):
    account = Account(**limits)
    (run,) = account.play(Work(requests=20 if limits is TINY else 200))
    assert run.seconds <= account.ideal()[0] * most
    assert account.refused == []


@pytest.mark.parametrize("server", [TEN_SECONDS, Server(), THIRTY_SECONDS])
@pytest.mark.parametrize("empty", [False, True])
def test_two_runs_that_begin_a_second_apart_get_equal_parts(server, empty):
    account = Account(**LOWEST, server=server)
    runs = (drained(account) if empty else account).play(MANY, replace(MANY, at=3.0))
    first, second = runs[0].seconds - 2, runs[1].seconds - 3
    assert max(first, second) <= 1.3 * min(first, second)
    assert max(run.seconds for run in runs) <= account.ideal()[0] * 1.15
    assert len(account.refused) <= 6


@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("apart", [1.0, 7.0, 20.0])
def test_of_several_runs_none_starves_and_the_limit_is_used(runs, apart):
    account = Account(**LOWEST)
    played = account.play(*(replace(MANY, at=2 + apart * number) for number in range(runs)))
    own = [run.seconds - 2 - apart * number for number, run in enumerate(played)]
    assert max(own) <= 1.5 * min(own)
    assert max(run.seconds for run in played) <= account.ideal()[0] * 1.15
    assert len(account.refused) <= 5 * runs


def test_a_small_run_that_comes_late_gets_through_beside_a_large_one():
    account = Account(**LOWEST)
    large, small = account.play(MANY, replace(MANY, requests=10, at=100.0))
    assert small.seconds - 100 < 60
    assert large.seconds < account.ideal()[0] * 1.1


@pytest.mark.parametrize("seed", [1, 2])
def test_few_large_requests_of_two_runs_share_a_tiny_account(seed):
    account = Account(**TINY, seed=seed)
    work = Work(requests=30)
    first, second = (run.seconds for run in account.play(work, replace(work, at=3.0)))
    assert max(first, second) <= 1.3 * min(first, second)
    assert account.refused == []


@pytest.mark.parametrize("limits", [LOWEST, TINY])
@pytest.mark.parametrize("kind", ["requests", "input-tokens"])
def test_requests_and_input_hold_a_run_as_output_does(limits, kind):
    account = Account(**limits)
    size = 60 if limits is TINY else 1_000
    if kind == "requests":
        work = Work(requests=3 * size, records=1, input=60, output=20)
    else:
        work = Work(requests=size // 5, input=400, output=5)
    (run,) = account.play(work)
    assert run.seconds <= account.ideal()[0] * 1.05
    assert account.refused == []
    assert run.flow.summary()["limited_by"] == kind.replace("-", "_")


@pytest.mark.parametrize("burst", [60.0, 2.0])
def test_a_request_that_is_larger_than_the_bucket_is_sent_when_the_bucket_is_full(burst):
    account = Account(**TINY, burst=burst)
    work = Work(requests=6, records=50, input=80_000 // 50 if burst == 2.0 else 900, output=400)
    work = replace(work, input=900, records=20 if burst == 2.0 else 50)
    (run,) = account.play(work)
    assert run.answered == 6
    assert run.seconds <= account.ideal()[0] * 1.3
    assert len(account.refused) <= 3


def test_at_the_start_a_full_bucket_is_used_but_not_in_one_instant(monkeypatch):
    account = Account(**NEXT)
    sent: list[float] = []
    take = account.limits.take

    def noted(key: str, input_tokens: int) -> None:
        sent.append(account.now)
        take(key, input_tokens)

    monkeypatch.setattr(account.limits, "take", noted)
    account.play(Work(requests=200, proven=False))
    first = sent[0] + account.seconds(50 * 36) * 1.2
    soon = [at for at in sent[1:] if at < first + 4]
    assert len(soon) >= 110
    assert max(Counter(int(at * 10) for at in sent).values()) <= 20


@pytest.mark.parametrize("runs", [1, 2])
def test_a_server_whose_headers_say_that_all_is_there_is_not_flooded(runs, monkeypatch):
    account = Account(**LOWEST, burst=5.0)
    full = account.headers()
    monkeypatch.setattr(account, "headers", lambda: full)
    played = account.play(*[Work(requests=300)] * runs)
    assert all(run.answered == 300 for run in played)
    assert len(account.refused) <= 0.15 * 300 * runs


def test_without_headers_it_grows_by_answers_and_is_held_by_errors():
    account = Account(**LOWEST, server=Server(headers=False))
    (run,) = account.play(MANY)
    assert run.seconds <= account.ideal()[0] * 1.5
    assert len(account.refused) <= 0.05 * MANY.requests
    assert account.in_flight_max > 50


def test_an_overloaded_server_slows_a_run_and_does_not_stop_it():
    account = Account(**LOWEST, server=Server(overloaded=0.02))
    (run,) = account.play(MANY)
    assert run.seconds <= account.ideal()[0] * 2.5


@pytest.mark.parametrize("most", [1, 8, 20])
def test_a_number_that_was_asked_for_is_never_passed(most):
    account = Account(**NEXT)
    (run,) = account.play(Work(requests=100, most=most))
    assert account.in_flight_max == most
    assert run.flow.summary() == {"in_flight": most, "limited_by": "concurrency"}


def test_what_held_a_run_is_told_by_the_word_for_it():
    (output,) = Account(**LOWEST).play(MANY)
    assert output.flow.summary()["limited_by"] == "output_tokens"
    (scarce,) = Account(**NEXT).play(Work(requests=5, proven=True))
    assert scarce.flow.summary()["in_flight"] == 5
    assert Flow(lambda: 0.0, lambda: None).summary() == {}


class Played:
    """A flow whose clock stands where a test puts it."""

    def __init__(self, most: int | None = None) -> None:
        self.now = 0.0
        self.flow = Flow(lambda: self.now, lambda: datetime(2026, 11, 29, tzinfo=UTC), most)

    def tell(self, remaining: int, limit: int = 6_000, name: str = "requests") -> None:
        prefix = f"anthropic-ratelimit-{name}"
        self.flow.heard({f"{prefix}-limit": str(limit), f"{prefix}-remaining": str(remaining)})

    def answer(self, count: int = 1) -> None:
        for _ in range(count):
            self.flow.answered(self.flow.sent(3_000, 10), 1_000, 500)


def test_nothing_new_goes_while_all_are_told_to_wait():
    played = Played()
    played.flow.slow(60)
    assert (played.flow.room(3), played.flow.wait(3)) == (0, 60)
    assert played.flow.before(1) == played.flow.before(2) == 60
    played.now = 61
    assert played.flow.room(3) == 1  # and the others after it
    played.now = 90
    assert played.flow.room(3) == 5


def test_an_attempt_that_waits_for_its_turn_goes_before_what_is_new():
    played = Played()
    with played.flow.waiting():
        assert played.flow.room(0) == 0
        assert 0 < played.flow.wait(0) <= 1
    assert played.flow.room(0) == 8


def test_an_attempt_after_the_first_waits_for_a_place_until_another_ends():
    played = Played()
    under_way = [played.flow.sent(3_000, 10) for _ in range(8)]
    played.now += 1
    played.flow.failed(under_way.pop(), slow_down=True, overloaded=True)  # from 8 to 4
    assert isinf(played.flow.before(2))
    with played.flow.waiting():
        assert isinf(played.flow.wait(8))
    for sending in under_way[:4]:
        played.flow.failed(sending, slow_down=False, overloaded=False)
    assert played.flow.before(2) == 0


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("headers", [False, True])
def test_several_that_were_told_to_wait_do_not_go_in_one_instant(attempt, headers):
    played = Played()
    if headers:
        played.tell(600, limit=600)
    sending = played.flow.sent(3_000, 10)
    played.now += 10
    played.flow.answered(sending, 1_000, 500)
    played.flow.slow(5)
    went: list[float] = []
    while len(went) < 6:
        if (left := played.flow.before(attempt)) > 0:
            played.now += left
        else:
            went.append(played.now)
            played.flow.sent(3_000, 10)
    gaps = [later - earlier for earlier, later in pairwise(went)]
    assert min(gaps) > 0.05


def test_where_others_took_all_of_it_a_run_waits_and_goes_on_when_some_is_back():
    played = Played()
    played.tell(6_000)
    played.answer(20)
    played.now += 5
    assert played.flow.room(0) > 0
    played.tell(0)
    assert played.flow.room(0) == 0
    for _ in range(100):
        played.now += played.flow.wait(0)
        if played.flow.room(0):
            break
    assert played.flow.room(0) > 0
    assert played.now < 60


def test_limits_that_are_told_no_more_hold_nothing_after_a_while():
    played = Played()
    played.tell(0, limit=60)
    played.flow.heard({})
    assert played.flow.room(0) == 0
    played.now += 200
    played.flow.heard({})
    assert played.flow.room(0) == 8


def test_a_limit_that_is_far_too_small_for_what_is_in_flight_is_waited_for():
    played = Played(most=500)
    for _ in range(500):
        played.flow.sent(20_000, 50)
    played.tell(10_000, 10_000, "output-tokens")
    assert played.flow.room(499) == 1
    played.flow.sent(20_000, 50)
    assert played.flow.room(499) == 0
    assert 0 < played.flow.wait(499) <= 2


def test_a_limit_that_no_request_fits_into_holds_none_for_ever():
    played = Played()
    for _ in range(3):
        played.tell(1, 1, "input-tokens")
        played.answer()
        began = played.now
        while not played.flow.room(0):
            played.now += played.flow.wait(0)
        assert 60 < played.now - began < 600


def test_the_log_says_once_in_ten_minutes_what_limit_holds_a_run(caplog):
    caplog.set_level(logging.INFO)
    account = Account(**TINY)
    account.play(Work(requests=100))
    lines = [record.getMessage() for record in caplog.records if "limit of" in record.getMessage()]
    assert lines[0].startswith("the account's limit of 10,000 output tokens a minute")
    assert len(lines) == 2


def test_what_is_played_twice_goes_the_same_way_to_the_last_bit():
    runs = [replace(MANY, at=2.0 + number) for number in range(5)]
    first, second = (Account(**LOWEST).play(*runs) for _ in range(2))
    assert [run.seconds for run in first] == [run.seconds for run in second]
