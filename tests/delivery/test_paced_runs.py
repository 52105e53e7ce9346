"""Whole runs on an account with rate limits: processes, and the stand-in that meters them."""

from __future__ import annotations

import json
import re
import signal
import time
from contextlib import closing

import pytest

from rigs.crash_rig import until
from rigs.installation import Installation
from rigs.record_jobs import events

pytestmark = pytest.mark.sqlite("the pace has nothing to do with the ledger")

SCRIPT = "jobs/bulk_classifier.py"
OPTIONS = ("--live", "--chunk-size", "1")
TABLE = "select count(*) from sqlite_master where name = 'event_labels'"


@pytest.fixture
def here(claude):
    """A function that makes an installation with an account of these limits."""

    def make(records: int, **limits: float) -> Installation:
        site = claude(**limits)
        events(site, records)
        return Installation(site)

    return make


def test_a_run_keeps_to_the_limit_and_says_what_held_it(here):
    installation = here(24, requests_per_minute=600, burst_seconds=1.0, latency=0.05)
    began = time.monotonic()
    ended = installation.run(*OPTIONS, "--json", script=installation.root / SCRIPT)
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - began >= 1.2
    assert installation.site.standin.counts["rate_limited"] <= 3
    summary = json.loads(ended.stdout)
    assert summary["limited_by"] == "requests" and 1 <= summary["in_flight"] <= 12
    line = next(line for line in ended.stderr.splitlines() if " SUMMARY " in line)
    assert re.search(r"warnings=0 .*in_flight=\d+ limited_by=requests seconds=\d+$", line), line


def test_a_run_with_nothing_to_send_says_nothing_of_it(here):
    installation = here(0, latency=0.0)
    ended = installation.run(*OPTIONS, "--json", script=installation.root / SCRIPT)
    assert ended.returncode == 0, ended.stderr
    assert "in_flight" not in ended.stderr + ended.stdout


def test_a_run_that_waits_for_room_ends_at_once_when_it_is_stopped(here):
    # Two requests may go, and one more each half a minute.
    installation = here(9, requests_per_minute=2)
    site = installation.site
    process = installation.start(*OPTIONS, script=installation.root / SCRIPT)
    with closing(process.stdout), closing(process.stderr):
        until(lambda: site.saved(TABLE) == [(1,)])
        until(lambda: site.saved("select count(*) from event_labels") == [(2,)])
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=40)
    assert process.returncode == 75 and "stopped by TERM" in log, log
    assert time.monotonic() - began < 20
    assert site.standin.counts["rate_limited"] == 0
    assert site.ledger("select count(*) from records", "bulk_classifier") == [(2,)]
