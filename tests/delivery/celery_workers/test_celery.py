"""Delivery by Celery, with real workers over a real PostgreSQL and a real Valkey."""

from __future__ import annotations

import pytest

from rigs.celery_site import celery_site, examine


@pytest.fixture
def site(tmp_path, postgres, redis):
    with celery_site(tmp_path, postgres, redis) as site:
        yield site


def test_workers_send_what_a_run_has_queued_and_the_run_saves_it(site):
    site.fill(20)
    site.worker()
    result = site.go()
    print(result.log, site.worker_log())
    assert result.code == 0, result.log
    assert len(site.saved()) == 20 == site.billed
    assert result.summary["done"] == "20" == result.summary["requests"]
    assert examine(site, 20) == {"lost": 0, "saved twice": 0, "billed again": 0}
    assert site.ledger(
        "select delivery, status, count(*) from requests group by 1, 2 order by 1"
    ) == [("celery", "done", 19), ("live", "done", 1)]
