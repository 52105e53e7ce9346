"""Reports with --stale: digests of older versions are asked for again, and never by themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import daily_report
from common.report.day_report import DayReport
from rigs.harness import Result, Site
from rigs.report_site import TONIGHT, days_reported, events, night

JOB = daily_report.JOB
NEWER = dataclasses.replace(JOB, instructions=JOB.instructions + "\nBe brief.")
DAYS = range(1, 22)


def report(site: Site, *arguments: str, job: Any = NEWER, today: Any = TONIGHT) -> Result:
    site.today = today
    return site.run(job, *arguments)


def site_of(claude: Any, *days: int, records: int = 2) -> Site:
    """A site with a report of each of these days of November, by the older version."""
    site: Site = claude(message_batch_seconds=0)
    for day in days:
        site.events(events(f"2026-11-{day:02}", records, first=day * 100))
        assert report(site, job=JOB, today=night(day + 1)).code == 0
    return site


def asked(site: Site) -> list[str]:
    """The ids of the records that were asked about, in that order, merges left out."""
    return [record for bill in site.billed() for record in bill["records"]]


def older(site: Site) -> int:
    """How many digested records are by another version than the newer one."""
    version = NEWER.version("claude-haiku-5-5")
    sql = f"select count(*) from records where status = 'done' and version <> '{version}'"
    return int(site.ledger(sql)[0][0])


def written(site: Site, day: int) -> int:
    """When a day's report was last written."""
    return (site.root / f"reports/daily_report/2026-11-{day:02}.md").stat().st_mtime_ns


def test_a_changed_prompt_changes_no_report_by_itself(claude):
    site = site_of(claude, 20, 21)
    before = asked(site)
    ended = report(site)
    assert (ended.code, asked(site)) == (0, before), ended.log
    site.events(events("2026-11-21", 1, first=9_999))
    assert report(site).code == 0
    assert asked(site)[len(before) :] == ["9999"], "a late record alone is digested"
    assert older(site) == 4


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
def test_stale_digests_every_reported_day_again_and_writes_its_report(claude, delivery):
    site = site_of(claude, 3, 20, 21)
    before, files = len(asked(site)), {day: written(site, day) for day in (3, 20, 21)}
    ended = report(site, "--stale", delivery)
    assert ended.code == 0, ended.log
    assert sorted(asked(site)[before:]) == ["2000", "2001", "2100", "2101", "300", "301"]
    assert older(site) == 0 and all(written(site, day) > at for day, at in files.items())
    if delivery == "--live":
        assert asked(site)[before:] == ["2101", "2100", "2001", "2000", "301", "300"]
    nothing = report(site, "--stale", delivery)
    assert nothing.code == 0 and len(asked(site)) == before + 6


def test_with_a_limit_the_newest_days_come_first_until_all_agree(claude):
    site = site_of(claude, 3, 4, 20, 21)
    before, nights = len(asked(site)), []
    for _ in range(3):
        files = {day: written(site, day) for day in (3, 4, 20, 21)}
        ended = report(site, "--stale", "--limit", "3")
        assert ended.code == 0, ended.log
        rewritten = [day for day, at in files.items() if written(site, day) > at]
        nights.append((asked(site)[before:], rewritten, older(site)))
        before = len(asked(site))
    assert nights == [
        (["2101", "2100", "2001"], [21], 5),
        (["2000", "401", "400"], [4, 20], 2),
        (["301", "300"], [3], 0),
    ]


def test_what_waits_comes_before_what_is_stale(claude):
    site = site_of(claude, 19, 20)
    site.events(events("2026-11-21", 2, first=2100))
    site.events(events("2026-11-19", 1, first=1950))
    before = len(asked(site))
    ended = report(site, "--stale", "--limit", "3")
    assert ended.code == 0, ended.log
    assert {*asked(site)[before:]} == {"1950", "2100", "2101"}
    assert days_reported(site) == ["2026-11-19", "2026-11-20", "2026-11-21"]


def test_days_that_are_named_are_the_ones_that_are_digested_again(claude):
    site = site_of(claude, 3, 4, 20)
    before = len(asked(site))
    assert report(site, "--stale", "--since", "2026-11-03", "--until", "2026-11-04").code == 0
    assert asked(site)[before:] == ["401", "400", "301", "300"]
    assert report(site, "--stale", "--date", "2026-11-20").code == 0
    assert older(site) == 0


def test_a_cap_leaves_the_rest_with_its_digests_and_reports(claude):
    site = site_of(claude, 3, 20, 21, records=8)
    files = {day: written(site, day) for day in (3, 20, 21)}
    ended = report(site, "--stale", "--max-cost", "0.0001")
    assert ended.code == 4, ended.log
    assert older(site) == 24 and {day: written(site, day) for day in files} == files
    assert report(site, "--stale").code == 0
    assert older(site) == 0 and all(written(site, day) > at for day, at in files.items())


def test_a_report_that_was_to_be_written_again_is_when_stale_runs_the_next_time(claude):
    site = site_of(claude, 3)

    def failing(folder: Any, day_report: DayReport) -> None:
        raise OSError("no")

    broken = dataclasses.replace(NEWER, save=failing)
    assert report(site, "--stale", job=broken).code == 78
    assert older(site) == 0
    before = written(site, 3)
    assert report(site, "--stale").code == 0
    assert written(site, 3) > before


def test_a_dry_run_counts_what_is_stale_only_where_it_is_asked_for(claude):
    site = site_of(claude, 3, 21)
    assert "records                   0" in report(site, "--dry-run").stdout
    assert "records                   4" in report(site, "--dry-run", "--stale").stdout
    limited = report(site, "--dry-run", "--stale", "--limit", "1").stdout
    assert "records                   1" in limited


def test_dead_letters_of_a_day_are_asked_alone_and_the_day_waits_for_the_others(claude):
    site = site_of(claude, 21)
    site.change_ledger(
        "daily_report", "update records set status = 'dead' where record_id = '2100'"
    )
    site.events(events("2026-11-21", 1, first=2150))
    before = len(asked(site))
    ended = report(site, "--retry-dead", job=JOB)
    assert ended.code == 0, ended.log
    assert asked(site)[before:] == ["2100"]
    assert "1 of 3 records wait" in ended.log
    assert report(site, job=JOB).code == 0
    assert asked(site)[before:] == ["2100", "2150"]
