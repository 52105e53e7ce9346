"""Writing to PostgreSQL: a save() is committed whole or not at all, and no error shows a row."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from common.process.database_errors import remedy_for_tables
from rigs.postgres_tables import change, login, make, rows, source
from rigs.source_files import failure

TABLE = "create table if not exists labels (id text primary key, label text not null)"
UPSERT = "insert into labels values (?, ?) on conflict (id) do update set label = excluded.label"
SAVED = "select id, label from labels order by id"


@pytest.fixture
def db(postgres):
    with source(postgres, writable=True) as db:
        db.create(TABLE)
        db.url = postgres  # type: ignore[attr-defined]
        yield db


def save(db: Any, *pairs: tuple[Any, Any]) -> None:
    for pair in pairs:
        db.connection.execute(UPSERT, pair)


def refused(db: Any, call: Any) -> psycopg.Error:
    """The error of a statement that write() passes on: the record's, and of one line."""
    with pytest.raises(psycopg.Error) as caught:
        db.write(call)
    assert "\n" not in str(caught.value)
    return caught.value


def test_what_save_wrote_is_committed_together_or_not_at_all(db):
    db.write(lambda: save(db, ("1", "a"), ("2", "b")))
    refused(db, lambda: save(db, ("3", "c"), ("4", None)))

    def break_down():
        save(db, ("5", "e"))
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - a job's own, unchanged
        db.write(break_down)
    db.write(lambda: save(db, ("6", "g")))
    assert [key for key, _ in rows(db.url, SAVED)] == ["1", "2", "6"]


def test_an_error_shows_the_row_that_it_happened_to_to_nobody(db):
    seen = []

    def look() -> None:
        try:
            save(db, ("card 4111 1111", None))
        except psycopg.Error as error:
            seen.append(str(error))
            raise

    seen.append(str(refused(db, look)))
    for text in seen:
        assert 'null value in column "label"' in text and "4111" not in text


def test_an_error_that_save_passes_over_is_the_records_all_the_same(db):
    def passes_over():
        for pair in (("1", None), ("2", "b")):
            try:
                save(db, pair)
            except psycopg.Error:
                continue

    assert "null value" in str(refused(db, passes_over))
    assert rows(db.url, SAVED) == []


def test_a_constraint_that_the_commit_checks_is_the_records(db):
    change(
        db.url,
        "create table orders (id text primary key)",
        "alter table labels add foreign key (id) references orders deferrable initially deferred",
    )
    assert "foreign key" in str(refused(db, lambda: save(db, ("1", "a"))))


@pytest.mark.parametrize("how", ["method", "statement", "then begin"])
def test_a_save_that_rolls_back_loses_what_it_wrote_and_is_told_of(db, how):
    def meddles():
        save(db, ("1", "a"))
        if how == "method":
            db.connection.rollback()
        else:
            db.connection.execute("rollback")
        if how == "then begin":
            db.connection.execute("begin")
            save(db, ("2", "b"))

    assert "has been rolled back" in str(refused(db, meddles))
    assert rows(db.url, SAVED) == []


def test_a_save_may_commit_use_savepoints_cursors_and_scripts(db):
    def saves():
        handle = db.connection
        with handle:
            cursor = handle.cursor()
            assert cursor.execute("select 1 where false").fetchall() == []
            assert cursor.fetchone() is None
            cursor.executemany(UPSERT, [("1", "a"), ("2", "b")])
            assert cursor.rowcount == 2 and cursor.fetchall() == []
        assert not handle.in_transaction
        handle.executescript("begin; insert into labels values ('3', 'it''s 50% ?')")
        handle.execute("savepoint here")
        save(db, ("4", "d"))
        handle.execute("rollback to here")
        found = handle.execute("select label as name, id from labels where id = :id", {"id": "3"})
        (row,) = found
        assert (row["name"], row[1], row.keys()) == ("it's 50% ?", "3", ("name", "id"))

    db.write(saves)
    assert rows(db.url, SAVED) == [("1", "a"), ("2", "b"), ("3", "it's 50% ?")]


def test_a_save_that_closes_the_connection_saves_nothing(db):
    def closes():
        save(db, ("1", "a"))
        db.connection.close()

    assert "closed" in str(refused(db, closes))
    db.write(lambda: save(db, ("2", "b")))
    assert rows(db.url, SAVED) == [("2", "b")]


def test_text_that_postgresql_refuses_is_kept_with_a_sign_for_what_is_no_letter(db):
    db.write(lambda: save(db, ("a\0b", "half a \ud83d smile"), ("😀", "whole \ud83d\ude00")))
    bad = "\N{REPLACEMENT CHARACTER}"
    assert rows(db.url, SAVED) == [(f"a{bad}b", f"half a {bad} smile"), ("😀", "whole 😀")]


