"""The rate of a job with one record per request and 50 in flight, against a bare loop.

Usage: rate.py LATENCY_SECONDS REQUESTS ROUNDS

The bare loop is AsyncAnthropic with 50 workers that store nothing. Both run in turn, each against
a new stand-in process.
"""

from __future__ import annotations

import asyncio
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

from pydantic import BaseModel

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from common import Job, run  # noqa: E402

IN_FLIGHT = 50
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


def steady(url: str, requests: int, latency: float) -> float:
    """The seconds of a run for its requests alone.

    A run of one request shows how long a run takes to open and close.
    """
    return ours(url, requests) - (ours(url, 1) - latency)


def ours(url: str, requests: int) -> float:
    """The seconds of a whole run."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = root / "records.db"
        db = sqlite3.connect(source)
        db.execute("create table events (id integer primary key, content text)")
        rows = [(n, f"Message {n}: where is my parcel?") for n in range(requests)]
        db.executemany("insert into events values (?, ?)", rows)
        db.commit()
        db.close()
        environ = {
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": url,
            "RECORDS_DB": str(source),
        }
        began = time.perf_counter()
        log = os.open(root / "log", os.O_WRONLY | os.O_CREAT)
        terminal = os.dup(2)
        os.dup2(log, 2)
        code = run(JOB, ["--concurrency", str(IN_FLIGHT)], root=root, environ=environ)
        os.dup2(terminal, 2)
        seconds = time.perf_counter() - began
        done = sqlite3.connect(source).execute("select count(*) from topics").fetchone()[0]
        assert (code, done) == (0, requests), (code, done, (root / "log").read_text()[-2000:])
    return seconds


def bare(url: str, requests: int) -> float:
    """The seconds for the same requests, sent by workers that store nothing."""
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

    began = time.perf_counter()
    asyncio.run(loop())
    return time.perf_counter() - began


def main() -> None:
    latency, requests, rounds = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    import anthropic  # noqa: F401 - idle.py measures its import

    ratios, shares = [], []
    for _ in range(rounds):
        with standin(latency) as url:
            our_seconds = steady(url, requests, latency)
        with standin(latency) as url:
            bare_seconds = bare(url, requests)
        ratios.append(bare_seconds / our_seconds)
        shares.append(our_seconds / (latency * requests / IN_FLIGHT) if latency else 0)
        print(
            f"  {requests} requests at {latency * 1000:.0f} ms: ours {our_seconds:.2f} s"
            f" ({our_seconds / requests * 1000:.2f} ms each), bare loop {bare_seconds:.2f} s"
            f" ({bare_seconds / requests * 1000:.2f} ms each)"
        )
    print(
        f"rate at {latency * 1000:.0f} ms, ours over the bare loop's: "
        f"{statistics.median(ratios):.2f}"
    )
    if latency:
        print(
            f"wall time over the ideal at {latency * 1000:.0f} ms: {statistics.median(shares):.2f}"
        )


if __name__ == "__main__":
    main()
