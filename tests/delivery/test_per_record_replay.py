"""Answers that were paid for and not saved, windows, changed records, and a source that is never
kept locked.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time

import pytest

from rigs.own_jobs import TABLE, labels, locked_save, save
from rigs.report_site import digested, events, requests_sent

DAY = "2026-11-21"
SAVED = "select record_id, saved from labels order by cast(record_id as integer)"
WINDOW = "select id as record_id, content from events where within(created_at, :start, :end)"
CHANGED = "select id || '@' || created_at as record_id, id, content from events"


def failing_save(db, record, output):
    raise RuntimeError(f"the labels of {record['record_id']} have nowhere to go")


def test_a_save_that_always_raises_is_the_jobs_and_the_next_run_saves_without_asking(claude):
    site = claude()
    site.events(events(DAY, 120))
    result = site.run(labels(save=failing_save), "--concurrency", "3")
    assert result.code == 78
    assert "save() raised RuntimeError: the labels of 3 have nowhere to go" in result.log
    assert "(test_per_record_replay.py:" in result.log and "Traceback" not in result.log
    assert result.summary["done"] == result.summary["dead"] == "0"
    paid = requests_sent(site)
    answered = site.ledger("select count(*) from records where status = 'answered'", "labels")[0][0]
    assert answered == len(digested(site)) > 0
    again = site.run(labels())
    assert again.code == 0, again.log
    assert site.saved(SAVED) == [(str(n), 1) for n in range(1, 121)]
    assert len(digested(site)) == 120, "nothing was paid for twice"
    assert requests_sent(site) == 3 and paid <= 3
    assert again.summary["done"] == "120"


def test_answers_that_waited_are_used_before_anything_else_is_sent(claude):
    site = claude()
    site.events(events(DAY, 2))
    site.run(labels(save=locked_save))
    # Nobody answers now, and nobody has to.
    claude(faults=[{"kind": "529"}])
    result = site.run(labels())
    assert result.code == 0, result.log
    assert site.saved(SAVED) == [("1", 1), ("2", 1)]
    assert site.ledger("select status from requests", "labels") == [("done",)]
    assert requests_sent(site) == 0


def test_answers_about_records_that_left_the_select_wait_and_are_used_when_they_are_back(claude):
    site = claude()
    site.events(events(DAY, 3))
    site.run(labels(save=locked_save))
    without = "select id as record_id, content from events where id <> 2"
    result = site.run(labels(select=without))
    assert result.code == 0, result.log
    assert "not in the SELECT now" in result.log
    assert site.saved(SAVED) == [("1", 1), ("3", 1)]
    assert site.run(labels()).code == 0
    assert site.saved(SAVED) == [("1", 1), ("2", 1), ("3", 1)]
    assert requests_sent(site) == 1


def test_a_stored_answer_that_is_no_good_is_asked_again(claude):
    site = claude(faults=[{"kind": "missing_id", "times": 1}])
    site.events(events(DAY, 3))
    site.run(labels(save=locked_save))
    assert site.run(labels()).code == 0
    assert site.saved(SAVED) == [("1", 1), ("2", 1), ("3", 1)]
    assert digested(site) == ["1", "1", "2", "3"]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ([], ["1", "2", "3", "4"]),
        (["--date", "2026-11-20"], ["2"]),
        (["--since", "2026-11-20"], ["2", "3", "4"]),
        (["--until", "2026-11-20"], ["1", "2"]),
        (["--since", "2026-11-20", "--until", "2026-11-21"], ["2", "3"]),
        (["--since", "2026-11-21T10:30"], ["4"]),
        (["--until", "2026-11-21T11:00+01:00"], ["1", "2"]),
    ],
)
def test_a_window_takes_the_records_of_the_named_days_and_times(claude, options, ids):
    site = claude()
    days = ("2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22")
    for n, day in enumerate(days, 1):
        site.events(events(day, 1, first=n)[:1])
    site.change("update events set created_at = substr(created_at, 1, 11) || '10:00:00'")
    assert site.run(labels(select=WINDOW), *options).code == 0
    assert digested(site) == ids


def test_a_window_follows_the_reports_zone(claude):
    site = claude()
    site.events([(1, "x", "2026-11-20 22:59:59"), (2, "y", "2026-11-20 23:00:00")])
    result = site.run(labels(select=WINDOW), "--date", "2026-11-21", REPORT_TZ="Europe/Berlin")
    assert result.code == 0, result.log
    assert digested(site) == ["2"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_window_at_the_ends_of_the_calendar_is_no_bug(claude, day):
    site = claude()
    site.events(events(DAY, 1))
    for zone in ("Asia/Tokyo", "America/New_York"):
        for option in ("--since", "--until", "--date"):
            result = site.run(labels(select=WINDOW), option, day, REPORT_TZ=zone)
            assert result.code in (0, 2), result.log


def test_since_after_until_is_wrong_usage_here_too(site):
    site.events(events(DAY, 1))
    result = site.run(labels(select=WINDOW), "--since", "2026-11-21", "--until", "2026-11-20")
    assert result.code == 2, result.log
    assert "--since must come before --until" in result.log


def test_a_record_that_changed_is_asked_again_where_its_id_says_so(claude):
    site = claude()
    site.events(events(DAY, 3))
    site.run(labels(select=CHANGED))
    site.change("update events set created_at = '2026-11-22 08:00:00' where id = 2")
    assert site.run(labels(select=CHANGED)).code == 0
    assert [len(bill["records"]) for bill in site.billed()] == [3, 1]
    asked = site.ledger("select record_ids from requests order by created_at, request_id", "labels")
    assert json.loads(asked[1][0]) == ["2@2026-11-22 08:00:00"]


def test_others_can_write_the_source_while_requests_are_in_flight(claude):
    site = claude(latency=0.15)
    site.events(events(DAY, 40))
    waited: list[float] = []

    def show(record):
        # Called while the next requests are made and those before them are in flight.
        began = time.monotonic()
        with site.databases.records(patience=0) as other:
            values = (1_000 + len(waited), "new", "2026-11-22")
            other.execute("insert into events values (?, ?, ?)", values)
        waited.append(time.monotonic() - began)
        return record["content"]

    result = site.run(labels(show=show), "--concurrency", "2", "--chunk-size", "5")
    assert result.code == 0, result.log
    assert site.saved("select count(*) from labels") == [(40,)]
    assert site.saved("select count(*) from events") == [(40 + len(waited),)]


@pytest.mark.sqlite("a file that is locked")
def test_a_source_that_somebody_else_keeps_locked_loses_no_answer(claude):
    site = claude()
    site.events(events(DAY, 3))
    site.run(labels(), "--limit", "1")
    other = sqlite3.connect(site.source, isolation_level=None)

    def show(record):
        if not other.in_transaction:
            other.execute("begin immediate")
        return record["content"]

    impatient = dataclasses.replace(labels(show=show), tables=TABLE + "pragma busy_timeout = 50;")
    result = site.run(impatient)
    assert result.code == 69, result.log
    assert "locked" in result.log
    other.execute("rollback")
    other.close()
    assert site.run(labels(save=save)).code == 0
    assert site.saved(SAVED) == [("1", 1), ("2", 1), ("3", 1)]
    assert digested(site) == ["1", "2", "3"]
