"""A message batch is deleted at Anthropic once its answers are in the ledger, and not before."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.claude.retries import Retry
from common.delivery.message_batch import results
from common.ledger.message_batches import MessageBatches
from rigs.message_batch_kills import Instant, killed
from rigs.message_batch_site import (
    CREATE,
    RESULTS,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    sdk,
    statuses,
    submitted,
)
from rigs.own_jobs import labels
from standin.fault_kinds import MESSAGE_BATCHES

ONE = f"{MESSAGE_BATCHES}/{{id}}"
DELETE = f"DELETE {ONE}"


def kept(site) -> int:
    """How many message batches are still there."""
    with sdk(site) as client:
        return len(client.messages.batches.list(limit=100).data)


def test_what_is_collected_is_deleted(claude):
    site = claude(message_batch_seconds=0)
    fill(site, 6)
    assert go(site).code == 0
    is_complete(site, 30)
    assert kept(site) == 0 and calls(site, DELETE) == 1
    assert go(site).code == 0 and calls(site, DELETE) == 1


@pytest.mark.parametrize("name", ["KEEP_MESSAGE_BATCHES", "KEEP_MESSAGE_BATCHES_LABELS"])
def test_a_setting_keeps_it(claude, name):
    site = claude(message_batch_seconds=0)
    fill(site, 6)
    assert go(site, **{name: "1"}).code == 0
    is_complete(site, 30)
    assert kept(site) == 1 and calls(site, DELETE) == 0


@pytest.mark.parametrize("value", ["yes", "true", "2", "-1"])
def test_a_setting_that_is_neither_0_nor_1_ends_the_run_before_anything_is_sent(claude, value):
    site = claude(message_batch_seconds=0)
    fill(site, 6)
    result = go(site, KEEP_MESSAGE_BATCHES=value)
    assert result.code == 78 and f"KEEP_MESSAGE_BATCHES={value}: must be 0 or 1" in result.log
    assert not site.billed()


@pytest.mark.parametrize("kind", ["500", "529", "400", "401", "403", "404", "429", "reset", "html"])
def test_a_deletion_that_fails_changes_nothing_else(claude, kind):
    site = claude(message_batch_seconds=0, faults=[{"kind": kind, "path": ONE, "method": "DELETE"}])
    fill(site, 6)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 30)
    assert ("was not deleted at Anthropic" in result.log) == (kind != "404")
    assert calls(site, DELETE) == 1 and sum(result.clock.waits) < 60
    assert submitted(site) == {"collected": 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), [(results, "delete"), (MessageBatches, "close")])
def test_a_kill_around_the_deletion_leaves_it_to_the_next_run(claude, owner, name, when):
    site = claude(message_batch_seconds=0)
    fill(site, 6)
    assert killed(site, Instant(owner, name, when))
    downloads = calls(site, RESULTS)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 30)
    assert kept(site) == 0 and calls(site, RESULTS) == downloads
    assert submitted(site) == {"collected": 1} and calls(site, CREATE) == 1


def test_nothing_is_deleted_that_is_not_collected_whole(claude, tmp_path: Path):
    folder = tmp_path / "standin"
    short = {"kind": "results_short"}
    site = claude(state=folder, message_batch_seconds=0, faults=[short])
    fill(site, 6)
    assert go(site, retry=Retry(attempts=2)).code == 69
    assert kept(site) == 1 and calls(site, DELETE) == 0
    site = claude(state=folder, message_batch_seconds=0)
    assert go(site).code == 0 and kept(site) == 0


def test_results_that_could_not_be_read_stay_where_somebody_can_look_at_them(claude):
    site = claude(message_batch_seconds=0, faults=[{"kind": "results_line", "line": "not JSON"}])
    fill(site, 6)
    assert go(site).code == 0
    assert statuses(site) == {"done": 30} and kept(site) == 1


def test_those_of_others_are_left_alone(claude):
    site = claude(message_batch_seconds=0, faults=[{"kind": "create_lost", "times": 1}])
    from rigs.message_batch_site import foreign

    fill(site, 4)
    result = go(site, at_wait=lambda number: number == 0 and foreign(site, 3))
    assert result.code == 0, result.log
    assert statuses(site) == {"done": 20} and set(billed_for(site).values()) == {1}
    assert kept(site) == 1
    assert site.run(labels()).code == 0
