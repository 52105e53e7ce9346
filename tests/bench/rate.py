"""The rate of a job with one record per request and 50 in flight, against a bare loop.

Usage: rate.py LATENCY_SECONDS REQUESTS ROUNDS [--busy]

The bare loop is AsyncAnthropic with 50 workers that store nothing. Both run in turn, each against
a new stand-in process. With --busy another process keeps one core busy meanwhile. The CPU seconds
are those of this process, all its threads together: other programs hardly change them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from common import Job, run  # noqa: E402

IN_FLIGHT = 50
COLLECTS = gc.get_threshold()  # as Python has it
SELECT = "select id as record_id, content from events order by id"


class Topic(BaseModel):
    topic: str


def save(db: sqlite3.Connection, record: dict[str, str], output: Topic) -> None:
    db.execute("insert or replace into topics values (?, ?)", (record["record_id"], output.topic))


JOB = Job(
    name="rate",
    select=SELECT,
    instructions="Name the topic of each record.",
    output=Topic,
    save=save,
    tables="create table if not exists topics (record_id text primary key, topic text)",
    chunk_size=1,
)


@contextmanager
def standin(latency: float) -> Iterator[str]:
    """Run the stand-in as a process of its own; its URL."""
    command = [sys.executable, "-m", "standin.standin", "--port", "0", "--latency", str(latency)]
    with subprocess.Popen(command, cwd=JOBS, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@contextmanager
def busy_core(wanted: bool) -> Iterator[None]:
    """Keep one core busy, if wanted."""
    if not wanted:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield
        process.kill()


class Cost(NamedTuple):
    """What a number of requests took: seconds on the clock, and of CPU."""

    wall: float
    cpu: float


def now() -> Cost:
    """The present moment by both clocks."""
    return Cost(time.perf_counter(), time.process_time())


def between(began: Cost, ended: Cost) -> Cost:
    """What passed between two moments."""
    return Cost(ended.wall - began.wall, ended.cpu - began.cpu)


def steady(url: str, requests: int, latency: float) -> Cost:
    """What the requests of a run cost by themselves.

    A run of one request shows what a run needs to open and close.
    """
    one = ours(url, 1)
    return between(Cost(one.wall - latency, one.cpu), ours(url, requests))


def ours(url: str, requests: int) -> Cost:
    """What a whole run costs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = root / "records.db"
        db = sqlite3.connect(source)
        db.execute("create table events (id integer primary key, content text)")
        rows = [(n, f"Message {n}: where is my parcel?") for n in range(requests + 1)]
        db.executemany("insert into events values (?, ?)", rows)
        db.commit()
        db.close()
        environ = {
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": url,
            "RECORDS_DB": str(source),
        }
        log = os.open(root / "log", os.O_WRONLY | os.O_CREAT)
        terminal = os.dup(2)
        os.dup2(log, 2)
        # Of a version without an answer the first request goes alone: that is another night's.
        os.environ["RUN_ID"] = "20261122T020000Z-1"
        run(JOB, ["--limit", "1"], root=root, environ=environ)
        began = now()
        code = run(JOB, ["--concurrency", str(IN_FLIGHT)], root=root, environ=environ)
        cost = between(began, now())
        os.dup2(terminal, 2)
        done = sqlite3.connect(source).execute("select count(*) from topics").fetchone()[0]
        assert (code, done) == (0, requests + 1), (code, done, (root / "log").read_text()[-2000:])
    return cost


def bare(url: str, requests: int) -> Cost:
    """What the same requests cost, sent by workers that store nothing."""
    import anthropic

    from common.claude.models_api import Model
    from common.claude.request import ask_about

    model = Model("claude-haiku-5-5", {"type": "disabled"}, True, False, 128_000, "")
    params = [
        ask_about(
            JOB, model, [{"record_id": str(n), "content": f"Message {n}: where is my parcel?"}]
        )
        for n in range(requests)
    ]

    async def loop() -> None:
        async with anthropic.AsyncAnthropic(api_key="bench", base_url=url, max_retries=0) as client:
            left = iter(params)

            async def worker() -> None:
                for arguments in left:
                    message = await client.messages.create(**arguments)
                    json.loads(message.content[0].text)

            await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))

    gc.unfreeze()  # what a run does for its own process is no merit of a bare loop's
    gc.set_threshold(*COLLECTS)
    began = now()
    asyncio.run(loop())
    return between(began, now())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("latency", type=float)
    parser.add_argument("requests", type=int)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--busy", action="store_true")
    asked = parser.parse_args()
    import anthropic  # noqa: F401 - idle.py measures its import

    requests, ideal = asked.requests, asked.latency * asked.requests / IN_FLIGHT
    pairs: list[tuple[Cost, Cost]] = []
    with busy_core(asked.busy):
        for _ in range(asked.rounds):
            with standin(asked.latency) as url:
                our_cost = steady(url, requests, asked.latency)
            with standin(asked.latency) as url:
                bare_cost = bare(url, requests)
            pairs.append((our_cost, bare_cost))
            sides = zip(("ours", "bare loop"), pairs[-1], strict=True)
            said = (
                f"{name} {cost.wall:.2f} s ({cost.wall / requests * 1000:.2f} ms each,"
                f" {cost.cpu / requests * 1000:.2f} of CPU)"
                for name, cost in sides
            )
            print(f"  {requests} requests at {asked.latency * 1000:.0f} ms: {', '.join(said)}")
    at = f"at {asked.latency * 1000:.0f} ms{', a core busy' if asked.busy else ''}"
    rate, cpu, our_share, bare_share = (
        statistics.median(figure)
        for figure in zip(
            *(
                (theirs.wall / own.wall, own.cpu / theirs.cpu, own.wall, theirs.wall)
                for own, theirs in pairs
            ),
            strict=True,
        )
    )
    print(f"rate {at}, ours over the bare loop's: {rate:.2f}")
    print(f"CPU seconds of a request {at}, ours over the bare loop's: {cpu:.2f}")
    if ideal:
        print(
            f"wall time over the ideal {at}: {our_share / ideal:.2f},"
            f" the bare loop's {bare_share / ideal:.2f}"
        )


if __name__ == "__main__":
    main()
