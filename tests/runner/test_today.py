"""--today: the day so far, marked as such; the night's run makes the whole day's report."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

import bulk_classifier
from rigs.report_site import days_reported, digested, events, night, report

DAY = "2026-11-21"
NOON = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
SO_FAR = f"{DAY}-so-far"


def test_the_day_so_far_is_marked_in_title_and_file_and_never_counts_as_reported(claude):
    site = claude()
    site.events(events(DAY, 3))
    result = report(site, "--today", today=NOON)
    assert result.code == 0, result.log
    assert days_reported(site) == [SO_FAR]
    title = "# Daily report, Saturday 21 November 2026, so far: what was there at 12:05\n"
    assert site.report(SO_FAR).startswith(title) and "**3 records**." in site.report(SO_FAR)
    page = (site.root / f"reports/daily_report/{SO_FAR}.html").read_text(encoding="utf-8")
    assert "Saturday 21 November 2026, so far: what was there at 12:05</title>" in page
    assert site.ledger("select * from windows") == []
    table = (site.root / f"reports/daily_report/{SO_FAR}.csv").read_text(encoding="utf-8-sig")
    assert table.startswith('"section","finding","record_id"') and f"{SO_FAR}.csv" in page


def test_the_night_pays_for_what_is_new_alone_and_its_report_takes_the_others_place(claude):
    site = claude()
    site.events(events(DAY, 3))
    report(site, "--today", today=NOON)
    site.events(events(DAY, 2, first=10))
    result = report(site)
    assert result.code == 0, result.log
    assert digested(site) == ["1", "2", "3", "10", "11"], "each of them once"
    assert days_reported(site) == [DAY]
    assert "**5 records**" in site.report(DAY) and "so far" not in site.report(DAY)
    assert [path.name for path in (site.root / "reports/daily_report").iterdir()
            if "so-far" in path.name] == []  # fmt: skip
    index = (site.root / "reports/index.html").read_text(encoding="utf-8")
    assert f"daily_report/{DAY}.html" in index and SO_FAR not in index
    assert site.ledger('select "window", records from windows') == [(DAY, 5)]


def test_a_night_that_finds_nothing_new_pays_nothing(claude):
    site = claude()
    site.events(events(DAY, 3))
    report(site, "--today", today=NOON)
    paid = len(site.billed())
    again = report(site, "--today", today=NOON.replace(hour=14))
    assert again.code == 0 and "at 14:05" in site.report(SO_FAR)
    report(site)
    assert len(site.billed()) == paid == 2
    assert days_reported(site) == [DAY]


def test_a_day_that_was_never_reported_is_not_hidden_by_today(claude):
    site = claude()
    for day in (19, 20, 21):
        site.events(events(f"2026-11-{day}", 1, first=day))
    report(site, today=night(20))
    report(site, "--today", today=NOON)
    report(site, today=night(22))
    assert days_reported(site) == ["2026-11-19", "2026-11-20", "2026-11-21"]


def test_a_part_of_the_day_waits_until_all_of_it_is_digested(claude):
    site = claude()
    site.events(events(DAY, 3))
    result = report(site, "--today", "--limit", "1", today=NOON)
    assert result.code == 0 and days_reported(site) == []
    report(site, "--today", today=NOON)
    assert days_reported(site) == [SO_FAR] and digested(site) == ["1", "2", "3"]


def test_a_day_that_has_no_records_so_far_says_so_and_sends_nothing(claude):
    site = claude()
    site.events(events("2026-11-19", 1))
    result = report(site, "--today", today=NOON)
    assert result.code == 0 and site.billed() == []
    assert "No summary: the day has no records; the newest there is" in site.report(SO_FAR)
    assert site.ledger("select * from windows") == []


def test_what_today_would_cost_is_said_before(claude):
    site = claude()
    site.events(events(DAY, 3))
    dry = report(site, "--today", "--dry-run", "--json", today=NOON)
    assert json.loads(dry.stdout)["records"] == 3
    assert site.billed() == [] and not (site.root / "reports").exists()


@pytest.mark.parametrize("other", ["--date=2026-11-20", "--since=2026-11-20", "--until=2026-11-20"])
@pytest.mark.sqlite("no database is opened")
def test_today_is_a_day_of_its_own(site, other):
    result = report(site, "--today", other, today=NOON)
    assert result.code == 2 and "leave out --date, --since and --until" in result.log


@pytest.mark.sqlite("no database is opened")
def test_today_is_about_no_older_version_and_for_reports_alone(site):
    assert report(site, "--today", "--stale", today=NOON).code == 2
    result = site.run(bulk_classifier.JOB, "--today")
    assert result.code == 2 and "--today" in result.log
