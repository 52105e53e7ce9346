"""A run whose ledger is in PostgreSQL outlives what happens to the server and to the network.

Where it cannot, nothing that was paid for is lost, and nothing is paid for twice.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from common.ledger.postgres import lease, postgres_statements
from rigs import own_jobs
from rigs.crash_rig import until
from rigs.harness import Result, Site
from rigs.own_jobs import labels
from standin.servers import PostgreSQL

RECORDS = 60
pytestmark = pytest.mark.sqlite("the records; the ledger is always in PostgreSQL")
OPTIONS = ("--live", "--chunk-size", "1", "--concurrency", "8")


@pytest.fixture
def here(claude: Callable[..., Site]) -> Site:
    site = claude(latency=0.05)
    site.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(RECORDS))
    return site


def run(site: Site, ledger: str, at_save: Callable[[int], object] = lambda count: None) -> Result:
    """A run; `at_save` is called with the number of records saved before."""
    count = iter(range(RECORDS))

    def save(db: Any, record: Any, output: Any) -> None:
        at_save(next(count))
        own_jobs.save(db, record, output)

    return site.run(labels(save=save), *OPTIONS, LEDGER_DB=ledger)


def check(site: Site, ledger: str, *, billed: int = RECORDS) -> None:
    """All is done and saved, nothing under way, and that many requests were paid for."""
    with closing(psycopg.connect(ledger)) as db:
        records = db.execute("select status, count(*) from records group by 1").fetchall()
        requests = db.execute("select distinct status from requests where answer is not null")
        assert records == [("done", RECORDS)]
        assert requests.fetchall() == [("done",)]
    assert site.saved("select count(*) from labels") == [(RECORDS,)]
    assert len(site.billed()) == billed


@pytest.mark.parametrize("how", ["restart", "kill -9"])
def test_a_restart_of_the_server_in_the_middle_is_no_more_than_a_wait(here, own_postgres, how):
    def at_save(count: int) -> None:
        if count in (5, 20):
            if how == "kill -9":
                own_postgres.kill()
                own_postgres.start()
            else:
                own_postgres.restart()

    ended = run(here, own_postgres.url, at_save)
    assert ended.code == 0, ended.log
    assert "connecting again" in ended.log and "Traceback" not in ended.log
    check(here, own_postgres.url)


def test_connections_that_are_reset_again_and_again_cost_nothing(here, postgres, proxy):
    between = proxy(postgres)
    ended = run(here, between.url, lambda count: count % 7 or between.reset_all())
    assert ended.code == 0, ended.log
    check(here, postgres)


def test_a_network_that_goes_silent_for_a_while_costs_a_wait(here, postgres, proxy, monkeypatch):
    monkeypatch.setattr(lease, "SILENCE", 0.3)
    between = proxy(postgres)
    waits = []

    def at_save(count: int) -> None:
        if count == 10:
            between.drop_silently()
            between.refuse()
            waits.append(threading.Timer(1.0, between.heal))
            waits[-1].start()

    ended = run(here, between.url, at_save)
    waits[0].join()
    assert ended.code == 0, ended.log
    assert "has not said a word" in ended.log
    check(here, postgres)


@contextmanager
def killed_when(condition: Callable[[], bool], server: PostgreSQL) -> Iterator[None]:
    def kill() -> None:
        until(condition)
        server.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()


@pytest.mark.parametrize("moment", ["at a save", "while requests are in flight"])
def test_answers_that_a_dead_server_cannot_take_are_kept_and_used_by_the_next_run(
    here, own_postgres, monkeypatch, moment
):
    monkeypatch.setattr(postgres_statements, "PATIENCE", 0.5)
    if moment == "at a save":
        first = run(here, own_postgres.url, lambda count: count == 9 and own_postgres.kill())
    else:
        with killed_when(lambda: len(here.billed()) > 11, own_postgres):
            first = run(here, own_postgres.url)
    assert first.code == 69, first.log
    assert "Traceback" not in first.log and own_postgres.password not in first.log
    assert len(here.billed()) < RECORDS
    kept = here.root / "state/labels.answers"
    assert kept.exists() and stat.S_IMODE(kept.stat().st_mode) == 0o600
    answers = len(kept.read_text().splitlines())

    own_postgres.start()
    second = run(here, own_postgres.url)
    assert second.code == 0, second.log
    assert f"{answers} answers of {kept} put into the ledger" in second.log
    assert not kept.exists()
    check(here, own_postgres.url)


def test_a_run_that_is_told_to_stop_does_not_wait_for_a_dead_server(here, own_postgres):
    def at_save(count: int) -> None:
        if count == 9:
            own_postgres.kill()
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

    began = time.monotonic()
    first = run(here, own_postgres.url, at_save)
    assert first.code == 69, first.log
    assert time.monotonic() - began < 20
    own_postgres.start()
    assert run(here, own_postgres.url).code == 0
    check(here, own_postgres.url)


FULL = """
    create function full_disk() returns trigger language plpgsql as $$ begin
        raise exception 'could not extend file: No space left on device' using errcode = '53100';
    end $$;
    create trigger full_disk before update of answer on requests
        for each row execute function full_disk()
"""


def test_a_full_disk_of_the_server_ends_the_run_with_74_and_costs_no_answer(here, postgres):
    def at_save(count: int) -> None:
        if count == 9:
            with closing(psycopg.connect(postgres, autocommit=True)) as db:
                db.execute(FULL)

    first = run(here, postgres, at_save)
    assert first.code == 74, first.log
    assert "its disk is full" in first.log and "Traceback" not in first.log
    kept = here.root / "state/labels.answers"
    assert kept.exists()
    with closing(psycopg.connect(postgres, autocommit=True)) as db:
        db.execute("drop trigger full_disk on requests")
    second = run(here, postgres)
    assert second.code == 0, second.log
    check(here, postgres)


def test_a_file_of_answers_that_cannot_be_read_ends_the_run_before_anything_is_asked(
    here, postgres
):
    kept = here.root / "state/labels.answers"
    kept.parent.mkdir()
    kept.write_text('{"request_id": "r1"}\n')
    ended = run(here, postgres)
    assert ended.code == 78 and f"{kept}, which holds answers" in ended.log
    assert not here.billed() and kept.exists()
