"""When a record belongs to a day: zones, clocks that change, every form of created_at, times nobody
can read.
"""

from __future__ import annotations

import dataclasses
import sqlite3

import pytest

import daily_report
from rigs.report_site import digested, events, night, report, requests_sent

BERLIN = "Europe/Berlin"

# What is the same instant, 2026-11-20 10:00:00 UTC, in every form that created_at is found in.
FORMS = (
    "2026-11-20 10:00:00",
    "2026-11-20 10:00:00.500",
    "2026-11-20T10:00:00",
    "2026-11-20T10:00:00Z",
    "2026-11-20T10:00:00.123456Z",
    "2026-11-20 10:00:00+00:00",
    "2026-11-20T12:00:00+02:00",
    "2026-11-20T05:00:00-05:00",
    "2026-11-20T15:30:00+05:30",
    "2026-11-20 10:00",
    "20261120T100000Z",
    1795168800,
    1795168800.25,
    "1795168800",
    "1795168800.75",
    " 2026-11-20 10:00:00 ",
    "2026-11-20 10:00:00.252 +00:00",
    "2026-11-20 10:00:00 UTC",
    "Fri, 20 Nov 2026 10:00:00 +0000",
    "Fri Nov 20 2026 11:00:00 GMT+0100 (Central European Standard Time)",
    1795168800252,
    "1795168800252000",
    2461364.916666667,
    b"2026-11-20 10:00:00",
)
UNREADABLE = (
    None,
    "",
    "soon",
    "2026-11-20 25:00:00",
    "2026-02-30 10:00:00",
    "20.11.2026 10:00",
    b"\x00",
)


def at(*times: object) -> list[tuple[int, str, object]]:
    """A record for each of these times."""
    return [(n, f"Message {n} about a parcel", time) for n, time in enumerate(times, 1)]


@pytest.mark.sqlite("a column that holds values of every type")
@pytest.mark.parametrize("column_type", ["TEXT", "INTEGER", "REAL", "DATETIME", "TIMESTAMP", ""])
def test_every_form_of_time_is_understood_in_one_table_whatever_its_column_is_declared_as(
    claude, column_type
):
    site = claude()
    site.events(at(*FORMS), column_type)
    result = report(site, "--date", "2026-11-20")
    assert result.code == 0, result.log
    assert f"**{len(FORMS)} records**" in site.report("2026-11-20")
    assert f"Busiest hour: 10:00, with {len(FORMS)} records" in site.report("2026-11-20")
    assert len(digested(site)) == len(FORMS)


def test_every_form_but_those_with_names_of_days_is_understood_in_a_column_of_texts(claude):
    site = claude()
    forms = [form for form in FORMS if not str(form).startswith("Fri")]
    site.events(at(*forms), "text")
    result = report(site, "--date", "2026-11-20")
    assert result.code == 0, result.log
    assert f"**{len(forms)} records**" in site.report("2026-11-20")
    assert len(digested(site)) == len(forms) == len(FORMS) - 2


def test_times_nobody_can_read_are_counted_and_said_in_the_log_and_in_the_report(claude):
    site = claude()
    site.events(at("2026-11-20 10:00:00", *UNREADABLE))
    result = report(site, "--date", "2026-11-20")
    assert result.code == 0, result.log
    assert f"{len(UNREADABLE)} records have a created_at that is no time" in result.log
    assert f"{len(UNREADABLE)} records of the source have no readable time" in site.report(
        "2026-11-20"
    )
    assert digested(site) == ["1"]


@pytest.mark.parametrize(
    "where",
    ["created_at >= :start and created_at < :end", ":start <= :end"],
    ids=["as text", "not at all"],
)
def test_a_select_that_compares_by_itself_sends_each_record_with_its_own_day_alone(claude, where):
    site = claude()
    select = f"select id as record_id, content, created_at from events where {where}"
    job = dataclasses.replace(daily_report.JOB, select=select)
    site.events(
        at("2026-11-20 10:00:00", "2026-11-20 25:00:00", "2026-11-21 10:00:00", "2026-11-20T11:00")
    )
    site.today = night(22)
    result = site.run(job, "--since", "2026-11-20", "--until", "2026-11-21")
    assert result.code == 0, result.log
    assert digested(site) == ["1", "3", "4"]
    assert "**2 records**" in site.report("2026-11-20")
    assert "**1 record**" in site.report("2026-11-21")
    assert "1 record has a created_at that is no time, such as '2026-11-20 25:00:00'" in result.log


