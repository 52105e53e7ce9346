"""What becomes of a ledger in PostgreSQL when the connection to it is lost."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from common.ledger.postgres import lease, postgres_statements
from common.process.exits import JobExit
from rigs.failing_commits import CuttingProxy
from rigs.ledgers import postgres_book


def statuses(url: str) -> dict[str, str]:
    with closing(psycopg.connect(url)) as db:
        return dict(db.execute("select record_id, status from records").fetchall())


def test_what_is_read_is_read_once_more(postgres, proxy, tmp_path):
    between = proxy(postgres)
    with postgres_book(between.url, tmp_path) as book:
        book.submit("r1", "a")
        between.reset_all()
        assert set(book.ledger.states(["a"])) == {"a"}


def test_a_transaction_that_was_begun_is_said_again(postgres, proxy, tmp_path):
    between = proxy(postgres)
    with postgres_book(between.url, tmp_path) as book:
        book.submit("r1", "a")
        with book.ledger.transaction():
            book.answer("r1", "a")
            assert book.statuses() == {"a": "answered"}  # so it is at the server now
            between.reset_all()
            book.finish("r1", "a")
            between.reset_all()
            assert book.statuses() == {"a": "done"}
            between.reset_all()
        assert statuses(postgres) == {"a": "done"}


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_commit_whose_connection_is_lost_is_done_exactly_once(postgres, tmp_path, after):
    with (
        CuttingProxy(postgres, b"\0commit\0", after=after, times=0) as between,
        postgres_book(between.url, tmp_path) as book,
    ):
        book.submit("r1", "a")
        for number in range(1, 4):
            between.left = 1
            with book.ledger.transaction():
                book.file.db.execute("update records set failures = failures + 1")
            assert between.left == 0
            assert book.rows("select failures from records") == [(number,)]


def test_a_connection_that_goes_silent_is_given_up(postgres, proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "SILENCE", 0.3)
    between = proxy(postgres)
    with postgres_book(between.url, tmp_path, sleep=lambda seconds: between.heal()) as book:
        book.submit("r1", "a")
        between.drop_silently()
        between.refuse()
        assert set(book.ledger.states(["a"])) == {"a"}


def test_a_server_that_is_gone_for_good_ends_the_run_with_69(
    postgres, proxy, tmp_path, monkeypatch
):
    monkeypatch.setattr(postgres_statements, "PATIENCE", 0.2)
    between = proxy(postgres)
    waits: list[float] = []
    with postgres_book(between.url, tmp_path, sleep=waits.append) as book:
        book.submit("r1", "a")
        between.refuse()
        between.reset_all()
        counts = []
        for _ in range(2):
            with pytest.raises(JobExit) as end:
                book.answer("r1", "a")
            assert end.value.code == 69
            assert "postgres:" not in end.value.message and "LEDGER_DB" in end.value.message
            counts.append(len(waits))
        assert counts[0] == counts[1] > 0, "it waited for the second one, too"


def test_a_database_that_is_dropped_meanwhile_is_what_the_run_ends_for_to_the_last(
    postgres, tmp_path
):
    theirs = f"{postgres}_dropped"
    with closing(psycopg.connect(postgres, autocommit=True)) as db:
        name = theirs.rpartition("/")[2]
        db.execute(f"create database {name}")
        with postgres_book(theirs, tmp_path) as book:
            book.submit("r1", "a")
            db.execute(f"drop database {name} with (force)")
            for _ in range(2):
                with pytest.raises(JobExit) as end:
                    book.answer("r1", "a")
                assert end.value.code == 78
                assert f'database "{name}" does not exist' in end.value.message


@pytest.mark.parametrize("power", [False, True], ids=["restart", "kill -9"])
def test_a_restart_of_the_server_is_waited_for(own_postgres, tmp_path, power):
    with postgres_book(own_postgres.url, tmp_path) as book:
        book.submit("r1", "a")
        with book.ledger.transaction():
            book.answer("r1", "a")
            assert book.statuses() == {"a": "answered"}
            if power:
                own_postgres.kill()
                own_postgres.start()
            else:
                own_postgres.restart()
            book.finish("r1", "a")
        assert statuses(own_postgres.url) == {"a": "done"}
