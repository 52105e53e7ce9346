"""What a report says is kept in the ledger, for the next report and for other jobs."""

from __future__ import annotations

import pytest

from common.ledger.reported.stored_reports import StoredReport
from rigs.report_site import events, night, report, requests_sent
from rigs.stored import stored_reports_of


def test_a_report_is_kept_with_all_its_records_and_one_of_the_day_so_far_is_not(claude):
    site = claude()
    site.events(events("2026-11-20", 3) + events("2026-11-22", 2, first=9))
    assert report(site, "--since", "2026-11-20", "--until", "2026-11-21").code == 0
    assert report(site, "--today", today=night(22, hour=12)).code == 0
    full, empty = stored_reports_of(site)
    assert (full.window, full.records) == ("2026-11-20", 3)
    assert {one for entry in full.entries for one in entry.record_ids} == {"1", "2", "3"}
    assert full.summary and full.summary in site.report("2026-11-20")
    assert full.requests == 2 and full.usd
    assert empty == StoredReport("2026-11-21", 0, "", "")


def test_a_day_that_an_older_version_reported_is_stored_when_it_is_written_again_and_not_paid_for(
    claude,
):
    site = claude()
    site.events(events("2026-11-20", 3))
    days = ("--since", "2026-11-20", "--until", "2026-11-21")
    report(site, *days)
    before, sent = stored_reports_of(site), requests_sent(site)
    site.change_ledger("daily_report", "update windows set report = null")
    assert report(site).code == 0
    assert stored_reports_of(site) == [], "it counts as reported"
    assert report(site, *days).code == 0
    assert stored_reports_of(site) == before and requests_sent(site) == sent


@pytest.mark.sqlite("the SQL is that of the other tests")
def test_what_a_report_said_is_kept_when_its_records_and_its_page_are_gone(claude):
    site = claude()
    site.events(events("2026-11-20", 3))
    report(site, "--date", "2026-11-20")
    before = stored_reports_of(site)
    site.change("delete from events")
    report(site, "--date", "2026-11-20")
    page = site.root / "reports/daily_report/2026-11-20.md"
    assert "Where is my parcel" in page.read_text() and stored_reports_of(site) == before
    page.unlink()
    report(site, "--date", "2026-11-20")
    assert "the day has no records" in page.read_text() and stored_reports_of(site) == before


@pytest.mark.sqlite("the SQL is that of the other tests")
def test_a_page_of_an_older_version_that_tells_of_records_stays_where_they_are_gone(claude):
    site = claude()
    site.events(events("2026-11-20", 3))
    report(site, "--date", "2026-11-20")
    site.change("delete from events")
    site.change_ledger("daily_report", "update windows set report = null, made_from = ''")
    report(site, "--date", "2026-11-20")
    assert "Where is my parcel" in site.report("2026-11-20") and stored_reports_of(site) == []
