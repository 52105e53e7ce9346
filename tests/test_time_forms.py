"""The forms of time that languages, databases and mail print, and those that mean two things."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from common.time_forms import is_number
from common.times import instant

# 2026-11-23 10:30:15 UTC, or parts of a second later.
AT = datetime(2026, 11, 23, 10, 30, 15, tzinfo=UTC)
EPOCH = int(AT.timestamp())

FORMS = [
    # ISO 8601 as ORMs and languages write it: Sequelize, Rails, Go, Java, .NET, Elixir, PostgreSQL
    "2026-11-23 10:30:15.252 +00:00",
    "2026-11-23 10:30:15 UTC",
    "2026-11-23 10:30:15 GMT",
    "2026-11-23 11:30:15 +0100",
    "2026-11-23 10:30:15+00",
    "2026-11-23 10:30:15.252+00",
    "2026-11-23T10:30:15,252Z",
    "2026-11-23T10:30:15.252123456Z",
    "2026-11-23t10:30:15z",
    "20261123T103015Z",
    "20261123T103015.252Z",
    "20261123103015Z",  # LDAP, X.509
    "20261123113015.2+0100",
    "20261123 103015",
    "2026-11-23 10:30:15.252123456 +0000 UTC m=+0.000012345",
    "2026-11-23 03:30:15 -0700 PDT m=-0.5",
    "2026-11-23 16:15:15 +0545 +0545",
    "2026-11-23T11:30:15.252+01:00[Europe/Berlin]",
    "2026-11-23T10:30:15Z[Etc/UTC]",
    "2026-11-23 11:30:15+01:00 CET Europe/Berlin",
    "2026-11-23 11:30:15 Europe/Berlin",
    "2026-11-23 11:30:15 CET",
    "2026-11-23T10:30:15.2520000Z",
    '"2026-11-23T10:30:15.252Z"',
    f"/Date({EPOCH}252)/",
    # Weeks, days of the year, other separators and clocks
    "2026-W48-1T10:30:15Z",
    "2026W481T103015Z",
    "2026-327T10:30:15Z",
    "2026/11/23 10:30:15",
    "2026:11:23 10:30:15",
    "2026-11-23-10.30.15.252000",
    "2026-11-23 10:30:15 AM",
    # Mail and HTTP
    "Mon, 23 Nov 2026 10:30:15 +0000",
    "Mon, 23 Nov 2026 10:30:15 GMT",
    "23 Nov 2026 11:30:15 +0100 (CET)",
    "Mon, 23 Nov 2026 04:30:15 CST",
    "Mon, 23 Nov 26 10:30:15 +0000",
    "Monday, 23-Nov-26 10:30:15 GMT",
    # ctime, date(1), git, Java's and JavaScript's Date.toString(), PostgreSQL's old style
    "Mon Nov 23 10:30:15 2026",
    "Mon Nov 23 11:30:15 2026 +0100",
    "Mon Nov 23 10:30:15 +0000 2026",
    "Mon Nov 23 10:30:15 UTC 2026",
    "Mon Nov 23 11:30:15 CET 2026",
    "Mon Nov 23 10:30:15.252 2026 UTC",
    "Mon 23 Nov 2026 10:30:15 AM UTC",
    "Mon Nov 23 2026 11:30:15 GMT+0100 (Central European Standard Time)",
    "23/Nov/2026:10:30:15 +0000",
    "Nov 23, 2026, 10:30:15\N{NARROW NO-BREAK SPACE}AM",
    "November 23, 2026 at 10:30:15 AM UTC",
    "23-NOV-2026 10:30:15",
    # Numbers, and the same as text
    EPOCH,
    EPOCH + 0.252,
    EPOCH * 1_000 + 252,
    float(EPOCH * 1_000),
    EPOCH * 10**6,
    EPOCH * 10**9 + 252_000_123,
    f"{EPOCH}",
    f"{EPOCH}.252",
    f"{EPOCH}252",
    f"{EPOCH}252000",
    f"{EPOCH}252000123",
    20261123103015,
    "20261123103015",
    "20261123103015.252000",  # MySQL's now(6) + 0
    2461367.937676,  # julianday('2026-11-23 10:30:15')
    "2461367.937676",
    b"2026-11-23 10:30:15",
    b"2026-11-23 10:30:15\0",
    "2026-11-23 10:30:15.252 +00:00:00",  # Rust
    "2026-11-23 05:30:15.252 -05:00:00",
    "2026-11-24T00:30:15+14:00",
    "Mon, 23 Nov 2026 05:30:15 GMT-5",
    "Monday, November 23, 2026 10:30:15 AM",  # .NET
    "1.795429815252E9",
    b"2026-11-23T10:30:15.252Z",
    # Rails, Kibana, date-fns, moment, JavaScript's long form, PostgreSQL's day before the month
    "Mon, 23 Nov 2026 10:30:15.252 UTC +00:00",
    "Mon, 23 Nov 2026 05:30:15.252 EST -05:00",
    "Nov 23, 2026 @ 10:30:15.252",
    "Monday, November 23rd, 2026 at 10:30:15 AM GMT+00:00",
    "November 23rd 2026, 10:30:15 am",
    "Monday, November 23, 2026 at 10:30:15 AM Coordinated Universal Time",
    "Mon 23 Nov 10:30:15 2026 UTC",
    "Mon 23 Nov 10:30:15 UTC 2026",
    "Mon,23 Nov 2026 10:30:15 GMT",
    "23 Nov 26 10:30:15 UTC",  # RFC 822 without the day of the week
    "23NOV2026:10:30:15.252",
    "2026-Nov-23 10:30:15",
    "23. November 2026, 10:30:15",
    # What surrounds a time in logs and languages, and what is not seen of it
    "[2026-11-23T10:30:15Z]",
    "[23/Nov/2026:10:30:15 +0000]",
    "[Mon Nov 23 10:30:15.252 2026]",
    "2026-11-23 10:30:15 (UTC)",
    "\ufeff2026-11-23T10:30:15Z",
    "\u200e2026-11-23 10:30:15",
    b"\xef\xbb\xbf2026-11-23 10:30:15",
    "datetime.datetime(2026, 11, 23, 10, 30, 15)",
    "datetime.datetime(2026, 11, 23, 10, 30, 15, 2520, tzinfo=datetime.timezone.utc)",
    "datetime.datetime(2026, 11, 23, 11, 30, 15, tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin'))",
    "Timestamp('2026-11-23 10:30:15')",
    "~U[2026-11-23 10:30:15Z]",
    "#DateTime<2026-11-23 11:30:15+01:00 CET Europe/Berlin>",
    'ISODate("2026-11-23T10:30:15Z")',
    '{"$date": "2026-11-23T10:30:15.252Z"}',
    f'{{"$date": {EPOCH}252}}',
    f'{{"$date": {{"$numberLong": "{EPOCH}252"}}}}',
    f"new Date({EPOCH}252)",
    "2026-11-23T11:30:15.252[Europe/Berlin]",
    "2026-11-23 05:30:15 Etc/GMT+5",
    "2026-11-23T10:30:15.252+00:00Z",
    # Separators: of the day and the time, in names of files, in what was encoded for a URL
    "2026-11-23-10:30:15",
    "2026-11-23-10:30:15.252Z",
    "2026-11-23+10:30:15",
    "2026-11-23T10-30-15Z",
    "2026-11-23_10-30-15",
    "20261123-10:30:15.252",
    20261123103015252,
    "20261123103015252000",
]


@pytest.mark.parametrize("value", FORMS, ids=str)
def test_every_unambiguous_form_of_a_time_is_read(value):
    assert abs((instant(value) - AT).total_seconds()) < 0.3
    assert instant(value).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-11-22T24:00:00Z", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-12-31 24:00", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-11-23 12:30 AM", datetime(2026, 11, 23, 0, 30, tzinfo=UTC)),
        ("2026-11-23 12:30 PM", datetime(2026, 11, 23, 12, 30, tzinfo=UTC)),
        (2461367.5, datetime(2026, 11, 23, tzinfo=UTC)),
        (2461368, datetime(2026, 11, 23, 12, tzinfo=UTC)),  # as a NUMERIC column keeps it
        (-1_000_000_000_000, datetime(1938, 4, 24, 22, 13, 20, tzinfo=UTC)),
    ],
    ids=str,
)
def test_the_ends_of_days_and_of_scales_are_read_as_what_they_say(value, at):
    assert instant(value) == at


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23",
        "20261123",
        20261123,  # what a DATE column makes of it
        20261123.0,
        b"2026-11-23",
        "2026-W48-1",
        "2026-327",
        "2026/11/23",
        "2026-11-23Z",
        "2026-11-23+01:00",
        "2026-11-23-05:00",  # the offset that XML adds, and no time of day
        "2026-11-23 +01:00",
        "20261123+01:00",
        "\ufeff2026-11-23",
        "[2026-11-23]",
        "datetime.date(2026, 11, 23)",
        "~D[2026-11-23]",
        "2026-Nov-23",
        "23NOV2026",
        "23. November 2026",
        "Monday, November 23rd, 2026",
        "23 Nov 2026",
        "Nov 23, 2026",
        date(2026, 11, 23),
    ],
    ids=str,
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
def test_a_date_without_a_time_is_that_date_in_any_zone(value, zone):
    here = ZoneInfo(zone)
    assert instant(value, here) == datetime(2026, 11, 23, tzinfo=here)


@pytest.mark.parametrize(
    "value",
    [
        *("01/02/2026", "01/02/2026 10:30:15", "1.2.2026", "23.11.2026 10:30", "23-11-26 10:30"),
        *("23-NOV-26 10.30.15 AM", "26-11-23", "Nov 23 10:30:15", "Mon 10:30", "2026-W48"),
        *("2026-11-23 10:30:15 IST", "2026-11-23 10:30:15 BST", "Mon Nov 23 10:30:15 CST 2026"),
        *("2026-11-23 13:30 PM", "2026-11-23 10:30:15 Europe/Atlantis", "2026-366", "2026-W54-1"),
        *("Feb 31, 2026", "Mon, 31 Feb 2026 10:30:15 GMT", "0000-00-00 00:00:00", "31 Market 2026"),
        *("2026-11-23 10:30:15 +0100 " + "a " * 60, "9" * 5_000, 10**22, 1e300, b"\xff\xfe", b""),
        *("23 Nov 26 10:30", "2026-11-23-01", "20261123+0100", "2026-11-23/12", "2026-11-23 10-30"),
        *("2026-11-23 10:30-15", "2026-11-23 10:30:15+15:00", "Mon, 23 Nov 2026 10:30:15 -1500"),
        *("Nov 23, 2026 @ 10:30:15-252", "20261123.103015", 20261123.5),
        *("Date(2026, 11, 23)", "Date(9999999999999999)", "[]", '""', "due (soon)", "[10:30:15]"),
        *("2026-11-23 and more", "at 2026-11-23", "2026-11-23 10:30:15 2026-11-23 10:30:15"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_what_could_be_two_times_or_is_none_stays_unreadable(value):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its words
        instant(value)


def test_no_text_however_hostile_takes_long_to_be_refused():
    tails = [" a", "a", "/a", " +01", "()", "[", "1", ".1", ":1", " m=", "-", "([", "date", ")"]
    heads = ["2026-11-23 10:30:15+0100", "Mon Nov 23 10:30:15 ", "2026-11-23 ", "23 Nov 2026 1", ""]
    began = time.process_time()
    for head in heads:
        for tail in tails:
            with pytest.raises(ValueError):  # noqa: PT011
                instant(head + tail * (4_000 // len(tail)) + "!")
            with pytest.raises(ValueError):  # noqa: PT011
                instant((head + tail * 99)[:99] + "!")
    assert time.process_time() - began < 1


@pytest.mark.parametrize("value", [46347, 46347.5, "46347", b"46347", 817_000_000, "2026", '"7"'])
def test_a_number_says_nothing_of_what_it_counts(value):
    assert is_number(value)


@pytest.mark.parametrize("value", ["1970-01-01", 20261123, "20261123103015", b"2026-11-23", None])
def test_a_date_that_is_spelled_says_it(value):
    assert not is_number(value)
