"""What Claude may answer to workers: back-off, one pace, cost caps, refusals, records at fault."""

from __future__ import annotations

import pytest

from common.delivery.celery_workers import queue_delivery
from rigs.bills import usd_of
from rigs.celery_site import LEASE, celery_site, examine

FINE = {"lost": 0, "saved twice": 0, "billed again": 0}


@pytest.fixture(autouse=True)
def short_leases(monkeypatch):
    monkeypatch.setattr(queue_delivery, "LEASE", LEASE)


@pytest.fixture
def make(tmp_path, postgres, redis):
    """A function that makes the site, with a worker: make(records, faults)."""
    made = []

    def start(records, faults, *arguments):
        context = celery_site(tmp_path, postgres, redis, faults=faults)
        site = context.__enter__()
        made.append(context)
        site.fill(records)
        site.worker(*arguments)
        return site

    yield start
    for context in made:
        context.__exit__(None, None, None)


def by_record(record, kind, times=1, **options):
    return {"kind": kind, "when": {"record": str(record)}, "times": times, **options}


def test_a_fault_of_nobodys_is_sent_again_after_a_wait_in_the_database(make):
    site = make(8, [by_record(5, "500"), by_record(6, "reset")])
    result = site.go()
    assert result.code == 0, result.log
    assert examine(site, 8) == FINE
    assert "attempt 1 failed (500 api_error" in site.worker_log()
    assert result.summary["attempts"] == "10"
    rows = site.ledger("select attempts from requests where attempts > 1")
    assert rows == [(2,), (2,)]


def test_one_that_is_told_to_wait_makes_all_of_them_wait(make):
    site = make(12, [by_record(3, "429", retry_after=2)], "--concurrency", "1")
    result = site.go()
    assert result.code == 0, result.log
    assert examine(site, 12) == FINE
    [(until,)] = site.ledger("select not_before from pace")
    late = site.ledger(
        "select count(*) from requests where delivery = 'celery' and ended_at::timestamptz"
        " >= date_trunc('second', %s::timestamptz)",
        until,
    )
    assert late[0][0] >= 8  # sent in the order of their records: all but those before it


def test_a_record_at_fault_is_asked_live_and_found(make):
    site = make(6, [by_record(4, "400", times=9)])
    result = site.go()
    assert result.code == 3, result.log
    assert "asked live" in result.log
    assert site.ledger("select record_id, status from records where status <> 'done'") == [
        ("4", "dead")
    ]
    assert len(site.saved()) == 5


def test_a_refused_key_ends_the_run_and_nothing_more_is_sent(make):
    faults = [{"kind": "401", "when": {"record": str(n)}} for n in range(4, 30)]
    site = make(30, faults, "--concurrency", "1")
    result = site.go()
    assert result.code == 77, result.log
    assert "authentication_error" in result.log and "worker " in result.log
    assert "the rest waits" in result.log
    assert site.ledger("select count(*) from queue") == [(0,)]
    assert site.billed <= 4
    waiting = site.ledger("select count(*) from records where status = 'waiting'")
    assert waiting[0][0] >= 26
    assert site.ledger("select count(*) from records where status in ('failed', 'dead')") == [(0,)]


def test_a_cost_cap_holds_over_all_workers(make):
    site = make(40, [])
    site.worker()
    result = site.go("--max-cost", "0.002")
    assert result.code == 4, result.log
    assert "of --max-cost $0.002" in result.log
    assert 0 < usd_of(site.bill.lines()) <= 0.002
    assert 2 < site.billed < 40
    assert len(site.saved()) == site.billed


def test_what_may_have_been_billed_is_reserved_by_the_run_before_it_is_sent_again(make):
    site = make(6, [by_record(5, "504")])
    result = site.go("--max-cost", "5")
    assert result.code == 0, result.log
    assert examine(site, 6) == FINE
    rows = site.ledger("select attempts, unsettled_usd > 0 from requests where attempts > 1")
    assert rows == [(2, True)]


def test_what_may_have_been_billed_is_not_sent_again_where_a_cap_could_be_passed(make, monkeypatch):
    monkeypatch.setattr("common.delivery.spending.Spending.reserve_more", lambda self, usd: False)
    site = make(6, [by_record(5, "504", times=9)])
    result = site.go("--max-cost", "5")
    assert result.code == 4, result.log
    assert site.ledger("select record_id from records where status = 'waiting'") == [("5",)]
    [(unsettled,)] = site.ledger("select unsettled_usd from requests where status = 'lost'")
    assert unsettled > 0
