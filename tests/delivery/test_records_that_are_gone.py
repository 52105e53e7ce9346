"""Records that are deleted between submission and collection: told once, their answers kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rigs.message_batch_site import billed_for, fill, go, requests_under_way, standin_db, statuses
from rigs.own_jobs import labels
from rigs.report_site import events

TOLD = "not in the SELECT now: kept"
STAYS = {"kind": "stay_in_progress", "times": 1}


def collected_without(claude: Any, folder: Path, gone: str) -> Any:
    """A site of 4 requests; the message batch of three ends after `gone` was deleted."""
    site = claude(state=folder, faults=[STAYS])
    fill(site, 4)
    assert go(site, "--wait", "0").code == 75
    site.change("create table elsewhere as select * from events")
    site.change(f"delete from events where {gone}")
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    return claude(state=folder, message_batch_seconds=0)


@pytest.mark.parametrize(
    ("gone", "records"),
    [("id in (7, 8)", 2), ("id between 6 and 10", 5), ("id > 5", 15), ("id > 0", 15)],
)
def test_it_is_told_once_and_the_answers_stay_in_the_ledger(claude, tmp_path, gone, records):
    site = collected_without(claude, tmp_path / "standin", gone)
    result = go(site)
    assert result.code == 0, result.log
    lines = [line for line in result.log.splitlines() if TOLD in line]
    assert len(lines) == 1 and " WARN " in lines[0]
    assert requests_under_way(site) == 0
    reasons = site.ledger(
        "select answer is not null from requests where error like '%not in the SELECT%'", "labels"
    )
    assert reasons and {row[0] for row in reasons} == {1}
    assert statuses(site)["done"] == 20 - records
    for by in ("--message-batch", "--live"):
        again = go(site, by=by)
        assert again.code == 0 and "WARN" not in again.log and "nothing to do" in again.log


def test_records_that_come_back_get_the_answers_that_were_paid_for(claude, tmp_path):
    site = collected_without(claude, tmp_path / "standin", "id in (7, 8, 12)")
    assert go(site).code == 0
    site.change("insert into events select * from elsewhere where id in (7, 12)")
    again = go(site)
    assert again.code == 0 and "using the answers about 2 records" in again.log
    assert again.log.count(TOLD) == 1  # 8 is still gone, and its answer was opened with that of 7
    assert site.saved("select count(*) from labels where record_id in ('7', '12')") == [(2,)]
    last = go(site)
    assert last.code == 0 and "WARN" not in last.log
    assert set(billed_for(site).values()) == {1}


def test_a_record_whose_answer_was_forgotten_is_asked_when_it_comes_back(claude, tmp_path):
    site = collected_without(claude, tmp_path / "standin", "id between 6 and 10")
    assert go(site).code == 0
    site.change_ledger("labels", "update requests set answer = null where error is not null")
    site.change("insert into events select * from elsewhere where id = 7")
    assert go(site).code == 0  # notes that it is to be asked
    assert go(site).code == 0
    assert site.saved("select count(*) from labels where record_id = '7'") == [(1,)]


def test_a_dry_run_changes_nothing_about_them(claude, tmp_path):
    site = collected_without(claude, tmp_path / "standin", "id in (7, 8)")
    assert go(site).code == 0
    site.change("insert into events select * from elsewhere where id = 7")
    assert site.run(labels(), "--dry-run").code == 0
    assert requests_under_way(site) == 0


def test_what_is_only_outside_of_the_window_is_kept_for_a_run_without_one(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    site.events(events("2026-11-21", 10))
    site.events(events("2026-11-22", 10, first=100))
    job = labels(select=WINDOWED)
    options = ("--message-batch", "--chunk-size", "5")
    assert site.run(job, *options, "--wait", "0").code == 75
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    site = claude(state=folder, message_batch_seconds=0)
    result = site.run(job, *options, "--wait", "1d", "--since", "2026-11-22")
    assert result.code == 0 and TOLD not in result.log and "--since" in result.log
    assert site.run(job, *options).code == 0
    assert statuses(site) == {"done": 20}


WINDOWED = (
    "select id as record_id, content from events"
    " where created_at >= :start and created_at < :end order by id"
)
