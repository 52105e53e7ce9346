"""The flow against whole accounts, in virtual time: as fast as the limits allow, few 429s, shared.

The account's limits are the stand-in's, and what is between is played (`rigs/played_account.py`).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import median

import pytest

from rigs.played_account import Account, Server, Work

TIERS = {
    "lowest": (1_000, 2_000_000, 400_000),
    "next": (5_000, 5_000_000, 1_000_000),
    "scale": (10_000, 10_000_000, 2_000_000),
    "tiny": (50, 50_000, 10_000),
}
MOST = {"lowest": (1.25, 3), "next": (1.5, 3), "scale": (2.0, 3), "tiny": (1.2, 10)}
BURSTS = (60.0, 5.0, 1.0)  # seconds' worth that a bucket holds


def work(tier: str) -> Work:
    """10,000 records, or 1,000 for the tiny account."""
    return Work(requests=20 if tier == "tiny" else 200)


def peak(account: Account, seconds: float) -> int:
    """The most requests that came within so many seconds."""
    return max(sum(began <= at < began + seconds for at in account.came) for began in account.came)


@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_takes_little_longer_than_the_limits_allow(tier, burst, seed):
    account = Account(*TIERS[tier], burst=burst, seed=seed)
    (run,) = account.play(work(tier))
    ratio, refused = MOST[tier]
    assert run.answered == work(tier).requests
    # A small bucket says little about what will be left in ten seconds.
    assert run.seconds <= (1 if burst == 60 else 1.1) * ratio * account.ideal()[0]
    assert len(account.refused) <= refused
    assert account.in_flight_max <= 128


@pytest.mark.parametrize("tier", ["lowest", "next", "scale"])
def test_one_record_requests_are_as_fast_as_the_requests_of_a_minute(tier):
    account = Account(*TIERS[tier], burst=1.0)
    number = 2_000 if tier == "lowest" else 4_000
    (run,) = account.play(Work(requests=number, records=1, output=20))
    # 128 at a time, of which each takes 1.6 s, are no more than 4,800 in a minute.
    most = max(account.ideal()[0], number / 128 * 1.65)
    assert run.seconds <= 1.3 * most
    assert len(account.refused) <= MOST[tier][1]


@pytest.mark.parametrize("tier", ["lowest", "next", "tiny"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_runs_a_second_apart_end_within_1_3_times_of_each_other_s_share(tier, seed):
    account = Account(*TIERS[tier], seed=seed)
    first = work(tier)
    runs = account.play(first, replace(first, at=first.at + 1))
    seconds = [runs[0].seconds, runs[1].seconds - 1]
    assert max(seconds) <= 1.3 * min(seconds)
    assert max(seconds) <= account.ideal()[0]
    assert len(account.refused) <= 2 * MOST[tier][1]


@pytest.mark.parametrize("tier", ["lowest", "next", "tiny"])
def test_two_runs_share_what_a_small_bucket_holds(tier):
    account = Account(*TIERS[tier], burst=5.0)
    first = work(tier)
    runs = account.play(first, replace(first, at=first.at + 1))
    seconds = [runs[0].seconds, runs[1].seconds - 1]
    assert max(seconds) <= 1.5 * min(seconds)
    assert max(seconds) <= 1.5 * account.ideal()[0]


@pytest.mark.parametrize("tier", ["lowest", "next", "tiny"])
def test_none_of_four_runs_starves(tier):
    account = Account(*TIERS[tier])
    first = work(tier)
    runs = account.play(*(replace(first, at=first.at + late) for late in range(4)))
    seconds = [run.seconds for run in runs]
    assert max(seconds) <= 1.5 * min(seconds)
    assert max(seconds) <= 1.1 * account.ideal()[0]


def test_a_small_run_does_not_wait_for_the_end_of_a_large_one():
    account = Account(*TIERS["lowest"], burst=1.0)
    large, small = account.play(Work(requests=600), Work(requests=10, at=30.0))
    # Half of the limit and 18,000 tokens: 5 s; its first request goes alone.
    assert small.seconds - 30.0 <= 60
    assert large.seconds > 150


def test_concurrency_is_the_most_that_are_in_flight():
    account = Account(*TIERS["next"])
    account.play(replace(work("next"), most=20))
    assert account.in_flight_max == 20


def test_without_headers_it_grows_until_requests_are_refused():
    account = Account(*TIERS["next"], server=Server(headers=False))
    account.play(work("next"))
    assert 60 <= account.in_flight_max <= 128
    account = Account(*TIERS["lowest"], burst=5.0, server=Server(headers=False))
    (run,) = account.play(work("lowest"))
    assert run.seconds <= 2 * account.ideal()[0]


def test_an_overloaded_server_now_and_then_costs_little():
    overloaded, other = Server(overloaded=0.03), Server()

    def usual(server: Server) -> float:
        accounts = [Account(*TIERS["lowest"], server=server, seed=seed) for seed in range(7)]
        return median(account.play(work("lowest"))[0].seconds for account in accounts)

    # It is halved again and again, and who is refused late waits for another answer, of 14 s.
    assert usual(overloaded) <= 1.6 * usual(other)


def test_after_the_start_requests_are_spread_over_time():
    account = Account(*TIERS["lowest"], burst=5.0)
    account.play(Work(requests=600))
    account.came = [at for at in account.came if at > 60]
    # 3.7 a second are what the output allows.
    assert peak(account, 1.0) <= 10
    assert max(after - before for before, after in pairwise(account.came)) <= 2.0