def test_one_name_may_stand_for_columns_of_several_types(postgres):
    make(postgres, "id bigint, note text", (7, ""))
    with source(postgres, writable=True) as db:
        sql = "update events set note = :id where id = :id"
        db.write(lambda: db.connection.execute(sql, {"id": "7", "more": None}))
    assert rows(postgres, "select note from events") == [("7",)]


def test_a_value_that_is_not_given_is_told_of_by_its_name(db):
    sql = "insert into labels values (:id, :label)"
    error = refused(db, lambda: db.connection.execute(sql, {"id": "1"}))
    assert ":label" in str(error)


def test_what_is_written_is_on_the_disk_when_it_is_told_of(db):
    name = db.url.rpartition("/")[2]
    change(db.url, f"alter database {name} set synchronous_commit = off")
    found: list[object] = []
    with source(db.url, writable=True) as later:
        ask = "show synchronous_commit"
        later.write(lambda: found.extend(later.connection.execute(ask)))
        found.extend(later.connection.execute(ask))
    assert found == [("on",), ("off",)]


def test_what_only_reads_cannot_write(postgres):
    change(postgres, TABLE)
    with source(postgres) as db:
        end = failure(db.write, lambda: save(db, ("1", "a")))
        assert end.code == 78 and "may only be read" in end.message
        assert failure(db.create, TABLE.replace("labels", "more")).code == 78


def test_a_table_that_lacks_a_column_is_told_of_before_anything_is_sent(db):
    wider = (
        "create table if not exists Labels (id text, Label text, why text, score real);"
        "create table if not exists others (id text)"
    )
    end = failure(db.create, wider)
    assert end.code == 78
    assert "run `alter table Labels add column why TEXT; alter table Labels add" in end.message
    change(db.url, "alter table labels add column why text, add column score real")
    db.create(wider)


def test_tables_may_be_written_as_only_postgresql_knows_it(db):
    tables = """
        create table if not exists scores (
            id bigint generated always as identity primary key, record_id text not null unique,
            tags text[] default '{}', made_at timestamptz not null default now()
        );
        create index if not exists by_tag on scores using gin (tags)
    """
    for _ in range(2):
        db.create(tables)
    assert rows(db.url, "select count(*) from scores") == [(0,)]


def test_tables_that_are_no_sql_are_78(db):
    end = failure(db.create, "create tabel labels (a text)")
    assert end.code == 78 and "mend TABLES" in end.message


def test_a_role_that_may_not_make_tables_uses_those_that_are_made(postgres):
    name = postgres.rpartition("/")[2]
    change(
        postgres,
        TABLE,
        f"create role writer_{name} login password 'hunter22'",
        "revoke create on schema public from public",
        f"grant select, insert, update on labels to writer_{name}",
    )
    try:
        with source(login(postgres, f"writer_{name}"), writable=True) as db:
            db.create(TABLE)
            db.write(lambda: save(db, ("1", "a")))
            end = failure(db.create, TABLE.replace("labels", "more"))
            assert end.code == 78
            assert end.message.endswith(f"run `grant create on schema public to writer_{name}`")
            change(postgres, f"revoke insert on labels from writer_{name}")
            end = failure(db.create, TABLE)
            assert end.code == 78
            assert f"`grant select, insert, update, delete on labels to writer_{name}`" in str(end)
            change(postgres, f"grant insert (id, label) on labels to writer_{name}")
            db.create(TABLE)
    finally:
        change(postgres, f"drop owned by writer_{name}", f"drop role writer_{name}")
    assert rows(postgres, SAVED) == [("1", "a")]


REMEDIES = {
    "update labels set why = ?": "run `alter table labels add column why text`",
    "select why from labels where id = ?": "run `alter table … add column why text`",
    "insert into labels values (?, '', '')": "a field that is new needs a column",
    "insert into others values (?)": "give the job tables=`create table if not exists others (…)`",
    "insert or replace into labels values (?, '')": "on conflict (…) do update set",
    "insert into labels values (?, '') on conflict (id) do update set label = label || ''": (
        "write the name of its table before it, as in `labels.label`"
    ),
    "insert into labels values (?, '') on conflict (label) do nothing": "primary key in TABLES",
    "update labels set label = '' where '{}'::jsonb ? 'a' and id = ?": "jsonb_exists(…)",
    "create table more (id integer primary key autoincrement, label text default ?)": "as identity",
    "update labels set label = datetime('now') where id = ?": "`current_timestamp`",
    "delete from labels where id = ?; delete from labels": "a db.execute(…) of its own",
}


@pytest.mark.parametrize("sql", REMEDIES)
def test_what_would_fail_for_every_record_is_told_with_the_remedy(db, sql):

    assert REMEDIES[sql] in remedy_for_tables(
        refused(db, lambda: db.connection.execute(sql, ("1",)))
    )


def test_a_mapping_as_a_value_is_told_how_to_become_a_text(db):
    update = "update labels set label = ?"
    error = refused(db, lambda: db.connection.execute(update, ({"a": 1},)))
    assert "json.dumps(…)" in remedy_for_tables(error)
