"""Days and hours in time zones where clocks change, and the machine's own zone."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common.times import Day, day_of, hour_of, zone

ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"),
    *("America/Havana", "Pacific/Kiritimati", "Africa/Casablanca", "Asia/Kathmandu"),
]


@pytest.mark.parametrize("name", ZONES)
def test_every_instant_of_two_years_belongs_to_one_day_and_one_hour_of_it(name):
    tz = ZoneInfo(name)
    day = Day(date(2025, 1, 1), tz)
    at = day.start
    while day.date.year < 2027:
        hours = list(day.hours())
        assert len(set(hours)) == len(hours)
        assert day.start < day.end == day.plus(1).start
        minutes: Counter[tuple[int, int]] = Counter()
        while at < day.end:
            assert day_of(at, tz) == day
            minutes[hour_of(at, tz)] += 15
            at += timedelta(minutes=15)
        # All hours of the day have come, in order, and together they are as long as the day.
        assert list(minutes) == hours
        assert max(minutes.values()) <= 60
        assert sum(minutes.values()) * 60 == (day.end - day.start).total_seconds()
        day = day.plus(1)


@pytest.mark.parametrize(
    ("name", "day", "hours", "length"),
    [
        ("Europe/Berlin", "2026-03-29", 23, 23),
        ("Europe/Berlin", "2026-10-25", 25, 25),
        ("America/New_York", "2026-03-08", 23, 23),
        ("America/New_York", "2026-11-01", 25, 25),
        ("Australia/Lord_Howe", "2026-04-05", 25, 24.5),
        ("Australia/Lord_Howe", "2026-10-04", 24, 23.5),
        ("America/Santiago", "2026-09-06", 23, 23),
        ("America/Santiago", "2026-04-04", 25, 25),
        ("America/Havana", "2026-03-08", 23, 23),
        ("America/Havana", "2026-11-01", 25, 25),
        ("Africa/Casablanca", "2026-02-15", 25, 25),
        ("Africa/Casablanca", "2026-03-22", 23, 23),
        ("Pacific/Kiritimati", "2026-11-21", 24, 24),
        ("UTC", "2026-11-21", 24, 24),
    ],
)
def test_a_day_on_which_clocks_change_is_shorter_or_longer(name, day, hours, length):
    one = Day(date.fromisoformat(day), ZoneInfo(name))
    assert len(list(one.hours())) == hours
    assert one.end - one.start == timedelta(hours=length)


def test_a_day_that_a_country_skipped_is_empty():
    day = Day(date(2011, 12, 30), ZoneInfo("Pacific/Apia"))
    assert day.start == day.end
    assert list(day.hours()) == []


@pytest.mark.parametrize("name", ZONES)
def test_midnight_belongs_to_the_day_it_begins(name):
    day = Day(date(2026, 11, 21), ZoneInfo(name))
    assert day_of(day.start, day.zone) == day
    assert day_of(day.end, day.zone) == day.plus(1)
    assert day_of(day.end - timedelta(microseconds=1), day.zone) == day


def test_the_first_hour_of_a_day_without_a_midnight_is_one_oclock():
    day = Day(date(2026, 9, 6), ZoneInfo("America/Santiago"))
    assert day.start == datetime(2026, 9, 6, 4, tzinfo=UTC)
    assert next(day.hours()) == (1, 0)


def test_a_day_with_two_midnights_begins_with_the_first():
    day = Day(date(2026, 11, 1), ZoneInfo("America/Havana"))
    assert day.start == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert list(day.hours())[:3] == [(0, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "CET-1CEST", "Europe", "../etc/passwd", "/etc/passwd", "x\0y", "🌍"]
)
def test_a_name_that_is_no_zone_is_a_value_error_with_the_name(name):
    with pytest.raises(ValueError, match=re.escape(name)):
        zone(name)


def test_a_zone_comes_with_its_name():
    assert zone("Asia/Kathmandu") == ("Asia/Kathmandu", ZoneInfo("Asia/Kathmandu"))


@pytest.mark.parametrize(
    ("tz", "name"),
    [
        ("America/Havana", "America/Havana"),
        (":America/Havana", "America/Havana"),
        (":/usr/share/zoneinfo/America/Havana", "America/Havana"),
        (":/etc/localtime", "Europe/Berlin"),
        ("", "Europe/Berlin"),
    ],
)
def test_the_machines_zone_is_what_tz_says_else_etc_localtime(tmp_path, monkeypatch, tz, name):
    (tmp_path / "localtime").symlink_to("../usr/share/zoneinfo/Europe/Berlin")
    monkeypatch.setenv("TZ", tz)
    assert zone("", etc=tmp_path)[0] == name


@pytest.mark.parametrize(
    ("target", "name"), [("Etc/UTC", "UTC"), ("Etc/GMT+5", "Etc/GMT+5"), ("UTC", "UTC")]
)
def test_etc_localtime_may_lead_to_a_zone_without_a_place(tmp_path, monkeypatch, target, name):
    monkeypatch.delenv("TZ", raising=False)
    (tmp_path / "localtime").symlink_to(f"/usr/share/zoneinfo/{target}")
    assert zone("", etc=tmp_path)[0] == name


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"timezone": "Asia/Kathmandu\n", "localtime": "TZif2"}, "Asia/Kathmandu"),
        ({"localtime": "TZif2"}, "UTC"),
        ({"timezone": "\n"}, "UTC"),
        ({}, "UTC"),
    ],
)
def test_without_a_link_the_machines_zone_is_in_etc_timezone_else_utc(
    tmp_path, monkeypatch, files, name
):
    monkeypatch.delenv("TZ", raising=False)
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    assert zone("", etc=tmp_path)[0] == name
