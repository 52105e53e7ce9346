"""Who may write the ledger of a job in PostgreSQL: one run, on whichever machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from common.ledger.postgres import lease
from common.process.exits import JobExit
from rigs.crash_rig import until
from rigs.harness import REPOSITORY
from rigs.ledgers import JOB, postgres_book
from rigs.pgbouncer import pooled

HOLDING = """
import sys
from pathlib import Path
from common.ledger.postgres.postgres_ledger import PostgresLedger
ledger = PostgresLedger(sys.argv[1], sys.argv[2], state=Path(sys.argv[3]))
print("holds", flush=True)
for line in sys.stdin:
    try:
        with ledger.transaction():
            ledger.db.execute("insert into left_out values ('daily_report', ?, 1)", (line,))
        print("done", flush=True)
    except BaseException as end:
        print(end.code, end, flush=True)
"""


@pytest.fixture(params=["direct", "pooled"])
def address(request: pytest.FixtureRequest, postgres: str) -> Iterator[str]:
    """Where runs find the ledger: the server itself, or a pooler in transaction mode before it."""
    if request.param == "direct":
        yield postgres
    else:
        with pooled(postgres) as pooler:
            yield pooler.url


@pytest.fixture
def held(address: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease, as the installation `one`."""
    (tmp_path / "one").mkdir()
    command = [sys.executable, "-c", HOLDING, address, JOB, str(tmp_path / "one")]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY / "jobs")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout and process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def say(process: subprocess.Popen[str], word: str) -> str:
    """What the other process says of a transaction."""
    assert process.stdin and process.stdout
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return process.stdout.readline()


def refusal(url: str, folder: Path) -> str:
    with pytest.raises(JobExit) as end, postgres_book(url, folder):
        pass
    assert end.value.code == 75
    return end.value.message


def sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg.connect(url, autocommit=True)) as db:
        cursor = db.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


END = "update leases set locked_until = clock_timestamp() - interval '1 second'"
LIVES = "select locked_until > clock_timestamp() from leases"


def test_another_installation_is_told_who_has_it(address, postgres, tmp_path, held):
    message = refusal(address, tmp_path / "two")
    assert message.startswith("already running: ")
    assert f" pid {held.pid} holds the ledger of {JOB} in LEDGER_DB postgresql://" in message


def test_so_it_is_where_the_holder_is_in_the_middle_of_a_transaction(
    address, postgres, tmp_path, held, monkeypatch
):
    soon = f"{lease.DURABLE_BEGIN}; set local lock_timeout = '100ms'"
    monkeypatch.setattr(lease, "DURABLE_BEGIN", soon)
    with closing(psycopg.connect(postgres)) as db:
        db.execute("update leases set commits = commits + 1")
        assert f" pid {held.pid} holds" in refusal(address, tmp_path / "two")


def test_another_job_has_a_lease_of_its_own(address, postgres, tmp_path, held):
    with postgres_book(address, tmp_path / "one", job="weekly_report"):
        pass


def test_a_killed_run_is_continued_at_once_on_its_installation_and_elsewhere_when_its_lease_ends(
    address, postgres, tmp_path, held
):
    held.kill()
    held.wait()
    refusal(address, tmp_path / "two")
    with postgres_book(address, tmp_path / "one") as book:
        book.submit("r1", "a")
    held_again = "update leases set locked_until = clock_timestamp() + interval '60 s', token = 'x'"
    sql(postgres, held_again)
    refusal(address, tmp_path / "two")
    sql(postgres, END)
    with postgres_book(address, tmp_path / "two") as book:
        assert book.statuses() == {"a": "submitted"}


def test_a_copy_of_an_installation_does_not_take_over_a_run_that_lives(address, tmp_path, held):
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    refusal(address, tmp_path / "copy")
    (tmp_path / f"one/{JOB}.lease").unlink()
    refusal(address, tmp_path / "one")


def test_a_run_that_was_frozen_until_another_one_took_its_place_commits_nothing(
    address, postgres, tmp_path, held
):
    assert say(held, "first") == "done\n"
    held.send_signal(signal.SIGSTOP)
    sql(postgres, END)
    with postgres_book(address, tmp_path / "two"):
        held.send_signal(signal.SIGCONT)
        answer = say(held, "second")
        assert answer.startswith("69 ") and "another run has taken over" in answer
    assert say(held, "third").startswith("69 ")
    assert sql(postgres, "select why from left_out") == [("first\n",)]


def test_a_lease_that_ended_and_that_nobody_took_is_still_the_runs(postgres, held):
    sql(postgres, END)
    assert say(held, "first") == "done\n"
    assert sql(postgres, LIVES) == [(True,)]


def test_a_run_that_does_nothing_for_long_keeps_its_lease(address, postgres, tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED_EACH", 0.05)
    with postgres_book(address, tmp_path):
        for _ in range(2):  # the second time over a connection that was cut
            sql(postgres, END)
            until(lambda: sql(postgres, LIVES) == [(True,)])
            sql(
                postgres,
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name like '%/lease'",
            )


def test_a_run_learns_before_it_sends_that_its_lease_is_gone(
    address, postgres, tmp_path, monkeypatch
):
    monkeypatch.setattr(lease, "RENEWED_EACH", 0.05)
    with postgres_book(address, tmp_path) as book:
        sql(postgres, "update leases set fence = fence + 1")

        def is_told() -> bool:
            try:
                book.ledger.ready(0)
            except JobExit as end:
                return end.code == 69
            return False

        until(is_told)


def test_a_run_that_ends_gives_its_lease_back(address, postgres, tmp_path):
    for name in ("one", "two", "one"):
        with postgres_book(address, tmp_path / name):
            pass
    assert sql(postgres, "select fence from leases") == [(3,)]


def test_of_fifty_first_runs_at_once_one_makes_the_tables_and_runs(address, postgres, tmp_path):
    ends: list[Any] = []
    barrier, over = threading.Barrier(50), threading.Event()

    def start(number: int) -> None:
        barrier.wait()
        try:
            with postgres_book(address, tmp_path / str(number)):
                ends.append("ran")
                over.wait(30)
        except JobExit as end:
            ends.append(end.code)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(ends) == 50)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert sorted(map(str, ends)) == ["75"] * 49 + ["ran"]
    assert sql(postgres, "select count(*) from ledger_version") == [(1,)]
