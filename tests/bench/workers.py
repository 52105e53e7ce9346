"""Celery's workers, measured: their rate, and what kills of them and of the run cost.

Usage: workers.py rate [REQUESTS] [LATENCY] | kill [KILLS OF WORKERS] [KILLS OF THE RUN]

Everything runs here: a PostgreSQL and a Valkey from wheels, the stand-in, workers, runs.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:1] = [str(HERE.parents[2] / "jobs"), str(HERE.parents[1])]

from rigs import servers  # noqa: E402
from rigs.celery_site import (  # noqa: E402
    CelerySite,
    celery_site,
    examine,
    kill,
    until,
    worker_of,
)


@contextmanager
def site(latency: float) -> Iterator[CelerySite]:
    """A site with a PostgreSQL and a Valkey of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.held(),
        servers.postgres_server() as postgres,
        servers.redis_server() as valkey,
        celery_site(Path(folder), postgres.url, valkey.url, latency=latency) as found,
    ):
        yield found


def rate(requests: int, latency: float) -> None:
    """The rate of two workers against twice that of one."""
    rates = []
    for workers in (1, 2):
        with site(latency) as here:
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
    with site(latency) as here:
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


def main() -> int:
    what, *more = sys.argv[1:]
    if what == "rate":
        rate(int(more[0]) if more else 2000, float(more[1]) if more[1:] else 0.2)
    else:
        kills(*(int(one) for one in more or ("20", "10")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
