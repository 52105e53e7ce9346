"""What a report says is kept in the ledger, for the next report and for other jobs."""

from __future__ import annotations

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
