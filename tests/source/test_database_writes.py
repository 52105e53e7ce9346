"""Writing to the source database: all rows of a save() are committed, or none."""

from __future__ import annotations

import sqlite3

import pytest

from common.source.sqlite_source import Database
from rigs.source_files import failure, make


def test_a_table_that_lacks_a_column_is_told_of_before_anything_is_sent(tmp_path):
    path = make(tmp_path / "r.db")
    db = Database(path, writable=True)
    db.create("create table if not exists labels (id primary key, label text)")
    wider = (
        "create table if not exists labels (id primary key, Label text, why text, score real);"
        "create table if not exists others (id)"
    )
    refused = failure(db.create, wider)
    assert refused.code == 78
    assert "alter table labels add column why TEXT; alter table labels add" in refused.message
    assert "Label" not in refused.message and "others" not in refused.message
    db.connection.executescript(
        "alter table labels add column why text; alter table labels add column score real"
    )
    db.create(wider)
    db.close()


def test_tables_that_build_on_the_users_own_are_left_to_save(tmp_path):
    db = Database(make(tmp_path / "r.db"), writable=True)
    db.create("create table if not exists copies as select * from events")
    db.create("create index if not exists by_id on events (id)")
    db.close()


def test_what_save_wrote_is_committed_together_or_not_at_all(tmp_path):
    path = make(tmp_path / "r.db")
    db = Database(path, writable=True)
    db.create("create table if not exists labels (id primary key, label not null)")

    def save(*rows):
        for row in rows:
            db.connection.execute("insert or replace into labels values (?, ?)", row)

    db.write(lambda: save((1, "a"), (2, "b")))
    with pytest.raises(sqlite3.IntegrityError):  # of save's own: a record's fault, not the file's
        db.write(lambda: save((3, "c"), (4, None)))

    def break_down():
        save((5, "e"))
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - a job's own, unchanged
        db.write(break_down)
    db.write(lambda: save((6, "g")))
    assert [tuple(row) for row in db.connection.execute("select id from labels")] == [
        (1,),
        (2,),
        (6,),
    ]
    db.close()
