"""A rehearsal of save(): it finds what a save would fail for, and leaves nothing behind."""

from __future__ import annotations

from contextlib import closing

import pytest

from common.process.exits import JobExit
from common.source.rehearsal import rehearse
from rigs.ledgers import REFUSED
from rigs.postgres_tables import source

INSERT = "insert into labels values (?, ?)"


@pytest.fixture
def db(databases):
    databases.table("events", "id, content", [(1, "Hello")])
    with closing(databases.open_source(writable=True)) as db:
        db.create("create table if not exists labels (id integer primary key, label text not null)")
        yield db


def rows(databases):
    with databases.records() as seen:
        return [*seen.execute("select id, label from labels order by id")]


def saves(db, *pairs):
    return [lambda pair=pair: db.connection.execute(INSERT, pair) for pair in pairs]


def test_what_works_is_taken_back(db, databases):
    db.write(*saves(db, (1, "before")))
    assert rehearse(db, saves(db, (2, "b"), (3, "c"))) == [None, None]
    assert rows(databases) == [(1, "before")]


def test_each_save_that_fails_is_told_of_and_the_others_go_on(db, databases):
    def breaks():
        db.connection.execute(INSERT, (5, "e"))
        raise ValueError("a job's own")

    tried = [*saves(db, (1, "a"), (2, None), (1, "again")), breaks, *saves(db, (6, "f"))]
    first, second, third, fourth, fifth = rehearse(db, tried)
    assert first is fifth is None
    assert isinstance(second, REFUSED)
    assert isinstance(third, REFUSED)  # of the row that the first one wrote
    assert isinstance(fourth, ValueError)
    assert rows(databases) == []


def by_method(db):
    db.commit()


def by_statement(db):
    db.execute("commit")


def by_end(db):
    db.execute(" END Transaction; ")


def by_block(db):
    with db:
        db.execute(INSERT, (8, "in a block"))


def by_script(db):
    db.executescript("create table if not exists others (id integer)")


COMMITS = pytest.mark.parametrize("commit", [by_method, by_statement, by_end, by_block, by_script])


@COMMITS
def test_what_save_commits_itself_is_taken_back_too(db, databases, commit):
    def save():
        db.connection.execute(INSERT, (1, "a"))
        commit(db.connection)
        if commit is not by_script:  # a transaction of its own
            db.connection.execute("begin")
            db.connection.execute(INSERT, (2, "b"))
            db.connection.execute("commit")

    assert rehearse(db, [save, *saves(db, (3, "c"))]) == [None, None]
    assert rows(databases) == []
    assert "others" not in databases.tables()


@COMMITS
def test_after_a_rehearsal_a_commit_is_one(db, databases, commit):
    def save():
        db.connection.execute(INSERT, (1, "a"))
        commit(db.connection)

    rehearse(db, [save])
    db.write(save)
    db.write(*saves(db, (2, "b")))
    assert [row for row in rows(databases) if row[0] < 3] == [(1, "a"), (2, "b")]


def test_a_save_that_rolls_back_is_found_as_it_is_when_it_counts(db, databases):
    def by_statement():
        db.connection.execute("rollback")

    def by_method():
        db.connection.rollback()

    for save in (by_statement, by_method):
        with pytest.raises(Exception, match="rolled back"):
            db.write(save)
        (error,) = rehearse(db, [save])
        assert "rolled back" in str(error)
    db.write(*saves(db, (1, "a")))
    assert rows(databases) == [(1, "a")]


def test_a_save_that_closes_its_connection_is_found(db, databases):
    def save():
        db.connection.close()

    (error,) = rehearse(db, [save])
    assert "closed" in str(error)
    db.write(*saves(db, (1, "a")))
    assert rows(databases) == [(1, "a")]


def test_what_ends_the_run_is_no_fault_of_a_save(db, databases):
    def stop():
        db.connection.execute(INSERT, (1, "a"))
        raise JobExit(74, "the disk is full")

    with pytest.raises(JobExit, match="disk is full"):
        rehearse(db, [stop])
    db.write(*saves(db, (2, "b")))
    assert rows(databases) == [(2, "b")]


def test_what_is_checked_as_late_as_the_commit_is_found(postgres):  # SQLite checks no foreign key
    with source(postgres, writable=True) as db:
        db.create(
            "create table if not exists parents (id integer primary key);"
            "create table if not exists children (id integer primary key, parent integer"
            " references parents deferrable initially deferred)"
        )

        def in_order(number):
            db.connection.execute("insert into children values (?, ?)", (number, number))
            db.connection.execute("insert into parents values (?)", (number,))

        def an_orphan():
            db.connection.execute("insert into children values (9, 9)")

        first, orphan, second = rehearse(db, [lambda: in_order(1), an_orphan, lambda: in_order(2)])
        assert first is second is None
        assert "foreign key" in str(orphan)
        assert "9" not in str(orphan)  # no row is shown
