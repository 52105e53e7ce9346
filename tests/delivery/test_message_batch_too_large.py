"""A message batch that is refused as too large is sent in halves, down to one request, which is
asked live.
"""

from __future__ import annotations

from typing import Any

import pytest

from common.ledger.message_batches import MessageBatches
from rigs.message_batch_kills import Instant, killed
from rigs.message_batch_site import (
    CREATE,
    SIZE,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    spent,
    statuses,
    submitted,
    tiers,
)
from standin.fault_kinds import MESSAGE_BATCHES

DIVIDED = [(name, when) for name in ("divide", "refuse") for when in ("before", "after")]


def too_large(**rule: Any) -> dict[str, Any]:
    return {"kind": "413", "path": MESSAGE_BATCHES, "method": "POST", **rule}


def with_record(number: int) -> dict[str, Any]:
    """A message batch is too large as long as it holds the request about this record."""
    return too_large(when={"record": str(number)})


def test_one_that_is_too_large_once_is_sent_in_two(claude):
    site = claude(message_batch_seconds=0, faults=[too_large(times=1)])
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    assert "11 requests refused (413" in result.log and "sent in halves" in result.log
    sizes = site.ledger("select requests from message_batches where status = 'collected'", "labels")
    assert sorted(sizes) == [(5,), (6,)]
    is_complete(site, 60)
    assert tiers(site).count("standard") == 1 and result.summary["records"] == "60"


@pytest.mark.parametrize("times", [2, 3, 5])
def test_halves_are_halved_as_often_as_it_takes(claude, times):
    site = claude(message_batch_seconds=0, faults=[too_large(times=times)])
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 60)
    assert submitted(site)["collected"] >= 2


def test_the_one_request_that_is_too_large_goes_live_and_all_others_by_message_batch(claude):
    site = claude(message_batch_seconds=0, faults=[with_record(33)])
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 60)
    assert tiers(site).count("standard") == 2  # the first chunk, and that one
    assert submitted(site)["void"] == 1


def test_a_record_that_is_too_large_live_too_is_found_by_halves_and_a_dead_letter(claude):
    faults = [with_record(33), {"kind": "413", "when": {"record": "33"}}]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 12)
    result = go(site)
    assert result.code == 3, result.log
    assert site.ledger("select record_id from records where status = 'dead'", "labels") == [("33",)]
    assert statuses(site) == {"done": 59, "dead": 1} and set(billed_for(site).values()) == {1}
    made = calls(site, CREATE)
    assert go(site).code == 0 and calls(site, CREATE) == made


def test_where_all_are_too_large_all_go_live(claude):
    site = claude(message_batch_seconds=0, faults=[too_large()])
    fill(site, 5)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 25)
    assert calls(site, CREATE) == 7 and set(tiers(site)) == {"standard"}


def test_a_half_whose_reply_is_lost_is_found_again(claude):
    faults = [too_large(times=1), {"kind": "create_lost", "times": 1}]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    assert "found again" in result.log
    is_complete(site, 60)


@pytest.mark.parametrize(("name", "when"), DIVIDED)
@pytest.mark.parametrize("number", [1, 2])
def test_killed_while_it_is_divided_nothing_is_lost_or_billed_twice(claude, name, when, number):
    site = claude(message_batch_seconds=0, faults=[with_record(8), with_record(13)])
    fill(site, 6)
    assert killed(site, Instant(MessageBatches, name, when, number))
    for _ in range(4):
        if (result := go(site)).code != 75:
            break
    assert result.code == 0, result.log
    assert statuses(site) == {"done": 6 * SIZE} and set(billed_for(site).values()) == {1}
    assert spent(site)[1] == 0