def test_midnight_belongs_to_the_day_it_begins_and_the_last_second_to_the_day_it_ends(claude):
    site = claude()
    # In Berlin, the 20th of November runs from 23:00 to 23:00 UTC.
    times = ["2026-11-19 22:59:59", "2026-11-19 23:00:00", "2026-11-20 22:59:59"]
    site.events(at(*times, "2026-11-20T22:59:59.999Z", "2026-11-20 23:00:00"))
    report(site, "--date", "2026-11-20", REPORT_TZ=BERLIN)
    assert digested(site) == ["2", "3", "4"]
    assert "Times are in Europe/Berlin" in site.report("2026-11-20")


@pytest.mark.parametrize(
    ("day", "hours", "first", "last"),
    [
        # The clocks go forward in March, back in October; both at 01:00 UTC.
        ("2026-03-29", 23, "2026-03-28 23:00:00", "2026-03-29 21:59:59"),
        ("2025-10-26", 25, "2025-10-25 22:00:00", "2025-10-26 22:59:59"),
    ],
)
def test_a_day_on_which_the_clocks_change_has_all_its_hours(claude, day, hours, first, last):
    site = claude()
    start = sqlite3.connect(":memory:").execute("select unixepoch(?)", (first,)).fetchone()[0]
    every_hour = [start + 3600 * n for n in range(hours)]
    site.events(at(start - 1, *every_hour, last, start + 3600 * hours))
    assert report(site, "--date", day, REPORT_TZ=BERLIN).code == 0
    written = site.report(day)
    assert f"**{hours + 1} records**" in written
    assert f"this day had {hours} hours" in written
    assert written.count("\n02 ") == (2 if hours == 25 else 0)
    assert len(digested(site)) == hours + 1


@pytest.mark.parametrize(("before", "after"), [(BERLIN, "America/New_York"), ("UTC", "Asia/Tokyo")])
def test_another_zone_sends_no_record_again_and_counts_each_once_in_a_report(claude, before, after):
    site = claude()
    hours = [f"2026-11-{day} {hour:02}:30:00" for day in (19, 20, 21) for hour in range(24)]
    site.events(at(*hours))
    report(site, "--since", "2026-11-19", "--until", "2026-11-20", REPORT_TZ=before)
    assert report(site, "--since", "2026-11-19", REPORT_TZ=after, today=night(22, 12)).code == 0
    sent = digested(site)
    assert len(sent) == len(set(sent)), "no record was paid for twice"
    assert "**24 records**" in site.report("2026-11-20")
    chart = [line.split()[1] for line in site.report("2026-11-20").split("```")[1].splitlines()[1:]]
    assert chart == ["1"] * 24, "no record is counted twice"
    again = requests_sent(site)
    report(site, REPORT_TZ=after, today=night(22, 13))
    assert requests_sent(site) == again


def test_an_unknown_zone_is_a_wrong_setting_with_the_remedy(site):
    site.events(events("2026-11-21", 1))
    for name in ("Mars/Olympus", "../../etc/passwd", "CEST"):
        result = report(site, REPORT_TZ=name)
        assert result.code == 78
        assert f"REPORT_TZ={name}: no such time zone here" in result.log


@pytest.mark.parametrize("name", ["UTC+99", "<+03>-3", "Mars/Olympus"])
def test_an_unknown_zone_of_the_machine_is_not_blamed_on_a_setting_that_is_not_there(
    site, monkeypatch, name
):
    site.events(events("2026-11-21", 1))
    monkeypatch.setenv("TZ", name)
    result = report(site, REPORT_TZ="")
    assert result.code == 78
    assert f"the machine's own, REPORT_TZ not set, is {name}: no such time zone" in result.log
    assert "REPORT_TZ=" not in result.log


