"""The source database: jobs read it, and end with a clear line where a SELECT does not fit it."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from common.source.source_database import open_source
from rigs.databases import NO_COLUMN, NO_TABLE, Databases
from rigs.source_files import failure

EVENTS = "select id as record_id, content, created_at from events order by id"
WINDOW = {"start": "2026-11-21 00:00:00", "end": "2026-11-22 00:00:00"}


def make(databases: Databases, rows=((1, "Hello", "2026-11-21 10:00:00"),)) -> None:
    """A table `events` of those rows."""
    databases.table("events", "id, content, created_at", rows)


def read(databases, select=EVENTS, parameters=WINDOW):
    with closing(databases.open_source(writable=False)) as db:
        return list(db.select(select, parameters))


@pytest.mark.parametrize(
    "sql", ["delete from events", "create table mine (a int)", "drop table events"]
)
def test_a_job_that_only_reads_cannot_write(databases, sql):
    make(databases)
    assert failure(read, databases, sql, {}).code in (74, 78)
    assert len(read(databases)) == 1
    assert [*databases.tables()] == ["events"]


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("select id as record_id from evnts", NO_TABLE.format("evnts")),
        ("select id as record_id, body from events", NO_COLUMN.format("body")),
        ("selct 1", "syntax error"),
        ("select id as record_id from events where id = :day", ":day"),
        (
            "select id as record_id from events; drop table events",
            "one statement|multiple commands",
        ),
    ],
)
def test_a_select_that_does_not_fit_is_78_and_says_where_to_mend_it(databases, select, words):
    make(databases)
    end = failure(read, databases, select)
    assert end.code == 78
    assert re.search(words, end.message), end.message
    assert "mend the SELECT" in end.message
    assert len(read(databases)) == 1


def test_a_url_is_78_without_its_password():
    end = failure(open_source, "mysql://me:secret@db/records", writable=False)
    assert end.code == 78
    assert "give the path of a SQLite file, or postgresql://USER@HOST/DATABASE" in end.message
    assert "secret" not in end.message


@pytest.mark.parametrize(
    ("value", "record_id"), [(17, "17"), ("017", "017"), (1.5, "1.5"), (" ", " "), (" x\n", " x\n")]
)
def test_a_record_id_is_text(databases, value, record_id):
    make(databases, [(value, "", "")])
    assert [record["record_id"] for record in read(databases)] == [record_id]


@pytest.mark.parametrize(
    "record_id",
    [
        *("e\u0301", "\u00e9", "A", "a", "1", "1.0", "01", " 1"),
        pytest.param("a\0b", marks=pytest.mark.sqlite("a NUL in a text")),
    ],
)
def test_text_that_is_a_record_id_stays_as_it_is(databases, record_id):
    make(databases, [(record_id, "", "")])
    assert [record["record_id"] for record in read(databases)] == [record_id]


def test_a_select_without_a_record_id_is_78(databases):
    make(databases)
    end = failure(read, databases, "select id, content from events")
    assert end.code == 78
    assert "`id as record_id`" in end.message


def test_rows_without_an_id_are_left_out_and_counted(databases):
    make(databases, [(None, "x", ""), ("", "y", ""), (b"", "z", ""), (1, "a", ""), (" ", "b", "")])
    with closing(databases.open_source(writable=False)) as db:
        for _ in range(2):  # each SELECT starts to count from 0
            found = {record["record_id"] for record in db.select(EVENTS, WINDOW)}
            assert found == {"1", " "}
            assert db.without_id == 3


@pytest.mark.parametrize(
    "select",
    [
        "select id as record_id from events;",
        "select id as record_id from events; -- all of them; each once",
        "select id as record_id from events -- all of them",
        "select id as record_id from events ; /* all */ ",
        "select id as record_id from events where content <> ';' and content <> '--' order by 1",
        "with e as (select * from events) select id as record_id from e order by id limit 9;",
        "select id as record_id, row_number() over (order by id) as n from events; \n",
    ],
)
def test_what_may_follow_a_select_changes_nothing(databases, select):
    make(databases, [(one, "", "") for one in ("7", "x")])
    assert sorted(record["record_id"] for record in read(databases, select)) == ["7", "x"]
    with closing(databases.open_source(writable=False)) as db:
        assert db.columns(select)[0] == "record_id"


def test_rows_with_the_same_id_are_both_read(databases):
    make(databases, [(1, "a", ""), (1, "b", "")])
    assert sorted(record["content"] for record in read(databases)) == ["a", "b"]


def test_within_keeps_to_the_window_and_counts_times_that_are_none(databases):
    times = [
        "2026-11-21",
        "2026-11-22",
        "2026-11-21T23:59:59Z",
        1795219200,
        None,
        "soon",
        "2026-13-45 10:00:00",
    ]
    make(databases, [(n, "", at) for n, at in enumerate(times)])
    select = "select id as record_id from events where within(created_at, :start, :end) order by id"
    with closing(databases.open_source(writable=False)) as db:
        for _ in range(2):  # each SELECT starts to count from 0
            assert [record["record_id"] for record in db.select(select, WINDOW)] == ["0", "2", "3"]
            assert db.seen.undated == 3
        assert db.seen.example in ("None", "'soon'", "'2026-13-45 10:00:00'")
