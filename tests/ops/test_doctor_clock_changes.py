"""doctor on time: when a line of a crontab fires, and the nights whose clocks skip that time or
have it twice.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ops.examination.cron import crontab
from ops.examination.cron.clock_changes import changes, machine_zone, touched
from ops.examination.cron.schedule import parse
from rigs.doctor_fixtures import installation, said, write_job
from rigs.harness import REPOSITORY

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "zone", "expected"),
    [
        ("30 2 * * *", BERLIN, "2027-03-28 skips 02:00-03:00 and 2027-10-31 has twice 02:00-03:00"),
        ("30 3 * * *", BERLIN, ""),
        ("59 1 * * *", BERLIN, ""),
        ("0 2 * * 1", BERLIN, ""),  # clocks change on Sundays
        ("30 2 * 3 *", BERLIN, "2027-03-28 skips 02:00-03:00"),
        ("30 2 29 * 0", BERLIN, "2027-03-28 skips 02:00-03:00 and 2027-10-31"),
        ("*/30 1-3 * * *", BERLIN, "2027-03-28"),
        ("0 * * * *", BERLIN, ""),  # every hour: one more or less does not matter
        ("30 1 * * *", ZoneInfo("America/New_York"), "2027-11-07 has twice 01:00-02:00"),
        ("15 2 * * *", ZoneInfo("Australia/Lord_Howe"), "2027-10-03 skips 02:00-02:30"),
        ("@daily", ZoneInfo("America/Santiago"), "skips 00:00-01:00"),
        ("30 2 * * *", ZoneInfo("Asia/Tokyo"), ""),
        ("30 2 * * *", UTC, ""),
        ("@reboot", BERLIN, ""),
    ],
)
def test_a_time_that_a_night_skips_or_has_twice_is_named_with_the_dates(
    tmp_path, time, zone, expected
):
    (tmp_path / "run_job.sh").touch(mode=0o755)
    write_job(tmp_path, "mine")
    text = f"{time} {tmp_path}/run_job.sh mine\n"
    lines = said(crontab.check(installation(tmp_path), text, tmp_path, zone, NOW))
    warnings = [line for line in lines if line.startswith("warn")]
    assert len(warnings) == bool(expected)
    assert expected in "".join(warnings)


def test_the_shipped_times_are_touched_by_no_change_of_clocks_in_europe_or_america():
    text = (REPOSITORY / "crontab.example").read_text()
    times = [" ".join(line.split()[:5]) for line in text.splitlines() if line[:1].isdigit()]
    schedules = [schedule for time in times if (schedule := parse(time))]
    assert schedules
    for zone in (
        "Europe/London",
        "Europe/Berlin",
        "Europe/Helsinki",
        "America/New_York",
        "America/Los_Angeles",
    ):
        for change in changes(ZoneInfo(zone), NOW):
            assert not any(touched(schedule, change) for schedule in schedules), (zone, change)


@pytest.mark.parametrize(
    "text",
    [
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a * * * *",
        "5-1 * * * *",
        "*/0 * * * *",
        "@often",
        "1,,2 * * * *",
    ],
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "at", "fires"),
    [
        ("17 6 * * *", "2026-11-22T06:17", True),
        ("*/20 6-8 * nov sun", "2026-11-22T07:40", True),
        ("0 0 * * 7", "2026-11-22T00:00", True),
        ("0 0 1 * 0", "2026-11-22T00:00", True),  # both days given: either is enough
        ("0 0 1 * *", "2026-11-22T00:00", False),
        ("0 0 */2 * mon", "2026-11-23T00:00", True),
        ("@hourly", "2026-11-23T05:00", True),
    ],
)
def test_fields_are_read_as_cron_reads_them(text, at, fires):
    schedule = parse(text)
    assert schedule is not None and schedule.fires(datetime.fromisoformat(at)) is fires


def test_the_zone_is_that_of_the_machine_whatever_this_shell_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    zone = machine_zone(Path("/usr/share/zoneinfo/Europe/Berlin"))
    assert list(changes(zone, NOW)) == list(changes(BERLIN, NOW)) != []
    assert machine_zone(tmp_path / "none") is UTC
