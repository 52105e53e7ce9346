"""Delivery by Celery from end to end: real workers over a real PostgreSQL and a real Valkey."""

from __future__ import annotations

import json
import signal
import sys
import time
from base64 import b64decode

import pytest
import redis as redis_py

import bulk_classifier
from common.delivery.celery_workers import queue_delivery
from rigs.celery_site import LEASE, celery_site, examine, in_flight, kill, until, worker_of
from rigs.harness import Site

FINE = {"lost": 0, "saved twice": 0, "billed again": 0}
READY = "requests at a time"
DAY = "2026-11-20 10:00:00"


@pytest.fixture(autouse=True)
def short_leases(monkeypatch):
    monkeypatch.setattr(queue_delivery, "LEASE", LEASE)


@pytest.fixture
def make(tmp_path, postgres, redis):
    """A function that makes the site: make(records, **stand-in's options)."""
    made = []

    def start(records, **standin):
        context = celery_site(tmp_path, postgres, redis, **standin)
        site = context.__enter__()
        made.append(context)
        site.fill(records)
        return site

    yield start
    for context in made:
        context.__exit__(None, None, None)


def test_workers_send_what_a_run_has_queued_and_the_run_saves_it(make):
    site = make(20)
    site.worker()
    result = site.go()
    assert result.code == 0, result.log
    assert len(site.saved()) == 20 == site.billed
    assert result.summary["done"] == "20" == result.summary["requests"]
    assert int(result.summary["input_tokens"]) == sum(x["input_tokens"] for x in site.bill.lines())
    assert examine(site, 20) == FINE
    by = site.ledger("select delivery, status, count(*) from requests group by 1, 2 order by 1")
    assert by == [("celery", "done", 19), ("live", "done", 1)]
    assert site.ledger("select delivery, exit_code from runs") == [("celery", 0)]
    again = site.go()
    assert again.code == 0 and "nothing to do" in again.log and site.billed == 20


def test_records_with_long_ids_get_the_answers_that_are_about_them(make):
    site = make(0)
    words = ("delivery", "refund", "praise")
    uuids = [f"4f9c2b1e-7c1d-4a55-9d0a-6f2b8a1c3d{n:02}" for n in range(12)]
    site.site.events((one, words[n % 3], DAY) for n, one in enumerate(uuids))
    site.worker()
    assert site.go("--chunk-size", "5").code == 0
    assert site.saved() == [(one, words[n % 3]) for n, one in enumerate(uuids)]
    aliases = {tuple(line["records"]) for line in site.bill.lines()}
    assert aliases == {("r1", "r2", "r3", "r4", "r5"), ("r1", "r2")}


def test_a_message_is_the_id_of_a_request_and_no_secret_is_in_any_log(make):
    site = make(6)
    result = site.go("--wait", "0s")
    assert result.code == 75, result.log
    with redis_py.Redis.from_url(site.redis) as server:
        [queue] = [key for key in server.keys("*") if server.type(key) == b"list"]
        messages = server.lrange(queue, 0, -1)
    ids = {row[0] for row in site.ledger("select request_id from queue")}
    assert len(messages) == 5 == len(ids)
    bodies = [json.loads(message) for message in messages]
    said = {json.dumps(json.loads(b64decode(one["body"]))[:2]) for one in bodies}
    assert said == {f'[["{one}"], {{}}]' for one in ids}
    assert {one["headers"]["argsrepr"] for one in bodies} == {f"('{one}',)" for one in ids}
    assert queue.startswith(b"claude-batch-jobs:")
    site.worker()
    assert site.go().code == 0
    logs = result.log + site.worker_log()
    password = site.redis.partition("//:")[2].partition("@")[0]
    assert password and password not in logs and "sk-ant" not in logs and "Where is" not in logs


def test_without_postgresql_a_run_by_celery_says_what_it_needs(tmp_path):
    site = Site(tmp_path)
    site.events([(1, "Where is my delivery?", "2026-11-20 08:00:00")])
    result = site.run(bulk_classifier.JOB, "--celery")
    assert result.code == 78
    assert "LEDGER_DB=postgresql://" in result.log and "--setup --with celery" in result.log


def test_without_celery_a_run_says_how_to_install_it(make, monkeypatch):
    site = make(2)
    monkeypatch.setitem(sys.modules, "celery", None)
    result = site.go()
    assert result.code == 78
    assert "./run_job.sh --setup --with celery --with postgres" in result.log
    assert site.billed == 0


def test_where_no_worker_claims_anything_a_run_ends_and_says_so(make, monkeypatch):
    monkeypatch.setattr(queue_delivery, "_SILENCE", 0.5)
    site = make(4)
    result = site.go()
    assert result.code == 69
    assert "no worker has claimed anything for" in result.log
    assert "start one: ./run_job.sh worker" in result.log
    assert site.billed == 1  # the first one, which goes live
    site.worker()
    monkeypatch.setattr(queue_delivery, "_SILENCE", 60.0)
    assert site.go().code == 0
    assert examine(site, 4) == FINE


def test_a_run_by_another_delivery_takes_back_what_no_worker_is_there_for(make):
    site = make(5)
    assert site.go("--wait", "0s").code == 75
    result = site.go(by="--live")
    assert result.code == 0, result.log
    assert "no worker is there: 4 queued requests taken back" in result.log
    assert examine(site, 5) == FINE
    assert site.billed == 5


