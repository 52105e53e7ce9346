"""Rows that nothing is sent about: without an id or a time. One must not stop every night."""

from __future__ import annotations

import re

import pytest

from rigs.harness import json_of
from rigs.own_jobs import SELECT, labels
from rigs.report_site import digested, events, report, requests_sent

DAY = "2026-11-21"
WINDOW = SELECT.replace("order by", "where within(created_at, :start, :end) order by")


def add(site, *rows):
    """Rows (id, content, created_at) of a table that lets an id be NULL, as SQLite's own do."""
    site.table("events", "id text, content, created_at", rows)


def nameless(*ids):
    return [(one, "Where is my parcel?", f"{DAY} 10:00:00") for one in ids]


@pytest.mark.parametrize("record_id", [None, ""])
def test_a_row_without_an_id_is_told_of_and_the_others_are_done(claude, record_id):
    site = claude()
    add(site, *events(DAY, 59), *nameless(record_id))
    result = site.run(labels())
    assert result.code == 3, result.log
    assert result.summary["done"] == "59" and result.summary["without_id"] == "1"
    assert "1 row with a record_id that is NULL or empty" in result.log
    assert len(digested(site)) == 59, "nothing is paid for it"
    again = site.run(labels())
    assert again.code == 0, again.log
    assert "NULL or empty" in again.log and again.summary["without_id"] == "1"


def test_one_more_row_without_an_id_ends_with_3_again(claude):
    site = claude()
    add(site, *events(DAY, 3), *nameless(None))
    assert [site.run(labels()).code for _ in range(2)] == [3, 0]
    add(site, *nameless(None))
    assert [site.run(labels()).code for _ in range(2)] == [3, 0]
    site.change("delete from events where id is null")
    result = site.run(labels())
    assert result.code == 0 and "without_id" not in result.summary
    add(site, *nameless(None))
    assert site.run(labels()).code == 3


def test_a_run_that_did_not_come_to_its_end_has_told_nobody(claude):
    site = claude(faults=[{"kind": "401"}])
    add(site, *events(DAY, 3), *nameless(None))
    assert site.run(labels()).code == 77
    site = claude()
    assert site.run(labels()).code == 3


def test_a_dry_run_tells_of_it_and_does_not_count_as_having_told(claude):
    site = claude()
    add(site, *events(DAY, 3), *nameless(None))
    estimate = site.run(labels(), "--dry-run")
    assert estimate.code == 0 and "NULL or empty" in estimate.log
    assert site.run(labels()).code == 3


def test_the_daily_report_is_written_without_the_row_that_has_no_id(claude):
    site = claude()
    add(site, *events(DAY, 4), *nameless(None))
    result = report(site)
    assert result.code == 3, result.log
    assert "**4 records**" in site.report(DAY)
    assert result.log.count("NULL or empty") == 1
    assert report(site).code == 0


@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("--json",)])
def test_where_no_row_has_an_id_the_run_is_78_with_the_remedy(claude, arguments):
    site = claude()
    add(site, *nameless(None, "", None))
    result = site.run(labels(), *arguments)
    assert result.code == 78, result.log
    assert "3 rows" in result.log and "`id as record_id`" in result.log
    assert requests_sent(site) == 0


@pytest.mark.parametrize("value", [b"\x01\x02\xff", b"16 bytes of uuid"])
def test_ids_of_bytes_are_78_in_every_run_and_nothing_is_paid(claude, value):
    site = claude()
    site.events((one, "Where is my parcel?", f"{DAY} 10:00:00") for one in (b"ascii", value))
    for arguments in ((), ("--dry-run",), ("--live",)):
        result = site.run(labels(), *arguments)
        assert result.code == 78
        assert re.search(r"`(hex\(id\)|encode\(id, 'hex'\)) as record_id`", result.log)
    assert requests_sent(site) == 0


def test_a_job_with_a_window_tells_of_times_that_are_none(claude):
    site = claude()
    site.events([*events(DAY, 2), (9, "Late", "21/11/2026")])
    result = site.run(labels(select=WINDOW))
    assert result.code == 0, result.log
    assert "1 record has a created_at that is no time, such as '21/11/2026'" in result.log
    assert digested(site) == ["1", "2"]


def test_a_job_with_a_window_and_no_readable_time_is_78(claude):
    site = claude()
    site.events([(n, "Hello", "21/11/2026") for n in range(3)])
    result = site.run(labels(select=WINDOW))
    assert result.code == 78 and "'21/11/2026'" in result.log
    assert requests_sent(site) == 0


def test_a_job_with_an_empty_window_says_where_the_records_are(claude):
    site = claude()
    site.events(events(DAY, 2))
    result = site.run(labels(select=WINDOW), "--since", "2026-11-22")
    assert result.code == 0, result.log
    assert "no record in this window; the newest there is: 2026-11-21T10:02:00Z" in result.log
    assert result.summary["newest"] == "2026-11-21T10:02:00Z"


def test_a_job_with_a_window_puts_a_date_into_that_day_in_its_zone(claude):
    site = claude()
    site.events([(1, "Hello", DAY), (2, "Hello", "2026-11-22")])
    for zone in ("America/New_York", "Asia/Tokyo"):
        found = site.run(
            labels(select=WINDOW), "--date", DAY, "--dry-run", "--json", REPORT_TZ=zone
        )
        assert json_of(found)["records"] == 1
