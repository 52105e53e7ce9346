"""A worker's crew, in this process: what it does where the database is away, and when it stops."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from kombu.message import Message

from common import settings
from common.claude.pricing import Tokens
from common.ledger.for_workers import work_queue
from common.ledger.for_workers.work_queue import Work
from common.process import exits
from common.process.exits import JobExit
from ops.crew import crew as crew_module
from ops.crew.crew import Crew
from ops.crew.patient_database import PatientDatabase
from ops.crew.worker_process import Acknowledgements
from ops.ledger import work_claims
from rigs.celery_site import in_flight, until
from standin.standin import StandIn

PARAMS = {
    "model": "claude-haiku-5-5",
    "max_tokens": 100,
    "system": "Say something.",
    "messages": [{"role": "user", "content": '<records><record id="1">a</record></records>'}],
}


@pytest.fixture
def database(postgres):
    database = PatientDatabase(postgres, patience=5)
    yield database
    database.close()


@pytest.fixture
def make(tmp_path, database):
    """A function that makes a crew with one request in the queue: make(**stand-in's options)."""
    made = []

    def start(capped=False, **options):
        standin = StandIn(**options)
        standin.__enter__()
        values = {"ANTHROPIC_API_KEY": "sk-ant-test-key-000000", "ANTHROPIC_BASE_URL": standin.url}
        ours = settings.load("worker", demo=False, root=tmp_path, environ=values)
        crew = Crew(database, ours, "q", 2, 30.0)
        made.append((crew, standin))
        add(database, capped)
        crew.begin()
        return crew

    yield start
    for crew, standin in made:
        crew.end()
        standin.__exit__(None, None, None)


def add(database, capped):
    def do(db):
        db.execute(
            "insert into requests (request_id, job, run_id, delivery, status, record_ids, attempts,"
            " model, unsettled_usd, created_at) values ('a', 'job', 'run', 'celery', 'submitted',"
            " '[\"1\"]', 1, 'claude-haiku-5-5', 0.5, '2026')"
        )
        one = Work("a", "chunk 1/1", "claude-haiku-5-5", json.dumps(PARAMS), 0.5, capped)
        work_queue.add(db, "job", "q", [one])

    database.transact(do)


def rows(database, sql):
    return database.transact(lambda db: db.execute(sql).fetchall())


def test_an_answer_that_comes_when_the_database_is_away_is_kept_and_stored_later(
    make, database, tmp_path, monkeypatch
):
    crew = make()
    real = work_claims.store

    def away(db, answer):
        raise JobExit(exits.UNREACHABLE, "LEDGER_DB could not be reached")

    monkeypatch.setattr(work_claims, "store", away)
    crew.work("a")
    [kept] = (tmp_path / "state/answers").iterdir()
    assert rows(database, "select status from requests") == [("submitted",)]
    # Nobody else sends it, and pays again.
    database.transact(lambda db: db.execute("update queue set lease_until = '2026-01-01'").rowcount)
    database.transact(crew._beat)
    kept_alive = "select worker is not null and lease_until > clock_timestamp() from queue"
    assert rows(database, kept_alive) == [(True,)]
    monkeypatch.setattr(work_claims, "store", real)
    until(lambda: not kept.exists())
    assert rows(database, "select status, usd is not null from requests") == [("answered", True)]


def test_a_worker_that_starts_stores_what_others_have_left(make, database):
    crew = make()
    claimed = database.transact(lambda db: work_claims.claim(db, "w", "a", 60.0))
    assert claimed
    crew._kept.keep(
        work_claims.Answer(
            request_id="a",
            fence=claimed.fence,
            job="job",
            record_ids=["1"],
            attempts=1,
            text="text",
            api_request_id="",
            tokens=Tokens(input=1),
            usd=0.1,
            unsettled_usd=0.0,
            most_usd=0.5,
        )
    )
    another = Crew(database, crew._accounts._settings, "q", 2, 30.0)
    another.begin()
    another.end()
    assert rows(database, "select answer from requests") == [("text",)]


@pytest.mark.parametrize(("capped", "how"), [(False, None), (True, "asks")])
def test_what_does_not_answer_before_the_stop_is_given_back_as_perhaps_paid_for(
    make, database, monkeypatch, capped, how
):
    monkeypatch.setattr(crew_module, "SECONDS_TO_DRAIN", 0.2)
    crew = make(capped=capped, latency=60)
    thread = threading.Thread(target=crew.work, args=("a",))
    thread.start()
    until(lambda: rows(database, "select count(worker) from queue") == [(1,)])
    until(lambda: in_flight(crew._accounts._settings.base_url()))
    crew.stop()
    thread.join(10)
    assert not thread.is_alive()
    found = rows(database, "select worker, ended, unsettled_usd, attempts from queue")
    assert found == [(None, how, 0.5, 1)]


def test_a_crew_that_stops_claims_nothing(make, database):
    crew = make()
    crew.stop()
    crew.work("a")
    assert rows(database, "select fence, published_at from queue") == [(0, None)]


def test_a_job_whose_key_is_missing_stops_and_says_on_which_worker(make, database):
    crew = make()
    crew._accounts._settings = replace(crew._accounts._settings, values={})
    crew.work("a")
    [(how, reason, code)] = rows(database, "select ended, reason, code from queue")
    assert (how, code) == ("lost", 78)
    assert reason.startswith(f"worker {crew.name}: ANTHROPIC_API_KEY is not set")


def test_a_worker_tells_how_much_it_has_done(make, database, monkeypatch):
    crew = make()
    crew.work("a")
    database.transact(crew._beat)
    found = rows(database, "select claimed, answered, claimed_at is not null from workers")
    assert found == [(1, 1, True)]
    crew.work("a")  # a message that came twice
    assert rows(database, "select status from requests") == [("answered",)]
    assert crew._claimed == 1


def test_only_an_acknowledgement_that_redis_did_not_take_in_time_is_lost():
    watched = Acknowledgements()
    messages = [Message(delivery_tag=tag) for tag in ("1", "2")]
    for at, message in enumerate(messages):
        watched.add(message, float(at))
    assert not watched.lost(before=0.0)  # Celery's loop has not come to it yet
    assert watched.lost(before=0.5)
    messages[0]._state = "ACK"
    assert not watched.lost(before=0.5)
    assert watched.lost(before=1.5)
    watched.forget()
    assert not watched.lost(before=9.0)