@pytest.mark.parametrize("value", [20261120, "20261120", "2026-11-20", b"2026-11-20"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati", "UTC"])
@pytest.mark.parametrize("column_type", ["DATE", "TEXT"])
def test_a_date_without_a_time_is_in_the_report_of_that_date(claude, value, zone, column_type):
    site = claude()
    site.events([(1, "Where is my parcel?", value)], column_type)
    result = report(site, "--date", "2026-11-20", REPORT_TZ=zone)
    assert result.code == 0, result.log
    assert "**1 record**" in site.report("2026-11-20")
    report(site, "--date", "2026-11-19", REPORT_TZ=zone)
    assert digested(site) == ["1"]


@pytest.mark.parametrize("value", ["20/11/2026 10:00", b"\x01\x02", None, "soon"])
def test_where_no_row_has_a_readable_time_the_run_is_78_with_the_example(claude, value):
    site = claude()
    site.events(at(value, value, value))
    result = report(site)
    assert result.code == 78, result.log
    said = value.hex() if isinstance(value, bytes) else repr(value)
    assert said in result.log.replace("\\x", "") and "created_at" in result.log
    assert "Traceback" not in result.log
    assert requests_sent(site) == 0
    assert report(site, "--dry-run").code == 78


def test_it_is_so_too_where_the_select_has_a_condition_of_its_own(claude):
    site = claude()
    where = "created_at >= :start and created_at < :end"
    select = f"select id as record_id, content, created_at from events where {where}"
    site.events(at("21/11/2026 10:00", "22/11/2026 10:00"))
    site.today = night(22)
    result = site.run(dataclasses.replace(daily_report.JOB, select=select))
    assert result.code == 78, result.log
    assert "/11/2026 10:00'" in result.log


def test_one_readable_time_among_many_that_are_none_is_enough_to_go_on(claude):
    site = claude()
    site.events(at("soon", "2026-11-21 10:00:00", None))
    result = report(site)
    assert result.code == 0, result.log
    assert "2 records have a created_at that is no time" in result.log
    assert result.summary["undated"] == "2"
    assert digested(site) == ["2"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (46347, "46347, which reads as 1970-01-01T12:52:27Z"),  # days of a spreadsheet
        ("46347.5", "46347.5, which reads as 1970-01-01T12:52:27Z"),
        (816_948_015, "816948015, which reads as 1995-11-21"),  # seconds since 2001
        (13_439_903_415_000_000, "13439903415000000, which reads as 2395-"),  # since 1601
    ],
)
def test_numbers_whose_newest_lies_decades_away_are_asked_about(claude, value, said):
    site = claude()
    site.events(at(value))
    result = report(site)
    assert result.code == 0, result.log
    assert said in result.log
    assert "what does it count?" in result.log


def test_old_times_that_are_no_numbers_are_no_question(claude):
    site = claude()
    site.events(at("1995-11-21 10:00:00"))
    assert "what does it count?" not in report(site).log


@pytest.mark.parametrize(
    "where",
    ["within(created_at, :start, :end)", "created_at >= :start and created_at < :end"],
    ids=["within()", "its own condition"],
)
def test_where_yesterday_has_no_record_the_day_and_the_newest_record_are_named(claude, where):
    site = claude()
    select = f"select id as record_id, content, created_at from events where {where}"
    job = dataclasses.replace(daily_report.JOB, select=select)
    site.events(at("2026-10-20 10:00:00", "2026-10-21 11:30:00", "2026-10-19 10:00:00"))
    site.today = night(22)
    estimate = site.run(job, "--dry-run")
    said = "looked at 2026-11-21 (UTC): nothing; the newest record there is: 2026-10-21T11:30:00Z"
    assert said in estimate.stdout
    result = site.run(job)
    assert result.code == 0, result.log
    assert said in result.log
    assert result.summary["newest"] == "2026-10-21T11:30:00Z"
    again = site.run(job)
    assert "looked at 2026-11-21 (UTC): nothing" in again.log


def test_a_table_without_any_record_says_so(claude):
    site = claude()
    site.events([])
    result = report(site)
    assert result.code == 0
    assert "the SELECT gives no record of any day" in result.log
