"""within() on PostgreSQL: what each type of column means as a time, as times.instant reads it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from common import times
from rigs.postgres_tables import WINDOW, change, make, rows, source
from rigs.source_files import failure

BERLIN, KIRITIMATI = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Kiritimati")
SELECT = "select id as record_id from events where within(created_at, :start, :end)"
NUMBERS = (
    "0 1 -5 1795219200 1795219200000 1795219200000000 1795219200000000000 20261121 20261345"
    " 19000101 21991231 22000101 20261121103015 202611211030 20261121103015250 2461366 2440587"
    " 2440588 2488069 2488070 99999999999 100000000000 -62135596800 -62135596801 20261121246060"
).split()
TEXTS = [
    *("2026-11-21", "2026-11-21 10:00:00", "2026-11-21T10:00:00Z", "2026-11-21T23:30:00+01:00"),
    *("2026-11-21T00:30:00+01", "2026-11-21 00:30 +0100", "2026-11-20 23:00", "2026/11/21 09:05"),
    *("2026-11-21_10:00:00,5 UTC", "20261121T103015Z", "20261121 1030", "2026-11-21T10:00:00.123Z"),
    *(
        "2026-02-29",
        "2024-02-29",
        "2026-02-28 24:00:00",
        "2026-11-21 23:59:60",
        "2026-11-21 24:00:01",
    ),
    *(
        "2026-11-21 25:00:00",
        "2026-11-21T10:00:00+15:00",
        "2026-11-21T10:00:00-14:00",
        "2026-11-31",
    ),
    *("'2026-11-21'", ' "2026-11-21T10:00:00Z"\n', "2026-11/21", "2026-11-21Z", "2026-11-21+01:00"),
    *(
        "2026-11-21 10:00:00-00:30",
        "2026-11-21 10:00:00gmt",
        "2026-11-21t10:00:00z",
        "1795219200.5",
    ),
    *("1.7952192e9", "2461366.5", "+1795219200", "1795219200.", "007", "1e99", "9" * 30, "NaN"),
    *("soon", "", "2026-13-45 10:00:00", "0000-01-01", "infinity", "٢٠٢٦-11-21", "20261121.5"),
]
DAYS = ["2026-11-20", "2026-11-21", "2026-03-29", "infinity", "0044-03-15 BC", "12026-01-01"]
AT = [
    "2026-11-21 00:00:00",
    "2026-11-21 10:00:00.5",
    "2026-11-20 23:00:00",
    "infinity",
    "-infinity",
]
COLUMNS: dict[str, list[str]] = {
    "bigint": NUMBERS,
    "integer": ["0", "1795219200", "20261121", "2461366", "-5"],
    "numeric": [*NUMBERS, "1795219200.25", "NaN", "20261121.5", "1e19", "2461366.25", "1e20"],
    "double precision": [*NUMBERS, "1795219200.25", "NaN", "Infinity", "1e300"],
    "text": [*NUMBERS, *TEXTS],
    "varchar(60)": TEXTS,
    "bytea": ["2026-11-21 10:00:00", "soon"],
    "timestamptz": [f"{at}+00" if at[0].isdigit() else at for at in [*AT, "12026-01-01 00:00:00"]],
    "timestamp": AT,
    "date": DAYS,
}


def meant(value: Any, zone: Any) -> datetime | None:
    try:
        return times.instant(value, zone)
    except ValueError:
        return None


@pytest.mark.parametrize("zone", [UTC, BERLIN, KIRITIMATI], ids=str)
@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_is_read_as_python_reads_its_values(postgres, kind, zone):
    kept = COLUMNS[kind]
    values = [value.encode() for value in kept] if kind == "bytea" else kept
    make(postgres, f"id int, created_at {kind}", *enumerate([*values, None]))
    with source(postgres, zone=zone) as db:
        of = "select id as record_id, created_at from events order by id"
        at = {
            one["record_id"]: meant(one["created_at"], zone)
            for one in db.select(of, {})
            if not str(one["created_at"]).endswith("BC")
        }
        known = sorted({one.replace(microsecond=0) for one in at.values() if one})
        edges = [
            times.from_sql(times.ALL_OF_TIME["start"]),
            *known,
            times.Day(date(2026, 11, 21), zone).start,
        ]
        edges += [one + timedelta(seconds=1) for one in known]
        edges = [*sorted(set(edges)), times.from_sql(times.ALL_OF_TIME["end"])]
        for start, end in [*pairwise(edges), (edges[0], edges[-1]), (edges[1], edges[-1])]:
            window = {"start": times.sql_time(start), "end": times.sql_time(end)}
            found = {one["record_id"] for one in db.select(SELECT, window)}
            assert found == {key for key, one in at.items() if one and start <= one < end}, window
        seen = db.seen
        assert seen.undated == len(kept) + 1 - sum(one is not None for one in at.values())
        newest = max(one for one in at.values() if one)
        assert seen.newest
        assert abs(seen.newest[0] - newest) < timedelta(days=1)


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("WITHIN /* a, (b */ ( created_at , :start, :end )", "2"),
        ("within(coalesce(created_at, now()), :start, :end)", "2"),
        ("within((select max(created_at) from events e where e.id = o.id), :start, :end)", "2"),
        ("not within(created_at, :start, :end)", "1 3 4"),
        ("created_at is not null and (within(created_at, :start, :end) or id = 3)", "2 3"),
        ("within(created_at, :start, :end) and created_at >= :start and id::text < :end", "2"),
        ("within(created_at, :start::timestamp - interval '1 day', :end)", "1 2"),
        ("within(created_at, '2026-11-22', '2026-11-23 00:00:00')", "3"),
        ('within("created_at" -- , :x)\n, :start, :end)', "2"),
        ("'within(created_at, :start, :end)' <> '' and theirs.within(id, 1, 2)", "1 2"),
        ("id = (select percentile_disc(0.5) within group (order by id) from events)", "2"),
        ("within(coalesce(created_at, :start::timestamptz), :start, :end)", "2 4"),
        ("within(:start, :start, :end) and id < 3", "1 2"),
        ("within(case when id = 2 then created_at end, :start, :end)", "2"),
        ("within(created_at::text, :start, :end) and within(created_at::date, :start, :end)", "2"),
    ],
)
def test_calls_are_found_where_they_are_calls(postgres, condition, ids):
    make(
        postgres,
        "id int, created_at timestamptz",
        *(
            (1, "2026-11-20 10:00+00"),
            (2, "2026-11-21 10:00+00"),
            (3, "2026-11-22 10:00+00"),
            (4, None),
        ),
    )
    change(
        postgres,
        "create schema theirs",
        "create function theirs.within(a int, b int, c int) returns bool return a between b and c",
    )
    select = f"select id as record_id from events o where {condition} order by id"
    with source(postgres) as db:
        assert [one["record_id"] for one in db.select(select, WINDOW)] == ids.split()
        assert db.columns(select) == ["record_id"]


def test_an_index_on_the_column_is_used(postgres):
    make(postgres, "id int, created_at timestamptz")
    change(
        postgres,
        "insert into events select i, now() - i * interval '1 h' from generate_series(1, 9000) i",
        "create index by_time on events (created_at)",
        "analyze events",
    )
    with source(postgres) as db:
        assert (
            len(
                [*db.select(SELECT, {"start": "2000-01-01 00:00:00", "end": "2000-01-02 00:00:00"})]
            )
            == 0
        )
        plans = "select idx_scan from pg_stat_user_indexes where indexrelname = 'by_time'"
        db.close()
    assert rows(postgres, "select pg_stat_force_next_flush()")
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while rows(postgres, plans) == [(0,)]:
        assert datetime.now(UTC) < deadline


def test_times_that_are_none_are_counted_and_one_of_them_is_shown(postgres):
    make(
        postgres,
        "id int, created_at text",
        (1, "soon"),
        (2, "2026-11-21"),
        (3, "2026-11-22T01:00:00Z"),
    )
    with source(postgres) as db:
        for _ in range(2):  # each SELECT starts to count from 0
            assert [one["record_id"] for one in db.select(SELECT, WINDOW)] == ["2"]
            assert (db.seen.undated, db.seen.example) == (1, "'soon'")
        assert db.seen.newest == (datetime(2026, 11, 22, 1, tzinfo=UTC), "2026-11-22T01:00:00Z")
        assert not db.seen.may_be_numbers
        change(postgres, "update events set created_at = null where id = 1")
        assert [*db.select(SELECT, WINDOW)] and db.seen.undated == 1
        assert db.seen.example == "None"


def test_bounds_that_depend_on_the_rows_are_78(postgres):
    make(postgres, "id int, created_at timestamptz")
    end = failure(lambda: _read(postgres, SELECT.replace(":end", "created_at")))
    assert end.code == 78
    assert "mend the SELECT" in end.message


def _read(url: str, select: str) -> list[Any]:
    with source(url) as db:
        return [*db.select(select, WINDOW)]
