"""kill -9 at any moment of --try: only what was in flight is paid twice, and nothing is saved."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter

import pytest

from common import Job
from common.ledger.ledger import Ledger
from common.ledger.runs import Runs
from common.ledger.tries import Tries
from common.runner.saving import Saving
from rigs.harness import Site, json_of, run_numbers
from rigs.message_batch_kills import Instant, around
from rigs.own_jobs import labels
from rigs.record_jobs import events

CHUNK = 3
INSTANTS = [
    *around(Tries, "note"),
    *around(Runs, "start"),
    *around(Ledger, "intend"),
    *around(Ledger, "intend", 2),
    *around(Ledger, "answered"),
    *around(Ledger, "answered", 2),
    *around(Saving, "use", 2),
    *around(Ledger, "apply", 2),
    *around(Runs, "end"),
]


def killed(site: Site, job: Job, instant: Instant, *arguments: str) -> None:
    """Run a job in a process of its own that dies at that instant."""
    os.environ["RUN_ID"] = f"20261122T020000Z-{next(run_numbers)}"
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        try:
            instant.arm()
            site.run(job, *arguments)
        finally:
            os._exit(0)
    del os.environ["RUN_ID"]
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, "it ended before"


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_killed_at_any_moment_nothing_is_paid_twice_but_what_was_in_flight(claude, instant):
    site = claude()
    events(site, 30)
    arguments = ("--try", "9", "--chunk-size", str(CHUNK), "--concurrency", "1", "--json")
    killed(site, labels(), instant, *arguments)
    before = Counter(record for line in site.billed() for record in line["records"])
    assert {*site.databases.tables()} == {"events"}
    again = site.run(labels(), *arguments)
    assert again.code == 0, again.log
    found = json_of(again)
    assert len(found["records"]) == 9 and found["total"]["answered"] == 9
    billed = Counter(record for line in site.billed() for record in line["records"])
    twice = [record for record, count in billed.items() if count > 1]
    assert len(twice) <= CHUNK and {*twice} <= {*before}
    ran = site.run(labels(), "--live", "--json")
    assert ran.code == 0, ran.log
    after = Counter(record for line in site.billed() for record in line["records"])
    assert [record for record, count in after.items() if count > 1] == twice
    assert len(after) == 30 == json_of(ran)["done"]
    assert site.saved("select count(*), min(saved), max(saved) from labels") == [(30, 1, 1)]


def test_a_kill_before_anything_was_asked_leaves_the_same_records_to_be_taken(claude):
    site = claude()
    events(site, 30)
    killed(site, labels(), Instant(Ledger, "intend"), "--try", "5")
    found = json_of(site.run(labels(), "--try", "5", "--json"))
    assert [one["id"] for one in found["records"]] == ["4", "10", "16", "22", "28"]


def test_a_stop_ends_it_in_order_and_what_came_is_kept(claude):
    site = claude()
    events(site, 30)

    def prepare(records):
        os.kill(os.getpid(), signal.SIGTERM)
        return records

    stopped = site.run(labels(prepare=prepare), "--try", "5", "--chunk-size", "2")
    assert stopped.code == 75 and "stopped by" in stopped.log
    assert site.run(labels(), "--try", "5", "--chunk-size", "2").code == 0
    billed = Counter(record for line in site.billed() for record in line["records"])
    assert set(billed.values()) == {1} and len(billed) == 5
