"""The ledger in a PostgreSQL database: made by the first run, and refused where it is not ours."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from common.ledger.opening import open_ledger
from common.process.exits import JobExit
from common.process.witness import Told
from common.settings import Settings
from rigs.harness import python
from rigs.ledgers import JOB, postgres_book


def change(url: str, *statements: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as db:
        for statement in statements:
            db.execute(statement.encode())


def refusal(url: str, folder: Path, **options: Any) -> str:
    """Why a ledger is refused with 78; never with a password."""
    with pytest.raises(JobExit) as end, postgres_book(url, folder, **options):
        pass
    assert end.value.code == 78
    assert str(urlsplit(url).password) not in end.value.message
    return end.value.message


@pytest.fixture
def used(postgres: str, tmp_path: Path) -> str:
    """A ledger with one record and one run."""
    with postgres_book(postgres, tmp_path) as book:
        book.runs.start("live", "m")
        book.submit("r1", "a")
    return postgres


def test_a_first_run_makes_the_tables_and_the_next_one_finds_what_it_wrote(postgres, tmp_path):
    with postgres_book(postgres, tmp_path) as book:
        book.submit("r1", "a")
        book.submit("r2", "b\0c")
        book.answer("r1", "a")
        book.answer("r2", "b\0c")
        book.finish("r1", "a")
    with postgres_book(postgres, tmp_path) as book:
        assert book.statuses() == {"a": "done", "b\0c": "answered"}
        assert set(book.ledger.states(["a", "b\0c", "x"])) == {"a", "b\0c"}
        (stored,) = book.ledger.unsaved()
        assert stored.record_ids == ["b\0c"]


def test_ids_that_only_look_alike_are_two_records(postgres, tmp_path):
    alike = ["a\0b", "a\ufffdb", "a\U0010fffe0b", "a\U0010fffe1b", "ab"]
    with postgres_book(postgres, tmp_path) as book:
        for number, record_id in enumerate(alike):
            book.submit(f"r{number}", record_id)
        found = book.ledger.states(alike)
        assert {one: state.request_id for one, state in found.items()} == {
            record_id: f"r{number}" for number, record_id in enumerate(alike)
        }


@pytest.mark.parametrize("error", ["its own", "the server's"])
def test_what_a_block_changes_is_there_together_or_not_at_all(used, tmp_path, error):
    with postgres_book(used, tmp_path) as book:

        def fail() -> None:
            with book.ledger.transaction():
                book.answer("r1", "a")
                assert book.statuses() == {"a": "answered"}
                if error == "its own":
                    raise KeyError
                book.file.db.execute("insert into runs (run_id) values (null)")

        with pytest.raises((KeyError, psycopg.Error)):
            fail()
        assert book.statuses() == {"a": "submitted"}
        book.answer("r1", "a")
        assert book.statuses() == {"a": "answered"}


def test_a_second_run_of_the_job_is_refused_with_75(postgres, tmp_path):
    with postgres_book(postgres, tmp_path):
        for state in (tmp_path, tmp_path / "other"):
            with pytest.raises(JobExit) as end, postgres_book(postgres, state):
                pass
            assert end.value.code == 75
            assert "already running: " in end.value.message


def test_another_programs_tables_are_left_alone(postgres, tmp_path):
    change(postgres, "create table records (id int)")
    message = refusal(postgres, tmp_path)
    assert "has a table records of another program" in message and "create database" in message
    with closing(psycopg.connect(postgres)) as db:
        tables = "select tablename from pg_tables where schemaname = 'public'"
        assert db.execute(tables).fetchall() == [("records",)]


def test_a_newer_ledger_is_refused(used, tmp_path):
    change(used, "update ledger_version set version = version + 1")
    assert "newer version" in refusal(used, tmp_path)


def test_a_ledger_that_lacks_a_table_is_broken_until_it_is_begun_anew(used, tmp_path):
    change(used, "drop table requests")
    assert "has no table requests" in refusal(used, tmp_path)
    with postgres_book(used, tmp_path, start_anew=True) as book:
        book.submit("r2", "b")
    with postgres_book(used, tmp_path) as book:
        assert book.statuses() == {"a": "submitted", "b": "submitted"}


def test_a_table_that_vanishes_in_the_middle_of_a_run_ends_it_with_78(used, tmp_path):
    with postgres_book(used, tmp_path) as book:
        change(used, "drop table requests")
        with pytest.raises(JobExit) as end:
            book.answer("r1", "a")
        assert end.value.code == 78 and "is gone or broken" in end.value.message
        with pytest.raises(JobExit):
            list(book.ledger.unsaved())
    with postgres_book(used, tmp_path / "other", start_anew=True):
        pass  # the lease was given back


def test_a_ledger_that_knows_no_run_of_which_history_tells_is_refused(postgres, used, tmp_path):
    def told(run_id: str, job: str = JOB) -> Any:
        return lambda: Told(job, run_id, f"history.tsv tells of a run of {job}")

    with postgres_book(used, tmp_path, witness=told("run-1")):
        pass
    change(used, "delete from runs")
    assert "knows of no run of daily_report" in refusal(used, tmp_path, witness=told("run-1"))
    change(used, "drop schema public cascade", "create schema public")
    assert "it has no tables, but history.tsv" in refusal(used, tmp_path, witness=told("run-1"))
    with postgres_book(used, tmp_path, witness=told("run-1"), start_anew=True) as book:
        assert book.statuses() == {}


def test_who_only_reads_makes_nothing_and_waits_for_nobody(postgres, tmp_path):
    settings = Settings(tmp_path, JOB, demo=False, values={"LEDGER_DB": postgres})
    with closing(open_ledger(settings, read_only=True)) as ledger:
        assert ledger.db.execute("select count(*) from records").fetchone()[0] == 0
    with closing(psycopg.connect(postgres)) as db:
        assert not db.execute("select 1 from pg_tables where schemaname = 'public'").fetchall()
    with postgres_book(postgres, tmp_path) as book:
        book.submit("r1", "a")
        with closing(open_ledger(settings, read_only=True)) as ledger:
            assert ledger.db.execute("select count(*) from records").fetchone()[0] == 1
            with pytest.raises(JobExit, match="may only be read"):
                ledger.db.execute("delete from records")
        assert book.statuses() == {"a": "submitted"}


def test_a_user_that_may_not_make_tables_is_told_what_to_grant(postgres, tmp_path):
    parts = urlsplit(postgres)
    name = f"guest_{parts.path[-6:]}"
    change(postgres, f"create role {name} login password 'guest-secret-1'")
    try:
        host = parts.netloc.rpartition("@")[2]
        url = parts._replace(netloc=f"{name}:guest-secret-1@{host}").geturl()
        message = refusal(url, tmp_path)
        assert "permission denied" in message and "doctor says how" in message
    finally:
        change(postgres, f"drop role {name}")


def test_a_wrong_address_ends_with_one_line_and_no_password(postgres, tmp_path):
    parts = urlsplit(postgres)
    host = parts.netloc.rpartition("@")[2]
    wrong = parts._replace(netloc=f"postgres:wrong-secret-1@{host}").geturl()
    assert "was refused" in refusal(wrong, tmp_path)
    assert "does not exist" in refusal(parts._replace(path="/nowhere").geturl(), tmp_path)
    away = parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:1").geturl()
    with pytest.raises(JobExit) as end, postgres_book(away, tmp_path):
        pass
    assert end.value.code == 69 and str(parts.password) not in end.value.message


def test_who_keeps_the_ledger_in_sqlite_never_loads_psycopg():
    ended: subprocess.CompletedProcess[str] = python(
        "import sys\n"
        "from common.ledger import opening\n"
        "from common.ledger.postgres import postgres_statements\n"
        "import common.runner.run\n"
        "print('psycopg' in sys.modules)",
        PATH=sys.exec_prefix,
    )
    assert ended.stdout == "False\n", ended.stderr


def test_a_time_limit_that_others_have_set_for_statements_is_not_the_ledgers(postgres, tmp_path):
    name = postgres.rpartition("/")[2]
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute(f"alter database {name} set statement_timeout = '150ms'")
    with postgres_book(postgres, tmp_path) as book:
        slow = "select 1 from pg_sleep(0.2)"
        assert len(book.rows(slow)) == 1
        with book.ledger.transaction():
            assert len(book.rows(slow)) == 1


def test_a_database_into_which_not_every_answer_fits_is_refused(postgres, tmp_path):
    theirs = f"{postgres}_latin"
    name = theirs.rpartition("/")[2]
    change(postgres, f"create database {name} encoding 'LATIN1' locale 'C' template template0")
    try:
        message = refusal(theirs, tmp_path)
        assert "the encoding LATIN1" in message and "encoding 'UTF8'" in message
    finally:
        change(postgres, f"drop database {name} with (force)")
