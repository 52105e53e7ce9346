"""Message batches from end to end: submitted by one run, collected by the same or a later one,
nothing paid for twice.
"""

from __future__ import annotations

import os
import signal

import pytest

from common.delivery.message_batch import body
from rigs.bills import usd_of
from rigs.message_batch_site import (
    CREATE,
    EXPIRED,
    SIZE,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    spent,
    standin_db,
    statuses,
    submitted,
    tiers,
)
from rigs.report_site import events, report, requests_sent
from standin.fault_kinds import MESSAGE_BATCHES

STAYS = {"kind": "stay_in_progress", "times": 1}
ONE = f"{MESSAGE_BATCHES}/{{id}}"


def test_the_first_chunk_goes_live_and_the_others_in_one_message_batch(claude):
    site = claude(message_batch_seconds=0)
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 20)
    assert sorted(tiers(site)) == ["batch", "batch", "batch", "standard"]
    assert (calls(site, CREATE), requests_sent(site)) == (1, 1)
    assert result.summary["records"] == result.summary["done"] == "20"
    assert result.summary["requests"] == "4"
    again = go(site)
    assert again.code == 0 and "nothing to do" in again.log
    assert (calls(site, CREATE), requests_sent(site)) == (1, 1)


def test_a_message_batch_of_one_request_and_none_where_the_first_chunk_is_all(claude):
    site = claude(message_batch_seconds=0)
    fill(site, 1)
    assert go(site).code == 0
    assert calls(site, CREATE) == 0
    site.events(events("2026-11-22", 2 * SIZE, first=100))
    assert go(site).code == 0
    assert calls(site, CREATE) == 1
    is_complete(site, 3 * SIZE)


def test_a_daily_report_by_message_batch_is_the_one_that_live_makes(claude):
    site = claude(message_batch_seconds=0)
    site.events(events("2026-11-21", 150))
    result = report(site, "--message-batch", "--wait", "20h")
    assert result.code == 0, result.log
    by_message_batch = site.report("2026-11-21").rpartition("\n---\n")[0]
    assert calls(site, CREATE) == 1
    assert sum(spent(site, "daily_report")) == pytest.approx(usd_of(site.billed()))
    assert report(site, "--message-batch").code == 0 and calls(site, CREATE) == 1
    assert report(site, "--live", "--date", "2026-11-21", "--reprocess").code == 0
    assert site.report("2026-11-21").rpartition("\n---\n")[0] == by_message_batch


@pytest.mark.parametrize("wait", ["0", "5m"])
def test_when_the_wait_is_over_the_next_run_collects_before_anything_else(claude, tmp_path, wait):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    fill(site, 4)
    first = go(site, "--wait", wait)
    assert first.code == 75 and "still processing" in first.log
    assert "the next run collects it" in first.log
    assert sum(first.clock.waits) <= 300
    assert statuses(site) == {"done": SIZE, "submitted": 15}
    assert go(site, "--wait", "0").code == 75
    before = site.standin  # until it stops it may process what is due now
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    site = claude(state=folder, message_batch_seconds=0)  # started again in between
    site.events(events("2026-11-22", SIZE, first=100))
    result = go(site)
    assert result.code == 0, result.log
    assert result.log.index("collected") < result.log.index("5 records to send")
    assert calls(site, CREATE) == 0
    assert site.saved("select saved, count(*) from labels group by 1") == [(1, 25)]
    assert sum(spent(site)) == pytest.approx(usd_of(before.billed + site.billed()))


def test_the_looks_come_soon_at_first_and_then_slower(claude):
    site = claude(faults=[STAYS])
    fill(site, 2)
    waits = go(site, "--wait", "30m").clock.waits
    assert waits[0] <= 2 and waits == sorted(waits) and max(waits) == 60


def test_term_while_waiting_ends_with_75_and_the_next_run_collects(claude):
    site = claude(message_batch_seconds=0.3)
    fill(site, 3)

    def stop(number: int) -> None:
        if number == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    result = go(site, at_wait=stop)
    assert result.code == 75 and "stopped by TERM" in result.log
    assert len(result.clock.waits) == 2
    assert go(site, "--wait", "9d").code == 0
    is_complete(site, 15)


def test_a_live_run_does_all_else_while_one_is_processing_and_ends_with_75(claude):
    site = claude(faults=[STAYS])
    fill(site, 3)
    assert go(site, "--wait", "0").code == 75
    site.events(events("2026-11-22", 7, first=100))
    result = go(site, by="--live")
    assert result.code == 75 and "still processing" in result.log
    assert statuses(site) == {"done": SIZE + 7, "submitted": 10}
    assert set(billed_for(site).values()) == {1}


def test_several_message_batches_where_one_would_pass_a_limit(claude, monkeypatch):
    site = claude(message_batch_seconds=0)
    fill(site, 8)
    monkeypatch.setattr(body, "MOST_REQUESTS", 3)
    assert go(site).code == 0
    sizes = site.ledger("select requests from message_batches order by requests", "labels")
    assert sizes == [(1,), (3,), (3,)]
    is_complete(site, 40)
    monkeypatch.setattr(body, "MOST_REQUESTS", 1000)
    monkeypatch.setattr(body, "MOST_BYTES", 4000)
    site.events(events("2026-11-22", 5 * SIZE, first=100))
    assert go(site).code == 0
    assert calls(site, CREATE) > 4
    is_complete(site, 65)


def test_what_a_dead_run_had_only_prepared_is_dropped(claude):
    site = claude(
        message_batch_seconds=0, faults=[{"kind": "401", "path": MESSAGE_BATCHES, "method": "GET"}]
    )
    fill(site, 4)
    died = go(site)
    assert died.code == 77, died.log
    claude(message_batch_seconds=0)
    assert submitted(site) == {"void": 1}
    assert go(site).code == 0
    assert statuses(site) == {"done": 20}


def test_answers_cost_what_the_model_that_gave_them_costs(claude):
    """Also where the run that collects them would ask another model."""
    site = claude(message_batch_seconds=0.2)
    fill(site, 4)
    assert go(site, "--model", "claude-sonnet-5-5", "--wait", "0").code == 75
    assert go(site, "--wait", "9d").code == 0
    is_complete(site, 20)


def test_a_run_that_is_tried_again_under_its_own_id_makes_message_batches_of_other_names(
    claude, monkeypatch
):
    rule = {"kind": "400", "path": MESSAGE_BATCHES, "times": 1}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 3)
    monkeypatch.setenv("RUN_ID", "20261122T020000Z-1")
    assert go(site).code == 78
    monkeypatch.setenv("RUN_ID", "20261122T020000Z-1")
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 15)


def test_the_limit_holds_for_message_batches(claude):
    site = claude(message_batch_seconds=0, faults=[{**EXPIRED, "times": 1}])
    fill(site, 6)
    result = go(site, "--limit", "15")
    assert result.code == 0 and result.summary["records"] == "15"
    is_complete(site, 15)
