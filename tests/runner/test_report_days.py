"""Which days a run reports: the first run, missed nights, named days, late records, empty days."""

from __future__ import annotations

import dataclasses

import pytest

import daily_report
from rigs.report_site import TONIGHT, days_reported, digested, events, night, report, requests_sent


def test_the_very_first_run_takes_the_last_finished_day_alone(claude):
    site = claude()
    for day in (19, 20, 21, 22):
        site.events(events(f"2026-11-{day}", 2, first=day * 100))
    assert report(site).code == 0
    assert days_reported(site) == ["2026-11-21"]
    assert digested(site) == ["2100", "2101"]


def test_every_finished_day_since_the_last_report_is_made_up_for(claude):
    site = claude()
    for day in range(15, 22):
        site.events(events(f"2026-11-{day}", 1, first=day))
    report(site, today=night(16))
    result = report(site, today=night(22))
    assert result.code == 0
    assert days_reported(site) == [f"2026-11-{day}" for day in range(15, 22)]
    assert digested(site) == [str(day) for day in range(15, 22)]
    assert "never reported" not in result.log


def test_at_most_seven_days_are_made_up_for_and_the_older_ones_are_named_with_the_remedy(claude):
    site = claude()
    for day in range(10, 22):
        site.events(events(f"2026-11-{day}", 1, first=day))
    report(site, today=night(11))
    result = report(site, today=night(22))
    assert result.code == 0
    assert days_reported(site) == ["2026-11-10", *(f"2026-11-{day}" for day in range(15, 22))]
    assert "from 2026-11-11 to 2026-11-14 were never reported" in result.log
    assert "--since 2026-11-11" in result.log
    report(site, "--since", "2026-11-11", "--until", "2026-11-14")
    assert days_reported(site) == [f"2026-11-{day}" for day in range(10, 22)]
    assert digested(site) == [str(day) for day in range(10, 22)]


def test_a_day_reported_by_hand_does_not_hide_the_nights_that_were_missed_before_it(claude):
    site = claude()
    for day in range(17, 22):
        site.events(events(f"2026-11-{day}", 1, first=day))
    report(site, today=night(18))
    result = report(site, "--date", "2026-11-21")
    assert "2026-11-18 to 2026-11-20" in result.log
    assert "--since 2026-11-18" in result.log


def test_a_day_without_records_is_said_once(claude):
    site = claude()
    site.events(events("2026-11-19", 2))
    report(site, today=night(20))
    first = report(site, today=night(22))
    assert first.log.count("2026-11-20: no records") == 1
    assert first.log.count("2026-11-21: no records") == 1
    again = report(site, today=night(22, hour=3))
    assert "no records" not in again.log
    assert "nothing to do" in again.log
    assert days_reported(site) == ["2026-11-19", "2026-11-20", "2026-11-21"]


def test_a_day_without_records_has_a_page_and_its_neighbours_link_to_it(claude):
    site = claude()
    for day in (19, 21):
        site.events(events(f"2026-11-{day}", 2, first=day * 10))
    report(site, today=night(20))
    assert report(site, today=night(22)).code == 0
    assert "No summary: the day has no records" in site.report("2026-11-20")
    folder = site.root / "reports/daily_report"
    page = (folder / "2026-11-20.html").read_text(encoding="utf-8")
    assert 'href="2026-11-19.html"' in page and 'href="2026-11-21.html"' in page
    index = (site.root / "reports/index.html").read_text(encoding="utf-8")
    assert [f"2026-11-{day}.html" in index for day in (19, 20, 21)] == [True] * 3
    assert len(site.billed()) == 4


