"""Redis and PostgreSQL fail in the middle of a run by Celery: it finishes, and pays nothing twice.

And everything works behind a pooler, where no transaction knows what the one before was on.
"""

from __future__ import annotations

import time

import pytest
import redis as redis_py

from rigs.celery_site import celery_site, examine, until
from rigs.pgbouncer import pooled

REQUESTS = 120
FINE = {"lost": 0, "saved twice": 0, "billed again": 0}


def flush(proxy, server):
    with redis_py.Redis.from_url(server.url) as client:
        client.flushall()


def restart(proxy, server):
    server.restart()


def reset(proxy, server):
    proxy.reset_all()


def away(proxy, server):
    """What is in flight cannot be acknowledged: without help, Celery never listens again."""
    proxy.refuse()
    proxy.reset_all()
    time.sleep(5)  # as long as the server is away
    proxy.heal()


def silence(proxy, server):
    """Connections of which nobody hears again; new ones are taken."""
    proxy.drop_silently()
    proxy.forget_silent()


@pytest.mark.slow
@pytest.mark.parametrize("what", [flush, restart, reset, away, silence], ids=lambda f: f.__name__)
def test_a_redis_that_fails_in_the_middle_costs_time_alone(
    tmp_path, postgres, own_redis, proxy, what
):
    through = proxy(own_redis.url)
    with celery_site(tmp_path, postgres, through.url, latency=0.1) as site:
        finishes(site, lambda: what(through, own_redis))


@pytest.mark.slow
@pytest.mark.parametrize("what", [restart, reset, away], ids=lambda f: f.__name__)
def test_a_postgresql_that_fails_in_the_middle_costs_time_alone(
    tmp_path, own_postgres, redis, proxy, what
):
    through = proxy(own_postgres.url)
    with celery_site(tmp_path, through.url, redis, latency=0.1) as site:
        finishes(site, lambda: what(through, own_postgres))


def finishes(site, fail):
    site.fill(REQUESTS)
    site.worker("--concurrency", "4")
    site.worker("--concurrency", "4")
    run = site.start()
    until(lambda: site.billed > REQUESTS // 4, 60)
    fail()
    assert run.wait(200) == 0, (site.root / "run.log").read_text() + site.worker_log()[-3000:]
    assert examine(site, REQUESTS) == FINE


@pytest.mark.slow
def test_behind_a_pooler_runs_and_workers_share_two_connections(tmp_path, postgres, redis):
    with (
        pooled(postgres) as pooler,
        celery_site(tmp_path, pooler.url, redis) as site,
    ):
        site.fill(40)
        site.worker()
        site.worker()
        result = site.go()
        assert result.code == 0, result.log
        assert examine(site, 40) == FINE
