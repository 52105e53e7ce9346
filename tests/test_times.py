"""Instants and what within() makes of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from common.process.words import duration
from common.source.times_seen import TimesSeen
from common.times import instant, sql_time, stamp

TEN = datetime(2026, 11, 21, 10, tzinfo=UTC)
EPOCH = int(TEN.timestamp())


def within(value: object, start: str, end: str) -> bool | None:
    """What within() says in SQL; None where it counts the value as no time."""
    seen = TimesSeen()
    inside = seen.within(value, start, end)
    return None if seen.undated else inside


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21 10:00:00",
        "2026-11-21T10:00:00",
        "2026-11-21T10:00:00Z",
        "2026-11-21 10:00:00+00:00",
        "2026-11-21T10:00:00.000000",
        "2026-11-21T11:00:00+01:00",
        "2026-11-21T11:00:00+0100",
        "2026-11-21T04:30:00-05:30",
        "2026-11-21 10:00",
        "20261121T100000Z",
        "  2026-11-21 10:00:00\n",
        EPOCH,
        float(EPOCH),
        str(EPOCH),
        f" {EPOCH}.0 ",
        datetime(2026, 11, 21, 10),  # noqa: DTZ001 - as drivers give it
        datetime(2026, 11, 21, 15, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
)
def test_every_form_of_a_time_means_the_same_instant(value):
    assert instant(value) == TEN
    assert instant(value).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21 23:59:59.999999", datetime(2026, 11, 21, 23, 59, 59, 999999, UTC)),
        ("0001-01-01 00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1.5, datetime(1969, 12, 31, 23, 59, 58, 500000, UTC)),
        ("20261121", datetime(2026, 11, 21, tzinfo=UTC)),  # a date, not a second of 1970
    ],
)
def test_a_time_is_read_as_what_it_says(value, at):
    assert instant(value) == at


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "yesterday", "21.11.2026 10:00", "10:00"),
        *("2026-13-45 10:00:00", "2026-02-30 10:00:00", "2026-02-29 10:00:00", "2026-11-31"),
        *("2026-11-21 24:00:01", "2026-11-21 10:60:00", "2026-11-21 10:00:60", "0000-01-01"),
        *("2026-11-21T10:00:00+25:00", "٢٠٢٦-١١-٢١ ١٠:٠٠:٠٠", "nan", "inf", "-infinity", "1e400"),
        *(EPOCH * 10**12, str(EPOCH * 10**12), 10**400, float("nan"), float("inf")),
        *(None, True, False, [], object()),
        # Before the first and after the last instant there is.
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_what_is_no_time_is_a_value_error_and_within_no_window(value):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever its words
        instant(value)
    assert within(value, "0001-01-01 00:00:00", "9999-12-31 23:59:59") is None


def test_an_epoch_as_text_is_never_mistaken_for_a_date():
    numbers = random.Random(1)
    for _ in range(5_000):
        seconds = numbers.randrange(100_000_000, 9_999_999_999)
        for scale in (1, 10**3, 10**6, 10**9):
            count = seconds * scale + numbers.randrange(scale)
            assert instant(str(count)) == instant(count), count
    assert instant("1712112310301") == instant(1712112310301), "no minute of the year 1712"


def _written(at: datetime, numbers: random.Random) -> object:
    """An instant in one of the forms that columns hold."""
    local = at.astimezone(timezone(timedelta(minutes=numbers.randrange(-840, 841, 15))))
    return numbers.choice(
        [
            at.strftime("%Y-%m-%d %H:%M:%S"),
            at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            local.isoformat(),
            local.isoformat(" "),
            at.timestamp(),
            str(int(at.timestamp())),
        ]
    )


def test_within_says_what_instant_says_for_any_value_and_window():
    numbers = random.Random(2)
    first = datetime(2025, 1, 1, tzinfo=UTC)
    for _ in range(5_000):
        start = first + timedelta(seconds=numbers.randrange(3 * 365 * 86_400))
        end = start + timedelta(hours=numbers.choice([1, 23, 24, 25]))
        at = numbers.choice(
            [
                start,
                end,
                end - timedelta(seconds=1),
                start + timedelta(minutes=numbers.randrange(3_000)),
            ]
        )
        value = _written(at, numbers)
        inside = start <= instant(value) < end
        assert within(value, sql_time(start), sql_time(end)) is inside, value


def test_within_says_what_instant_says_for_digits_in_the_shape_of_a_time():
    numbers = random.Random(3)
    start, end = "1000-01-01 00:00:00", "9000-01-01 00:00:00"
    for _ in range(20_000):
        year = numbers.choice([0, 1, 999, 2024, 2025, 2026, 2100])
        rest = [numbers.randrange(0, limit) for limit in (14, 33, 26, 62, 62)]
        value = "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(year, *rest)
        try:
            at = instant(value)
        except ValueError:
            assert within(value, start, end) is None, value
        else:
            assert within(value, start, end) is (1000 <= at.year < 9000), value


def test_a_window_holds_its_start_and_not_its_end():
    start, end = "2026-11-21 00:00:00", "2026-11-22 00:00:00"
    assert within("2026-11-21 00:00:00", start, end) is True
    assert within("2026-11-21 23:59:59.999", start, end) is True
    assert within("2026-11-22 00:00:00", start, end) is False
    assert within("2026-11-22T00:00:00+00:01", start, end) is True
    assert within("2026-11-20 23:59:59", start, end) is False


def test_times_are_written_with_four_digits_of_year_in_utc():
    berlin = timezone(timedelta(hours=1))
    assert sql_time(datetime(999, 1, 2, 3, 4, 5, 6, UTC)) == "0999-01-02 03:04:05"
    assert sql_time(datetime(2026, 11, 21, 0, 30, tzinfo=berlin)) == "2026-11-20 23:30:00"
    assert stamp(datetime(2026, 11, 21, 0, 30, tzinfo=berlin)) == "2026-11-20T23:30:00Z"
    assert instant(stamp()).tzinfo is UTC


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (12.4, "12s"),
        (59.6, "1m 0s"),
        (185, "3m 5s"),
        (3599.7, "1h 0m"),
        (7_800, "2h 10m"),
    ],
)
def test_a_duration_reads_as_people_say_it(seconds, words):
    assert duration(seconds) == words