def test_a_report_stays_where_its_records_are_gone_from_the_database(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    report(site)
    before = site.report("2026-11-21")
    site.change("delete from events")
    assert report(site, "--date", "2026-11-21").code == 0
    assert site.report("2026-11-21") == before


def test_a_save_that_fails_for_a_day_without_records_is_told_of(claude):
    site = claude()
    site.events(events("2026-11-19", 1))

    def save(folder, report):
        report.sections[0]

    site.today = night(21)
    job = dataclasses.replace(daily_report.JOB, save=save)
    result = site.run(job)
    assert result.code == 78, result.log
    assert "2026-11-20: save() raised IndexError" in result.log


def test_a_day_without_records_is_said_each_time_it_is_named(claude):
    site = claude()
    site.events(events("2026-11-19", 1))
    for _ in range(2):
        result = report(site, "--date", "2026-11-20")
        assert result.code == 0
        assert "2026-11-20: no records" in result.log


def test_a_day_that_was_empty_gets_its_report_when_records_arrive(claude):
    site = claude()
    site.events(events("2026-11-20", 1))
    report(site)
    assert "**0 records**" in site.report("2026-11-21")
    site.events(events("2026-11-21", 2, first=10))
    report(site, today=night(22, hour=3))
    assert days_reported(site) == ["2026-11-21"]
    assert "**2 records**" in site.report("2026-11-21")


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (["--date", "2026-11-18"], ["2026-11-18"]),
        (["--date", "2026-11-18T23:59"], ["2026-11-18"]),
        (["--since", "2026-11-20"], ["2026-11-20", "2026-11-21"]),
        (["--until", "2026-11-18"], ["2026-11-18"]),
        (["--since", "2026-11-18", "--until", "2026-11-19"], ["2026-11-18", "2026-11-19"]),
        # In Berlin it is one o'clock of the next day by then.
        (["--since", "2026-11-18T23:30Z", "--until", "2026-11-19"], ["2026-11-19"]),
        (["--until", "2026-11-19T01:00+03:00"], ["2026-11-18"]),
    ],
)
def test_days_are_named_by_dates_by_times_and_by_times_with_an_offset(claude, options, days):
    site = claude()
    for day in range(17, 22):
        site.events(events(f"2026-11-{day}", 1, first=day))
    assert report(site, *options, REPORT_TZ="Europe/Berlin").code == 0
    assert days_reported(site) == days


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--date", "2026-11-22"], "2026-11-22 is not over"),
        (["--since", "2026-11-20", "--until", "2026-12-24"], "2026-12-24 is not over"),
        (["--since", "2026-11-20", "--until", "2026-11-19"], "swap them"),
        (["--date", "2026-11-20", "--since", "2026-11-19"], "--date is a window of its own"),
        (["--date", "yesterday"], "'yesterday' is not an ISO date"),
        (["--date", "2026-02-30"], "'2026-02-30' is not an ISO date"),
        (["--date", ""], "'' is not an ISO date"),
        (["--date", "0001-01-01"], "0001-01-01"),
        (["--until", "9999-12-31T23:59-12:00"], "9999-12-31"),
    ],
)
def test_days_that_cannot_be_reported_are_wrong_usage(site, options, said):
    site.events(events("2026-11-20", 1))
    result = report(site, *options)
    assert result.code == 2, result.log
    assert said in result.log
    assert "Traceback" not in result.log


def test_the_last_finished_day_ends_at_midnight_in_the_reports_zone(claude):
    site = claude()
    site.events(events("2026-11-20", 1, first=20) + events("2026-11-21", 1, first=21))
    # In New York it is still the evening of the 21st.
    report(site, today=TONIGHT, REPORT_TZ="America/New_York")
    assert days_reported(site) == ["2026-11-20"]


def test_only_the_records_that_arrived_late_are_sent_and_the_report_tells_of_all(claude):
    site = claude()
    site.events(events("2026-11-21", 60))
    report(site)
    sent = requests_sent(site)
    site.events(events("2026-11-21", 3, first=100))
    result = report(site, today=night(22, hour=3))
    assert result.code == 0
    assert requests_sent(site) == sent + 2  # the new records, and the merge
    assert site.billed()[sent]["records"] == ["100", "101", "102"]
    assert len(digested(site)) == 63
    assert "**63 records**" in site.report("2026-11-21")
    assert "written again" in result.log


def test_records_may_arrive_late_for_seven_days(claude):
    site = claude()
    site.events(events("2026-11-15", 1, first=1) + events("2026-11-14", 1, first=2))
    report(site, today=night(15))
    report(site, today=night(16))
    site.events(events("2026-11-15", 1, first=3) + events("2026-11-14", 1, first=4))
    report(site, today=night(22))
    assert "**2 records**" in site.report("2026-11-15")
    assert "**1 record**" in site.report("2026-11-14"), "eight days back: left alone"


def test_a_late_record_reaches_the_report_although_the_run_that_sent_it_could_not_write_it(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    report(site)
    site.events([(9, "A late word about glazing", "2026-11-21 12:00:00")])
    claude(faults=[{"kind": "529", "when": {"contains": "<findings"}}])
    assert report(site, today=night(22, hour=3)).code == 69
    assert "**2 records**" in site.report("2026-11-21"), "the old one stays, whole"
    claude()
    assert report(site, today=night(22, hour=4)).code == 0
    assert "**3 records**" in site.report("2026-11-21")
    assert digested(site) == [], "the merge alone was missing"


def test_a_copy_of_the_job_over_the_same_records_writes_its_own_report(claude):
    site = claude()
    site.events(events("2026-11-21", 3))
    assert report(site).code == 0
    copy = dataclasses.replace(daily_report.JOB, name="second_report")
    result = site.run(copy)
    assert result.code == 0, result.log
    assert "**3 records**" in site.report("2026-11-21", "second_report")
    assert result.summary["requests"] == "2", "it finds the same, and pays for it itself"
