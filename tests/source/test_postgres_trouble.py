"""A PostgreSQL that is lost, locked or behind a pooler: what goes on, and what ends with 69."""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice

import psycopg
import pytest

from rigs.pgbouncer import pooled
from rigs.postgres_tables import EVENTS, WINDOW, change, make, rows, source
from rigs.source_files import failure

MANY = "select i as record_id, 'x' as content from generate_series(1, 30000) i"
TABLE = "create table labels (id text primary key, label text)"


def kick_out(url: str) -> None:
    """End the connections of jobs, as a server does that is restarted."""
    jobs = "application_name like 'claude-batch-jobs/%' and datname = current_database()"
    gone = f"select 1 from pg_stat_activity where {jobs}"
    assert rows(url, f"select pg_terminate_backend(pid) from pg_stat_activity where {jobs}")
    deadline = time.monotonic() + 20
    while rows(url, gone):
        assert time.monotonic() < deadline


def test_a_connection_that_was_lost_in_between_is_opened_again(postgres):
    make(postgres, "id int, content text, created_at timestamptz", (1, "a", "2026-11-21 10:00Z"))
    select = EVENTS.replace("order", "where within(created_at, :start, :end) order")
    with source(postgres, writable=True) as db:
        for _ in range(2):
            kick_out(postgres)
            assert len([*db.select(select, WINDOW)]) == 1
            kick_out(postgres)
            assert db.seen.newest
            kick_out(postgres)
            assert db.columns(select)[0] == "record_id"
            kick_out(postgres)
            db.create(TABLE.replace("table", "table if not exists"))
            kick_out(postgres)
            assert db.lacking(TABLE) == ""
            kick_out(postgres)
            db.write(lambda: db.connection.execute("insert into labels values (random(), '')"))
    assert rows(postgres, "select count(*) from labels") == [(2,)]


def test_a_select_that_loses_its_server_in_the_middle_is_69_and_gives_nothing_twice(postgres):
    with source(postgres) as db:
        records = db.select(MANY, {})
        given = [*islice(records, 150)]
        kick_out(postgres)
        end = failure(lambda: given.extend(records))
        assert end.code == 69 and "the next run reads it again" in end.message
        ids = [record["record_id"] for record in given]
        assert len(set(ids)) == len(ids) < 30_000
        assert sum(1 for _ in db.select(MANY, {})) == 30_000  # the next run's


def test_a_select_of_which_nothing_was_given_is_begun_again(postgres, proxy):
    between = proxy(postgres)
    with source(between.url) as db:
        assert [*db.select("select 1 as record_id", {})]
        between.reset_all()
        assert sum(1 for _ in db.select(MANY, {})) == 30_000


@pytest.mark.parametrize("when", ["while it writes", "before it commits"])
def test_a_save_whose_server_is_lost_is_called_once_more(postgres, when):
    change(postgres, TABLE)
    calls = []
    with source(postgres, writable=True) as db:

        def save() -> None:
            calls.append(1)
            db.connection.execute("insert into labels values ('1', '') on conflict do nothing")
            if len(calls) == 1:
                kick_out(postgres)
                if when == "while it writes":
                    db.connection.execute("insert into labels values ('2', '')")

        db.write(save)
    assert len(calls) == 2
    assert rows(postgres, "select id from labels") == [("1",)]


def test_a_save_that_always_loses_its_server_is_69_and_has_written_nothing(postgres):
    change(postgres, TABLE)
    calls = []
    with source(postgres, writable=True) as db:

        def save() -> None:
            calls.append(1)
            db.connection.execute("insert into labels values ('1', '')")
            kick_out(postgres)

        end = failure(db.write, save)
    assert end.code == 69 and len(calls) == 2
    assert rows(postgres, "select id from labels") == []


def test_a_server_that_stays_away_is_69(postgres, proxy):
    between = proxy(postgres)
    with source(between.url, patience=0.2) as db:
        between.refuse()
        between.reset_all()
        end = failure(lambda: [*db.select(MANY, {})])
        assert end.code == 69 and "hunter22" not in end.message
        between.heal()
        assert sum(1 for _ in db.select(MANY, {})) == 30_000


def test_a_deadlock_is_tried_once_more(postgres):
    make(postgres, "id int primary key, content text", (1, ""), (2, ""))
    calls = []
    with (
        source(postgres, writable=True) as db,
        closing(psycopg.connect(postgres)) as other,
    ):

        def save() -> None:
            calls.append(1)
            db.connection.execute("set local deadlock_timeout = '10ms'")
            db.connection.execute("update events set content = 'ours' where id = 1")
            if len(calls) == 1:
                other.execute("set deadlock_timeout = '1min'")
                other.execute("update events set content = 'theirs' where id = 2")
                other.pgconn.send_query(b"update events set content = 'theirs' where id = 1")
            db.connection.execute("update events set content = 'ours' where id = 2")

        def save_and_let_go() -> None:
            if calls:
                other.pgconn.get_result()
                while other.pgconn.get_result():
                    pass
                other.rollback()
            save()

        db.write(save_and_let_go)
    assert len(calls) == 2
    assert rows(postgres, "select distinct content from events") == [("ours",)]


def test_a_table_that_another_program_keeps_locked_is_69_and_says_so(postgres):
    make(postgres, "id int, content text, created_at timestamptz", (1, "a", "2026-11-21"))
    with (
        source(postgres, writable=True, timeout=0.05) as db,
        psycopg.connect(postgres) as other,
    ):
        other.execute("lock table events in access exclusive mode")
        for call in (
            lambda: [*db.select(EVENTS, {})],
            lambda: db.columns(EVENTS),
            lambda: db.write(lambda: db.connection.execute("update events set content = ''")),
        ):
            end = failure(call)
            assert end.code == 69
            assert "another program keeps a lock on what it needs" in end.message
        other.rollback()
        assert len([*db.select(EVENTS, {})]) == 1


def test_behind_a_pooler_all_is_as_before_it(postgres):
    make(
        postgres, "id int, content text, created_at text", (1, "a", "2026-11-21"), (2, "b", "soon")
    )
    change(postgres, TABLE)
    select = EVENTS.replace("order", "where within(created_at, :start, :end) order")
    with (
        pooled(postgres) as through,
        psycopg.connect(through.url) as other,
        source(through.url, writable=True) as db,
    ):

        def save() -> None:
            db.connection.execute("insert into labels values (random(), '')")

        for _ in range(6):
            # Another client takes one connection to the server, then the other.
            other.execute("select 1")
            assert len([*db.select(select, WINDOW)]) == 1
            other.rollback()
            assert (db.seen.undated, db.seen.example) == (1, "'soon'")
            assert db.columns(select)[0] == "record_id"
            db.write(save)
    assert rows(postgres, "select count(*) from labels") == [(6,)]
