"""Celery's workers, measured: their rate, and what kills and outages of all parts cost.

Usage: workers.py rate [REQUESTS] [LATENCY] | kill [KILLS OF WORKERS] [KILLS OF THE RUN]
       | outage [redis-flush redis-restart redis-reset redis-silence postgres-drop …]

Everything runs here: a PostgreSQL and a Valkey from wheels, the stand-in, workers, runs.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:1] = [str(HERE.parents[2] / "jobs"), str(HERE.parents[1])]

import redis  # noqa: E402

from rigs import servers  # noqa: E402
from rigs.celery_site import (  # noqa: E402
    CelerySite,
    celery_site,
    examine,
    kill,
    until,
    worker_of,
)
from rigs.proxy import Proxy  # noqa: E402


@contextmanager
def site(latency: float) -> Iterator[tuple[CelerySite, dict[str, Proxy], dict[str, object]]]:
    """A site whose PostgreSQL and Valkey stand behind proxies."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.held(),
        servers.postgres_server() as postgres,
        servers.redis_server() as valkey,
        Proxy(postgres.url) as to_postgres,
        Proxy(valkey.url) as to_redis,
        celery_site(Path(folder), to_postgres.url, to_redis.url, latency=latency) as found,
    ):
        proxies = {"postgres": to_postgres, "redis": to_redis}
        yield found, proxies, {"postgres": postgres, "redis": valkey}


def rate(requests: int, latency: float) -> None:
    """The rate of two workers against twice that of one."""
    rates = []
    for workers in (1, 2):
        with (
            tempfile.TemporaryDirectory() as folder,
            servers.held(),
            servers.postgres_server() as postgres,
            servers.redis_server() as valkey,
            celery_site(Path(folder), postgres.url, valkey.url, latency=latency) as here,
        ):
            here.fill(requests)
            for _ in range(workers):
                here.worker()
            until(lambda: here.worker_log().count("requests at a time") == workers)  # noqa: B023
            run = here.start()
            until(lambda: here.billed > 50, 60)
            first, began = here.billed, time.monotonic()
            until(lambda: here.billed >= requests, 600)
            seconds = time.monotonic() - began
            assert run.wait(120) == 0, (here.root / "run.log").read_text()
            found = examine(here, requests)
            rates.append((requests - first) / seconds)
            print(f"{workers} worker(s): {rates[-1]:.1f} requests/s, {found}", flush=True)
    ideal = 8 / latency
    print(
        f"two against twice one: {rates[1] / (2 * rates[0]):.3f}; one against ideal {ideal:.0f}/s:"
        f" {rates[0] / ideal:.2f}"
    )


def kills(of_workers: int, of_runs: int, requests: int = 2000, latency: float = 0.1) -> None:
    """Kill workers and the run on the way, at random."""
    chance = random.Random(1)
    with site(latency) as (here, _, _):
        here.fill(requests)
        crew = [here.worker() for _ in range(2)]
        in_flight = killed_workers = killed_runs = 0
        order = ["worker"] * of_workers + ["run"] * of_runs
        chance.shuffle(order)
        began = time.monotonic()
        run = here.start()
        for number, what in enumerate(order):
            at = here.billed + max(5, (requests - here.billed) // (len(order) - number + 2))
            most = min(at, requests)
            until(lambda: here.billed >= most or run.poll() is not None, 120)  # noqa: B023
            time.sleep(chance.uniform(0, 0.2))
            if what == "worker":
                victim = chance.choice(crew)
                crew.remove(victim)
                kill(victim)
                in_flight += here.ledger(
                    "select count(*) from queue where worker like %s", worker_of(victim)
                )[0][0]
                killed_workers += 1
                crew.append(here.worker())
            else:
                killed_runs += run.poll() is None
                kill(run)
                in_flight += here.ledger(
                    "select count(*) from requests where status = 'submitted' and delivery = 'live'"
                )[0][0]
                run = here.start()
        code = run.wait(300)
        while code == 75:
            run = here.start()
            code = run.wait(300)
        assert code == 0, (here.root / "run.log").read_text()[-3000:]
        found = examine(here, requests)
        print(
            f"{killed_workers} workers and {killed_runs} runs killed in"
            f" {time.monotonic() - began:.0f} s, {in_flight} in flight: {found}"
        )
        assert found["billed again"] <= in_flight, here.worker_log()[-3000:]


def outage(name: str, requests: int = 400, latency: float = 0.1) -> None:
    """One outage in the middle of a run."""
    with site(latency) as (here, proxies, kept):
        here.fill(requests)
        for _ in range(2):
            here.worker()
        began = time.monotonic()
        run = here.start()
        until(lambda: here.billed > requests // 4, 60)
        part, _, what = name.partition("-")
        proxy, server = proxies[part], kept[part]
        acts: dict[str, Callable[[], object]] = {
            "flush": lambda: redis.Redis.from_url(server.url).flushall(),  # type: ignore[attr-defined]
            "restart": server.restart,  # type: ignore[attr-defined]
            "reset": proxy.reset_all,
            "drop": proxy.reset_all,
            "silence": partial(_silent, proxy, 45),
            "outage": partial(_away, proxy, 20),
            "forget": partial(_forgotten, proxy),
        }
        acts[what]()
        try:
            code = run.wait(150)
        except subprocess.TimeoutExpired:
            print((here.root / "run.log").read_text()[-3000:], here.worker_log()[-6000:])
            raise
        seconds = time.monotonic() - began
        assert code == 0, (here.root / "run.log").read_text()[-3000:] + here.worker_log()[-3000:]
        found = examine(here, requests)
        print(f"{name}: the run finished after {seconds:.0f} s, {found}", flush=True)


def _silent(proxy: Proxy, seconds: float) -> None:
    proxy.drop_silently()
    time.sleep(seconds)
    proxy.heal()


def _away(proxy: Proxy, seconds: float) -> None:
    proxy.refuse()
    proxy.reset_all()
    time.sleep(seconds)
    proxy.heal()


def _forgotten(proxy: Proxy) -> None:
    """The connections that went silent never come back; new ones do."""
    proxy.drop_silently()
    time.sleep(3)
    with proxy._lock:
        proxy._silent = False


def main() -> int:
    what, *more = sys.argv[1:]
    if what == "rate":
        rate(int(more[0]) if more else 2000, float(more[1]) if more[1:] else 0.2)
    elif what == "kill":
        kills(*(int(one) for one in more or ("20", "10")))
    else:
        every = ["redis-flush", "redis-restart", "redis-reset", "redis-silence", "redis-forget"]
        every += ["redis-outage", "postgres-restart", "postgres-drop", "postgres-outage"]
        for name in more or every:
            outage(name)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.SubprocessError as error:
        raise SystemExit(f"{error}") from error