def test_a_killed_worker_loses_nothing_and_what_it_had_is_sent_by_another(make):
    site = make(30, latency=0.4)
    victim = site.worker("--concurrency", "3")
    until(lambda: READY in site.worker_log())
    run = site.start()
    until(lambda: site.billed > 3)
    kill(victim)
    claimed = site.ledger("select count(*) from queue where worker like %s", worker_of(victim))
    site.worker()
    assert run.wait(60) == 0, (site.root / "run.log").read_text()
    found = examine(site, 30)
    assert found["lost"] == 0 and found["billed again"] <= claimed[0][0] <= 3
    assert "died with it in flight: sent again" in (
        (site.root / "run.log").read_text() + site.worker_log()
    )


def test_workers_go_on_without_the_run_and_the_next_one_pays_for_nothing_again(make):
    site = make(24, latency=0.1)
    run = site.start()
    until(lambda: site.ledger("select to_regclass('queue')") != [(None,)])
    until(lambda: site.ledger("select count(*) from queue") == [(23,)])
    kill(run)
    site.worker()
    until(lambda: site.billed == 24)
    until(lambda: site.ledger("select count(*) from queue where ended is null") == [(0,)])
    result = site.go()
    assert result.code == 0, result.log
    assert examine(site, 24) == FINE


def test_a_run_that_is_told_to_stop_leaves_the_rest_to_the_workers(make):
    site = make(12)
    stopping = iter([True])

    def stop():
        if next(stopping, False):
            signal.raise_signal(signal.SIGTERM)

    result = site.go(at_wait=stop)
    assert result.code == 75
    assert "stopped by TERM: 11 requests of bulk_classifier with Celery" in result.log
    site.worker()
    assert site.go().code == 0
    assert examine(site, 12) == FINE


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_and_takes_nothing_new(make):
    site = make(40, latency=0.3)
    worker = site.worker("--concurrency", "2")
    until(lambda: READY in site.worker_log())
    run = site.start()
    until(lambda: site.billed > 4)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0, site.worker_log()
    open_ones = "select count(worker), count(*) > 20 from queue where ended is null"
    assert site.ledger(open_ones) == [(0, True)]
    assert site.ledger("select count(*) from workers") == [(0,)]
    site.worker()
    assert run.wait(60) == 0, (site.root / "run.log").read_text()
    assert examine(site, 40) == FINE


def test_outputs_are_saved_while_others_are_still_under_way(make, monkeypatch):
    monkeypatch.setattr(queue_delivery, "_SHARED_EVERY", 0.0)
    site = make(30, latency=0.2)
    site.worker("--concurrency", "2")
    run = []

    def look():
        saved = site.saved() if site.billed > 10 else []
        run.append(len(saved))

    result = site.go(at_wait=look)
    assert result.code == 0, result.log
    assert any(1 < saved < 30 for saved in run), run
    assert examine(site, 30) == FINE


def test_workers_of_another_queue_or_installation_take_nothing(make):
    site = make(4)
    site.worker("--queue", "another")
    until(lambda: READY in site.worker_log())
    assert site.go("--wait", "1s").code == 75
    assert site.billed == 1
    worker = site.worker()
    assert site.go().code == 0
    assert "queue claude-batch-jobs" in site.worker_log()
    assert worker.poll() is None
    marks = dict(site.ledger("select queue_name, mark from queues"))
    assert len({*marks.values()}) == 2
    with redis_py.Redis.from_url(site.redis) as server:
        keys = [key.decode() for key in server.keys("*")]
    assert all(
        key.startswith(tuple(f"claude-batch-jobs:{m}:" for m in marks.values())) for key in keys
    )


def test_a_worker_that_is_told_twice_to_stop_does_not_wait_for_answers(make):
    site = make(6, latency=8)
    worker = site.worker("--concurrency", "2")
    until(lambda: READY in site.worker_log())
    site.start()
    until(lambda: in_flight(site.bill.url) == 2)
    worker.send_signal(signal.SIGTERM)
    until(lambda: "TERM: finishing what is in flight" in site.worker_log())
    began = time.monotonic()

    def again():
        worker.send_signal(signal.SIGTERM)
        return worker.poll() is not None

    until(again)
    assert worker.returncode == 75 and time.monotonic() - began < 7
    assert "stopped at once by a second signal" in site.worker_log()


def test_a_redis_that_forgets_everything_delays_a_run_and_no_more(make, monkeypatch):
    monkeypatch.setattr("common.ledger.for_workers.work_queue._LOST_AFTER", 0.5)
    site = make(10)
    assert site.go("--wait", "0s").code == 75
    with redis_py.Redis.from_url(site.redis) as server:
        server.flushdb()
    site.worker()
    result = site.go()
    assert result.code == 0, result.log
    assert examine(site, 10) == FINE


def test_what_an_older_version_has_done_is_sent_again_by_workers_with_stale(make):
    site = make(20)
    site.worker()
    assert site.go().code == 0
    newer = ("--model", "claude-sonnet-5-5")
    assert "nothing to do" in site.go(*newer).log
    for records in (12, 8):
        ended = site.go(*newer, "--stale", "--limit", "12")
        assert ended.code == 0 and ended.summary["done"] == str(records), ended.log
    assert site.billed == 40 and len(site.saved()) == 20
    version = bulk_classifier.JOB.version("claude-sonnet-5-5")
    assert site.ledger("select distinct version from records") == [(version,)]
    asked = "select delivery, count(*) from requests where version = %s group by 1 order by 1"
    # The first one of a night goes live.
    assert site.ledger(asked, version) == [("celery", 18), ("live", 2)]
