"""Writing to the source database: all rows of a save() are committed, or none."""

from __future__ import annotations

from contextlib import closing

import pytest

from rigs.ledgers import REFUSED
from rigs.source_files import failure


@pytest.fixture
def db(databases):
    databases.table("events", "id, content, created_at", [(1, "Hello", "2026-11-21 10:00:00")])
    with closing(databases.open_source(writable=True)) as db:
        yield db


def test_a_table_that_lacks_a_column_is_told_of_before_anything_is_sent(db):
    db.create("create table if not exists labels (id integer primary key, label text)")
    wider = (
        "create table if not exists labels"
        " (id integer primary key, Label text, why text, score real);"
        "create table if not exists others (id integer)"
    )
    refused = failure(db.create, wider)
    assert refused.code == 78
    added = refused.message.lower()
    assert "alter table labels add column why text; alter table labels add" in added
    assert "label text" not in added and "others" not in added
    remedies = refused.message.split("`")[1].split(";")
    assert len(remedies) == 2

    def mend():
        for remedy in remedies:
            db.connection.execute(remedy)

    db.write(mend)
    db.create(wider)


def test_tables_that_build_on_the_users_own_are_left_to_save(db):
    db.create("create table if not exists copies as select * from events")
    db.create("create index if not exists by_id on events (id)")


def test_what_save_wrote_is_committed_together_or_not_at_all(db, databases):
    db.create("create table if not exists labels (id integer primary key, label text not null)")

    def save(*rows):
        for row in rows:
            db.connection.execute("insert into labels values (?, ?)", row)

    db.write(lambda: save((1, "a"), (2, "b")))
    with pytest.raises(REFUSED):  # of save's own: a record's fault, not the database's
        db.write(lambda: save((3, "c"), (4, None)))

    def break_down():
        save((5, "e"))
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - a job's own, unchanged
        db.write(break_down)
    db.write(lambda: save((6, "g")))
    with databases.records() as seen:
        assert [*seen.execute("select id from labels order by id")] == [(1,), (2,), (6,)]
