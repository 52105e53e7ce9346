"""The queue for Celery's workers in a real PostgreSQL: claims, leases, answers that come late."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.claude.pricing import Tokens
from common.ledger.for_workers import work_queue
from common.ledger.for_workers.work_queue import DEATHS, Work
from ops.crew.kept_answers import KeptAnswers
from ops.crew.patient_database import PatientDatabase
from ops.ledger import work_claims
from ops.ledger.work_claims import Answer

Q = "q"


class Queue:
    """A ledger with requests in the queue; `do` runs a function of the room in a transaction."""

    def __init__(self, address):
        self.database = PatientDatabase(address, patience=5)
        self.transact = self.database.transact

    def do(self, function, *values, **named):
        return self.transact(lambda db: function(db, *values, **named))

    def sql(self, sql, *values):
        found = self.transact(lambda db: db.execute(sql, values))
        return found.fetchall() if sql.startswith("select") else found.rowcount

    def add(self, *names, capped=False, most_usd=0.5, record="record of {}"):
        for name in names:
            self.sql(
                "insert into requests (request_id, job, run_id, delivery, status, record_ids,"
                " attempts, model, unsettled_usd, created_at)"
                " values (?, 'job', 'run', 'celery', 'submitted', ?, 1, 'm', ?, '2026')",
                name,
                json.dumps([record.format(name)]),
                most_usd,
            )
            self.sql(
                "insert into records (job, record_id, status, request_id, updated_at)"
                " values ('job', ?, 'submitted', ?, '2026')",
                record.format(name),
                name,
            )
            self.do(work_queue.add, "job", Q, [Work(name, "label", "m", "{}", most_usd, capped)])

    def claim(self, name, worker="w", lease=60.0):
        return self.do(work_claims.claim, worker, name, lease)

    def of_request(self, name):
        return self.sql(
            "select status, answer, usd, unsettled_usd from requests where request_id = ?", name
        )[0]


@pytest.fixture
def queue(postgres):
    queue = Queue(postgres)
    yield queue
    queue.database.close()


def answer(claimed, text="an answer", usd=0.1):
    return Answer(
        request_id=claimed.request_id,
        fence=claimed.fence,
        job=claimed.job,
        record_ids=claimed.record_ids,
        attempts=claimed.attempts,
        text=text,
        api_request_id="",
        tokens=Tokens(input=1, output=2),
        usd=usd,
        unsettled_usd=claimed.unsettled_usd,
        most_usd=claimed.most_usd,
    )


def test_of_many_who_claim_a_request_at_once_one_gets_it(queue):
    queue.add("a")
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: queue.claim("a", f"w{n}"), range(8)))
    assert sum(claimed is not None for claimed in claims) == 1
    assert queue.claim("a") is None
    assert queue.claim("no such request") is None


def test_a_worker_that_died_counts_and_the_third_one_ends_the_request(queue):
    queue.add("a")
    for death in range(1, DEATHS + 1):
        claimed = queue.claim("a", f"w{death}", lease=0.0)
        assert claimed.fence == claimed.attempts == death
        assert queue.do(work_queue.expire) == [("a", f"w{death}")]
        assert queue.do(work_queue.expire) == []
    assert queue.claim("a") is None
    [ended] = queue.do(work_queue.ended, "job", 10)
    assert (ended.how, ended.record_ids) == ("failed", ["record of a"])
    assert ended.reason == "in flight in 3 workers that died"
    assert ended.unsettled_usd == DEATHS * 0.5 == queue.of_request("a")[3]


def test_what_a_dead_worker_may_have_paid_for_goes_on_under_a_cap_once_it_is_reserved(queue):
    queue.add("a", capped=True)
    queue.claim("a", lease=0.0)
    queue.do(work_queue.expire)
    assert queue.claim("a") is None
    [ended] = queue.do(work_queue.ended, "job", 10)
    assert (ended.how, ended.unsettled_usd) == ("asks", 0.5)
    queue.do(work_queue.go_on, "a")
    assert queue.claim("a").unsettled_usd == 0.5


def test_a_lease_that_is_renewed_does_not_end(queue):
    queue.add("a", "b")
    queue.claim("a", "w", lease=0.0)
    queue.claim("b", "other", lease=0.0)
    queue.do(work_claims.renew, "w", ["a", "b"], 60.0)
    assert queue.do(work_queue.expire) == [("b", "other")]


def test_an_answer_is_stored_with_its_records_and_the_body_is_gone(queue):
    queue.add("a")
    assert queue.do(work_claims.store, answer(queue.claim("a")))
    assert queue.of_request("a")[:3] == ("answered", "an answer", 0.1)
    assert queue.of_request("a")[3] == 0.0
    assert queue.sql("select status from records") == [("answered",)]
    assert queue.sql("select ended, worker, body from queue") == [("answered", None, None)]


def test_the_answer_of_a_worker_that_was_taken_for_dead_is_stored_all_the_same(queue):
    queue.add("a")
    first = queue.claim("a", "w1", lease=0.0)
    queue.do(work_queue.expire)
    second = queue.claim("a", "w2")
    assert queue.do(work_claims.store, answer(first, "first"))
    assert not queue.do(work_claims.store, answer(second, "second", usd=0.2))
    status, text, usd, unsettled = queue.of_request("a")
    assert (status, text, usd) == ("answered", "first", 0.1)
    # What the first can have cost at most stays, and what the second did cost is added.
    assert unsettled == pytest.approx(0.5 + 0.2)


def test_the_same_answer_can_be_stored_twice(queue):
    queue.add("a")
    found = answer(queue.claim("a"))
    queue.do(work_claims.store, found)
    queue.do(work_claims.store, found)
    assert queue.of_request("a")[3] == 0.0


def test_who_has_lost_a_claim_can_neither_give_it_back_nor_end_it(queue):
    queue.add("a")
    first = queue.claim("a", "w1", lease=0.0)
    queue.do(work_queue.expire)
    queue.claim("a", "w2")
    queue.do(work_claims.unclaim, first, 0.0)
    queue.do(work_claims.again, first, 0.0, billed=True, wasted=1)
    queue.do(work_claims.end, first, "lost", "a reason", 77, billed=False)
    assert queue.sql("select worker, ended, wasted from queue") == [("w2", None, 0)]


def test_one_that_has_to_wait_is_not_claimed_and_a_pace_is_told_to_the_claim(queue):
    queue.add("a", "b")
    queue.do(work_claims.again, queue.claim("a"), 60.0, billed=False, wasted=0)
    assert queue.claim("a") is None
    queue.do(work_claims.slow_down, "account", "m", 60.0)
    queue.do(work_claims.slow_down, "account", "m", 5.0)  # nobody makes it shorter
    claimed = queue.claim("b")
    assert 55 < claimed.wait("account") <= 60 and claimed.wait("another") == 0
    queue.do(work_claims.unclaim, claimed, 0.0)
    assert queue.sql("select attempts, sent_at from queue where request_id = 'b'") == [(0, None)]
    assert queue.do(work_queue.take_due, Q) == []


def test_what_waited_long_for_a_worker_has_all_its_time_for_claude(queue):
    queue.add("a")
    for minutes, least in ((1, 59), (20, 0)):
        queue.do(work_claims.again, queue.claim("a"), 0.0, billed=False, wasted=0)
        for column in ("sent_at", "not_before"):
            queue.sql(f"update queue set {column} = {column} - interval '{minutes} minutes'")
        claimed = queue.claim("a")
        assert least <= claimed.seconds < least + 30
        queue.do(work_claims.again, claimed, 0.0, billed=False, wasted=0)


def test_few_are_published_at_a_time_and_what_was_sent_before_comes_first(queue, monkeypatch):
    monkeypatch.setattr(work_queue, "_LEAST", 2)
    queue.add("a", "b", "c", "d")
    queue.do(work_claims.again, queue.claim("d"), 0.0, billed=False, wasted=0)
    assert sorted(queue.do(work_queue.take_due, Q)) == ["a", "d"]
    assert queue.do(work_queue.take_due, Q) == []
    queue.claim("a")
    assert queue.do(work_queue.take_due, Q) == ["b"]
    queue.do(work_queue.unpublish, ["b"])
    assert queue.do(work_queue.take_due, Q) == ["b"]
    assert queue.do(work_queue.take_due, "another queue") == []


def test_a_message_that_redis_lost_is_found_and_published_again(queue):
    queue.add("a", "b")
    assert len(queue.do(work_queue.take_due, Q)) == 2
    assert not queue.do(work_queue.doubtful, Q)
    queue.sql("update queue set published_at = published_at - interval '90 seconds'")
    assert queue.do(work_queue.doubtful, Q)
    queue.do(work_queue.forget_messages, Q, none_left=False)
    assert queue.do(work_queue.take_due, Q) == []  # nothing has overtaken them
    queue.sql("update queue set published_at = clock_timestamp() where request_id = 'b'")
    queue.claim("b")
    queue.do(work_queue.forget_messages, Q, none_left=False)
    assert queue.do(work_queue.take_due, Q) == ["a"]
    queue.sql("update queue set published_at = published_at - interval '9 seconds'")
    queue.do(work_queue.forget_messages, Q, none_left=True)
    assert queue.do(work_queue.take_due, Q) == ["a"]


def test_one_sweeps_in_each_second(queue):
    assert [queue.do(work_queue.is_due, Q) for _ in range(3)] == [True, False, False]
    assert queue.do(work_queue.mark_of, Q) == queue.do(work_queue.mark_of, Q)
    assert queue.do(work_queue.mark_of, Q) != queue.do(work_queue.mark_of, "another")


def test_what_is_withdrawn_was_never_sent_and_what_is_in_flight_stays(queue):
    queue.add("a", "b")
    queue.claim("a")
    assert queue.do(work_queue.withdraw, "job") == 1
    [ended] = queue.do(work_queue.ended, "job", 10)
    assert (ended.request_id, ended.how, ended.attempts) == ("b", "lost", 0)
    assert ended.unsettled_usd == 0.0


def test_how_long_nobody_has_claimed_anything(queue):
    queue.add("a", "b")
    queue.sql(
        "update queue set created_at = created_at - interval '400 seconds',"
        " not_before = not_before - interval '400 seconds'"
    )
    found = queue.do(work_queue.standing, "job", Q)
    assert (found.left, found.in_flight, found.workers, found.last_claim) == (2, 0, 0, "")
    assert 399 < found.waited < 500
    queue.do(work_claims.check_in, "w", "host", 1, Q, 8)
    queue.do(work_claims.heartbeat, "w", 1, 0, since=100.0)
    found = queue.do(work_queue.standing, "job", Q)
    assert found.workers == 1 and 99 < found.waited < 200 and found.last_claim.endswith("Z")
    queue.claim("a")
    assert queue.do(work_queue.standing, "job", Q).waited == 0  # somebody is at work


def test_a_record_id_that_postgresql_could_not_hold_finds_its_record(queue):
    queue.add("a", record="half \0 of {}")
    claimed = queue.claim("a")
    assert queue.do(work_claims.store, answer(claimed, "text with \0"))
    assert queue.sql("select status from records") == [("answered",)]


def test_an_answer_that_could_not_be_stored_is_kept_whole(queue, tmp_path):
    queue.add("a")
    kept, found = KeptAnswers(tmp_path / "answers"), answer(queue.claim("a"), "täxt\n")
    kept.keep(found)
    assert [*kept.left()] == [found]
    [path] = (tmp_path / "answers").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    kept.stored(found)
    assert [*kept.left()] == [] and [*KeptAnswers(tmp_path / "nowhere").left()] == []
