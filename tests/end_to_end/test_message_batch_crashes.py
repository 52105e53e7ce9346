"""Runs by message batch that are killed at any instant: nothing is billed twice, nothing lost,
everything saved once.

`bench/kill.py --message-batch` does the random ones a hundred times.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.delivery.message_batch import deferred as delivery
from common.delivery.message_batch import download
from rigs.bills import usd_of
from rigs.crash_rig import Bill, Rig, standin_process
from rigs.message_batch_kills import INSTANTS, Instant, continued, kill, killed
from rigs.message_batch_site import billed_for, fill, go, requests_under_way, spent, statuses
from rigs.own_jobs import labels

REQUESTS = 12


@pytest.fixture(autouse=True)
def _small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_TOGETHER", 4)
    monkeypatch.setattr(download, "_TOGETHER", 4)


def is_whole(site, saved_twice: int = 0) -> None:
    """Every record billed once and saved; rows of one commit may have been saved a second time, to
    the same.
    """
    assert statuses(site) == {"done": REQUESTS * 5}
    assert set(billed_for(site).values()) == {1} and len(billed_for(site)) == REQUESTS * 5
    rows = site.saved("select count(*), count(nullif(saved, 1)) from labels")[0]
    assert rows[0] == REQUESTS * 5 and rows[1] <= saved_twice
    cost, unsettled = spent(site)
    assert unsettled == 0 and cost == pytest.approx(usd_of(site.billed()))
    assert requests_under_way(site) == 0


def finish(site) -> None:
    """Run until a run ends well, then once more, which has nothing to do."""
    for _ in range(5):
        if (result := go(site)).code != 75:
            break
    assert result.code == 0, result.log
    calls = site.standin.counts["calls"]
    again = site.run(labels())
    assert again.code == 0 and "nothing to do" in again.log
    assert site.standin.counts["calls"] == calls


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_killed_at_an_instant_nothing_is_billed_twice_or_lost(claude, instant):
    site = claude(message_batch_seconds=0)
    fill(site, REQUESTS)
    assert killed(site, instant)
    finish(site)
    is_whole(site, saved_twice=REQUESTS * 5)


@pytest.mark.parametrize(
    "instant", [*INSTANTS[-16:], *[one for one in INSTANTS if one.name == "adopt"]], ids=str
)
def test_killed_at_create_and_again_in_the_run_that_finds_out(claude, instant):
    site = claude(message_batch_seconds=0)
    fill(site, REQUESTS)
    assert killed(site, Instant(delivery, "create", "after"))
    assert site.ledger("select status from message_batches", "labels") == [("intent",)]
    killed(site, instant, 2)
    finish(site)
    is_whole(site, saved_twice=REQUESTS * 5)


def test_the_oracle_sees_an_intent_that_is_not_committed(claude):
    """Were the intent lost with the reply, everything would be billed twice."""
    site = claude(message_batch_seconds=0)
    fill(site, REQUESTS)
    assert killed(site, Instant(delivery, "create", "after"))
    site.change_ledger("labels", "update message_batches set status = 'preparing'")
    finish(site)
    assert 2 in billed_for(site).values()


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    """One stand-in for all tests of a worker."""
    folder = tmp_path_factory.mktemp("standin")
    with standin_process(folder, latency=0.04, message_batch_seconds=0.3) as bill:
        yield bill


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_a_random_moment_nothing_is_billed_twice_or_lost(tmp_path: Path, bill, seed):
    rig = Rig(tmp_path / "site", Bill(bill.url, bill.path))
    rig.events(40)
    rig.per_record()
    kill(rig, seed)
    found = continued(rig)
    assert not found.violations
    assert found.lost == 0
