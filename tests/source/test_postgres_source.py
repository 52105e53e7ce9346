"""Records from PostgreSQL: what its types become, which SELECTs fit, and what is left behind."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import pytest

from common.source.source_database import open_source
from rigs.postgres_tables import EVENTS, WINDOW, change, login, make, read, rows, source
from rigs.source_files import failure

VALUES = {
    "7::bigint": 7,
    "1.5::float8": 1.5,
    "true": True,
    "null::int": None,
    r"'\x00ff'::bytea": b"\x00\xff",
    "1.50::numeric": "1.50",
    "'infinity'::float8": float("inf"),
    "timestamptz '2026-11-21 10:00:00+05:45'": "2026-11-21 04:15:00+00",
    "timestamptz 'infinity'": "infinity",
    "timestamp '2026-11-21 10:00:00.25'": "2026-11-21 10:00:00.25",
    "date '0044-03-15 BC'": "0044-03-15 BC",
    "interval '1 day 2 hours'": "1 day 02:00:00",
    """'{"a": [1, null]}'::jsonb""": '{"a": [1, null]}',
    "'{1,2}'::int[]": "{1,2}",
    "array['a b', null]": '{"a b",NULL}',
    "'a81bc81b-dead-4e5d-abff-90865d1e13b1'::uuid": "a81bc81b-dead-4e5d-abff-90865d1e13b1",
    "inet '10.0.0.1/8'": "10.0.0.1/8",
    "int4range(1, 5)": "[1,5)",
    "'sad'::mood": "sad",
    "row(1, 'x')": "(1,x)",
}


@pytest.mark.parametrize("sql", VALUES)
def test_a_value_comes_as_psql_shows_it_or_as_python_has_it_and_can_travel(postgres, sql):
    change(postgres, "create type mood as enum ('sad', 'ok')")
    # Whatever a role has set for itself.
    name = postgres.rpartition("/")[2]
    change(postgres, f"alter database {name} set datestyle = 'SQL, DMY'")
    change(postgres, f"alter database {name} set intervalstyle = 'iso_8601'")
    (record,) = pickle.loads(pickle.dumps(read(postgres, f"select 1 as record_id, {sql} as value")))
    assert (record["value"], type(record["value"])) == (VALUES[sql], type(VALUES[sql]))
    assert record["VALUE"] == VALUES[sql]


@pytest.mark.parametrize(
    ("sql", "record_id"),
    [
        ("9223372036854775807", "9223372036854775807"),
        ("1.50::numeric", "1.50"),
        ("' x '", " x "),
        ("'a'::char(3)", "a  "),
        ("'A81BC81B-DEAD-4E5D-ABFF-90865D1E13B1'::uuid", "a81bc81b-dead-4e5d-abff-90865d1e13b1"),
        ("date '2026-11-21'", "2026-11-21"),
    ],
)
def test_a_record_id_is_text(postgres, sql, record_id):
    (record,) = read(postgres, f"select {sql} as record_id")
    assert record["record_id"] == record_id


def test_rows_without_an_id_are_left_out_and_counted(postgres):
    make(postgres, "id text, content text", (None, "x"), ("", "y"), ("a", "z"), (" ", ""))
    with source(postgres) as db:
        for _ in range(2):
            found = [
                record["record_id"]
                for record in db.select("select id as record_id from events", {})
            ]
            assert found == ["a", " "]
            assert (db.rows, db.without_id) == (2, 2)


def test_an_id_of_bytes_is_78_with_the_remedy(postgres):
    end = failure(read, postgres, r"select '\x01ff'::bytea as record_id")
    assert end.code == 78
    assert "`encode(id, 'hex') as record_id`" in end.message


def test_of_columns_with_the_same_name_the_first_one_counts(postgres):
    (record,) = read(postgres, "select 1 as record_id, 2 as a, 3 as a, 4 as record_id")
    assert record == {"record_id": "1", "a": 2}


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("select id as record_id from evnts", 'relation "evnts" does not exist'),
        ("select id as record_id, body from events", 'column "body" does not exist'),
        ("selct 1", "syntax error"),
        ("select id as record_id from events where id = :day", "names :day"),
        ("select id as record_id from events; drop table events", "more than one statement"),
        ("delete from events returning id as record_id", "syntax error"),
        ("with gone as (delete from events returning id) select id as record_id from gone", ""),
        ("select setval('numbers', 7) as record_id", "read-only transaction"),
        ("select 1 / 0 as record_id", "division by zero"),
        ("select content from events", "`id as record_id`"),
    ],
)
def test_a_select_that_does_not_fit_is_78_and_changes_nothing(postgres, select, words):
    make(postgres, "id int, content text, created_at timestamptz", (1, "a", "2026-11-21"))
    change(postgres, "create sequence numbers")
    end = failure(read, postgres, select)
    assert end.code == 78
    assert words in end.message
    assert rows(postgres, "select count(*) from events") == [(1,)]


@pytest.mark.parametrize(
    "select",
    [
        "select id as record_id from events;",
        "select id as record_id from events; -- all of them; each once",
        "select id as record_id from events -- all :of them, within(a, b, c)",
        "select id as record_id from events ; /* all /* of */ them; */ ",
        "select id as record_id from events where content <> ';' and content <> E'\\';' || $$:x;$$",
        "with e as (select * from events) select id as record_id from e order by id limit 9;",
        "select id as record_id from events where (array[1, 2, 3])[1:id] is not null",
        "select id as record_id, content like '50%' as half from events",
        "select id as record_id from events where not jsonb_build_object('a', 1) ? 'b'",
    ],
)
def test_whatever_else_stands_in_a_select_is_left_as_it_is(postgres, select):
    make(postgres, "id int, content text", (1, "a"), (2, "b"))
    with source(postgres) as db:
        assert sorted(record["record_id"] for record in db.select(select, WINDOW)) == ["1", "2"]
        assert db.columns(select)[0] == "record_id"


def test_records_stream_and_their_transaction_ends_with_them(postgres):
    endless = (
        "with recursive n(i) as (values (1) union all select i + 1 from n)"
        " select i as record_id from n"
    )
    with source(postgres, purpose="streaming") as db:
        records = db.select(endless, {})
        assert [record["record_id"] for record in islice(records, 5_000)][-1] == "5000"
        states = (
            "select state, xact_start is null from pg_stat_activity"
            " where application_name = 'claude-batch-jobs/streaming'"
        )
        assert rows(postgres, states) == [("idle in transaction", False)]
        records.close()  # type: ignore[attr-defined]  # a generator
        assert rows(postgres, states) == [("idle", True)]
        assert len([*db.select("select 1 as record_id", {})]) == 1


def test_large_rows_are_fetched_a_few_at_a_time(postgres):
    resource = pytest.importorskip("resource")
    content = "repeat(chr(48 + i % 70), 1000000) as content"
    select = f"select i as record_id, {content} from generate_series(1, 300) i"
    with source(postgres) as db:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(len(record["content"]) for record in db.select(select, {})) == 300_000_000
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 250_000  # the first hundred rows, twice


def test_a_role_that_may_only_read_leaves_nothing_behind(postgres):
    make(postgres, "id int, content text, created_at timestamptz", (1, "a", "2026-11-21 10:00+00"))
    name = postgres.rpartition("/")[2]
    change(
        postgres,
        f"create role reader_{name} login password 'hunter22'",
        f"grant select on events to reader_{name}",
        f"alter role reader_{name} set default_transaction_read_only = on",
        f"revoke all on schema public from reader_{name}, public",
        f"grant usage on schema public to reader_{name}",
        f"revoke temporary on database {name} from public",
    )
    theirs = login(postgres, f"reader_{name}")
    before = rows(postgres, "select count(*) from pg_class union all select count(*) from pg_proc")
    select = EVENTS.replace("order", "where within(created_at, :start, :end) order")
    try:
        with source(theirs) as db:
            assert len([*db.select(select, WINDOW)]) == 1
            assert db.seen.undated == 0
            assert db.seen.newest
        after = rows(
            postgres, "select count(*) from pg_class union all select count(*) from pg_proc"
        )
        assert after == before
        end = failure(open_source, theirs, writable=True)
        assert end.code == 78
        assert "it may only be read here" in end.message
    finally:
        change(postgres, f"drop owned by reader_{name}", f"drop role reader_{name}")


def test_a_select_that_changes_something_or_finds_no_table_is_78_with_the_remedy(postgres):
    make(postgres, "id int")
    end = failure(read, postgres, "select id as record_id from events for update")
    assert end.code == 78 and "mend the SELECT" in end.message and "change nothing" in end.message
    end = failure(read, postgres, "select id as record_id from other_events")
    assert end.code == 78 and "its schema, as shop.events" in end.message


def test_rows_that_a_policy_hides_are_told_of(postgres):
    make(postgres, "id int, content text, created_at timestamptz", (1, "a", "2026-11-21"))
    name = postgres.rpartition("/")[2]
    change(
        postgres,
        f"create role tenant_{name} login password 'hunter22'",
        f"grant select on events to tenant_{name}",
    )
    try:
        with source(login(postgres, f"tenant_{name}")) as db:
            assert db.columns(EVENTS) and db.hidden == ""
            change(postgres, "alter table events enable row level security")
            assert db.columns(EVENTS) and 'security policy for table "events"' in db.hidden
            assert [*db.select(EVENTS, {})] == []
    finally:
        change(postgres, f"drop owned by tenant_{name}", f"drop role tenant_{name}")


def test_a_text_that_is_no_utf8_is_read_from_a_database_that_keeps_any_bytes(postgres):
    change(postgres, "create database any_bytes encoding 'SQL_ASCII' locale 'C' template template0")
    theirs = f"{postgres.rpartition('/')[0]}/any_bytes"
    try:
        make(theirs, "id int, content text, created_at text")
        change(theirs, r"insert into events values (1, convert_from('\x61ff62', 'SQL_ASCII'), '')")
        (record,) = read(theirs)
        assert record["content"] == "a\N{REPLACEMENT CHARACTER}b"
        broken = r"select convert_from('\xc3', 'SQL_ASCII') as record_id"
        assert failure(read, theirs, broken).code == 78
    finally:
        change(postgres, "drop database any_bytes with (force)")


@pytest.mark.parametrize(
    "address",
    ["postgresql://me:hunter22@127.0.0.1:1/r", "postgres://u:hunter22@127.0.0.1:1/r?sslmode=no"],
)
def test_an_address_that_leads_nowhere_is_told_of_without_its_password(address):
    end = failure(open_source, address, writable=False)
    assert end.code in (69, 78)
    assert "127.0.0.1:1/r" in end.message and "hunter22" not in end.message


def test_without_the_package_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    end = failure(open_source, "postgresql://me:hunter22@127.0.0.1:1/r", writable=False)
    assert end.code == 78
    assert "./run_job.sh --setup --with postgres" in end.message


def but(done: set[str]) -> Callable[[Iterable[list[str]]], Iterator[str]]:
    """What finds the ids that are not among these."""
    return lambda lists: (one for ids in lists for one in ids if one not in done)


def test_records_that_are_done_are_not_read(postgres):
    make(
        postgres,
        "id int primary key, content text, created_at text",
        *((n, f"It's {n}", "") for n in range(60)),
    )
    done = {str(n) for n in range(60) if n not in (7, 41)}
    with source(postgres) as db:
        found = [*db.select(EVENTS, {}, but(done))]
        assert [record["content"] for record in found] == ["It's 7", "It's 41"]
        assert (db.rows, db.without_id) == (60, 0)
        assert [*db.select(EVENTS, {}, but({*map(str, range(99))}))] == []


@pytest.mark.parametrize(
    ("select", "count"),
    [("select id as record_id, content from events order by random() limit 20", 20), (EVENTS, 40)],
)
def test_a_select_gives_all_that_it_should_whichever_records_are_done(postgres, select, count):
    ids = [f'it\'s {{}} \\ "{n}"' for n in range(40)]
    make(postgres, "id text, content text, created_at text", *((one, "", "") for one in ids))
    with source(postgres) as db:
        found = [record["record_id"] for record in db.select(select, {}, but({"a"}))]
    assert len(found) == count and set(found) <= set(ids)
