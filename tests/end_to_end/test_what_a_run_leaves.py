"""What a run leaves behind is told: a failed record never with exit 0, and an unjudged one is never
called failed.
"""

from __future__ import annotations

import os
import signal

import pytest

from ops.overview.gather import gather
from ops.overview.text import Look, overview
from rigs.message_batch_site import fill, go, standin_db, statuses
from standin.fault_kinds import MESSAGE_BATCHES

HALF = {"kind": "half_json", "path": MESSAGE_BATCHES}
STAYS = {"kind": "stay_in_progress", "times": 1}
FAILED = "select count(*) from records where status = 'failed'"


def shown(site) -> str:
    """What `./run_job.sh status` says, of a job whose script is there."""
    script = site.root / "jobs" / "labels.py"
    script.parent.mkdir(exist_ok=True)
    script.touch()
    return overview(gather(site.root, site.databases.settings(), demo=False), Look(100, False))


def test_a_run_that_leaves_records_failed_ends_3_and_counts_them(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS, HALF])
    fill(site, 6)
    assert go(site, "--wait", "0").code == 75
    # The message batch ends, and each of its answers is half a JSON.
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    claude(state=folder, faults=[HALF])
    result = go(site, "--limit", "1", by="--live")
    assert result.code == 3, result.log
    assert statuses(site) == {"done": 6, "failed": 24}
    assert (result.summary["status"], result.summary["failed"]) == ("records_failed", "24")
    assert "24 records failed: " in result.log
    assert site.ledger("select failed from runs where exit_code = 3", "labels") == [(24,)]


def test_a_record_that_failed_and_was_asked_again_with_success_is_not_counted(claude):
    site = claude(message_batch_seconds=0, faults=[{**HALF, "times": 2}])
    fill(site, 4)
    result = go(site)
    assert (result.code, result.summary["failed"]) == (0, "0"), result.log
    assert statuses(site) == {"done": 20}


@pytest.mark.parametrize("by", ["--live", "--message-batch"])
@pytest.mark.parametrize(
    ("fault", "code"), [("401", 77), ("429_spend", 77), ("404", 78), ("529", 69)]
)
def test_after_a_fault_of_the_accounts_no_record_is_called_failed(claude, by, fault, code):
    site = claude(faults=[{"kind": fault, "path": "/v1/messages"}])
    fill(site, 4)
    result = go(site, by=by)
    assert result.code == code, result.log
    assert site.ledger(FAILED, "labels") == [(0,)]
    waiting = statuses(site)["waiting"]
    assert 0 < waiting <= 20 and [*statuses(site)] == ["waiting"]
    assert f"0 failed   0 dead   {waiting} waiting" in shown(site)
    assert result.summary["failed"] == "0"
    site = claude()
    assert go(site, by="--live").code == 0
    assert statuses(site) == {"done": 20}


def test_after_a_cost_cap_no_record_is_called_failed(claude):
    # The second attempt of the first request would pass the cap: it was sent, and comes back.
    site = claude(faults=[{"kind": "504", "path": "/v1/messages"}])
    fill(site, 4)
    result = go(site, "--concurrency", "1", "--max-cost", "0.003", by="--live")
    assert result.code == 4, result.log
    assert statuses(site) == {"waiting": 5}
    assert site.ledger(FAILED, "labels") == [(0,)]


def test_after_a_stop_no_record_is_called_failed(claude):
    site = claude(faults=[{"kind": "529", "path": "/v1/messages"}])
    fill(site, 4)

    def stop(number: int) -> None:
        if not number:
            os.kill(os.getpid(), signal.SIGTERM)

    result = go(site, by="--live", at_wait=stop)
    assert result.code == 75 and "stopped by TERM" in result.log, result.log
    assert site.ledger(FAILED, "labels") == [(0,)]
    assert "waiting" in shown(site) and [*statuses(site)] == ["waiting"]


def test_three_chunks_that_fail_alike_leave_every_record_waiting_and_the_next_run_says_so_again(
    claude,
):
    site = claude()
    fill(site, 6)
    assert go(site, "--limit", "5", by="--live").code == 0
    site = claude(faults=[{"kind": "400", "path": "/v1/messages"}])
    for _ in range(2):
        result = go(site, by="--live")
        assert result.code == 1 and "so no record is blamed" in result.log, result.log
        assert site.ledger(FAILED, "labels") == [(0,)]
        assert site.ledger("select count(*) from records where status = 'dead'", "labels") == [(0,)]


def test_records_count_as_taken_up_when_they_are_sent(claude):
    site = claude(faults=[{"kind": "401", "path": "/v1/messages", "when": {"every": 2}}])
    fill(site, 8)
    result = go(site, "--concurrency", "1", by="--live")
    assert result.code == 77, result.log
    # Two requests of five records went out of the eight that were chosen.
    assert result.summary["records"] == "10" and result.summary["requests"] == "2"


def test_status_shows_an_intent_while_it_is_looked_for(claude):
    site = claude(faults=[{"kind": "create_lost", "path": MESSAGE_BATCHES, "method": "POST"}])
    fill(site, 4)
    assert go(site, "--wait", "0").code == 75
    # A quarter of an hour later, by Claude's clock, it is in no list: looked for in vain, once.
    claude(faults=[{"kind": "clock_skew", "seconds": 20 * 60}])
    assert go(site, "--wait", "0").code == 75
    ((status, missed_at, ended_at),) = site.ledger(
        "select status, missed_at, ended_at from message_batches", "labels"
    )
    assert status == "intent" and missed_at and ended_at is None
    assert "message batch" in shown(site) and "3 requests, intent" in shown(site)
