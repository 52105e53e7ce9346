"""Records in one kind of database and the ledger in the other: a job does not know."""

from __future__ import annotations

import pytest

from common.runner.saving import Saving
from ops import prune, status
from rigs.message_batch_kills import Instant, killed
from rigs.message_batch_site import fill, go, is_complete, statuses
from rigs.own_jobs import labels, locked_save
from rigs.record_jobs import DELIVERIES
from rigs.report_site import digested, events, report
from rigs.status_site import StatusSite

DAY = "2026-11-21"


pytestmark = pytest.mark.parametrize(
    "databases", ["records in postgres", "ledger in postgres"], indirect=True
)


@DELIVERIES
def test_every_output_is_saved_once_and_a_second_run_asks_nothing(claude, delivery):
    site = claude(message_batch_seconds=0)
    fill(site, 6)
    assert go(site, by=delivery).code == 0
    is_complete(site, 30)
    again = go(site, by=delivery)
    assert again.code == 0 and "nothing to do" in again.log


def test_answers_that_could_not_be_saved_wait_in_the_ledger(claude):
    site = claude()
    site.events(events(DAY, 10))
    assert site.run(labels(save=locked_save)).code == 69
    assert statuses(site) == {"answered": 10}
    assert site.run(labels()).code == 0
    assert statuses(site) == {"done": 10} and len(digested(site)) == 10


def test_a_run_that_is_killed_while_it_saves_is_continued_and_nothing_is_paid_twice(claude):
    site = claude(message_batch_seconds=0)
    fill(site, 6)
    assert killed(site, Instant(Saving, "_save", "after"))
    assert go(site).code == 0
    assert statuses(site) == {"done": 30}
    assert len(digested(site)) == 30


def test_a_report_is_written_of_them(claude):
    site = claude()
    site.events(events(DAY, 60))
    assert report(site).code == 0
    assert "**60 records**" in site.report(DAY)


def test_status_and_prune_look_at_the_ledger(claude, databases):
    site = claude()
    site.events(events(DAY, 3))
    assert site.run(labels()).code == 0
    here = StatusSite(site.root, databases)
    here.job("labels")
    assert here.json(status)["jobs"][0]["records"]["done"] == 3
    here.change("labels", "update requests set created_at = '2020-01-01T00:00:00Z'")
    assert "labels: 1 answer removed" in here.ask(prune, "--older-than", "90d").out
