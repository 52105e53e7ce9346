"""A site whose requests are sent by Celery workers: processes of their own, over a real PostgreSQL
and a real Valkey."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg

import bulk_classifier
from common import Job, run
from common.claude.retries import Clock
from rigs.bills import usd_of
from rigs.crash_rig import Bill, standin_process
from rigs.harness import REPOSITORY, InstantClock, Result, Site, run_numbers
from rigs.prepared import Prepared
from standin.endpoints import COUNTS

JOB = bulk_classifier.JOB
LEASE = 2.0  # seconds
# As ops/worker.py starts, with a lease of our own.
_WORKER = """
import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from ops.worker import main
raise SystemExit(main(sys.argv[4:], root=Path(sys.argv[2]), lease=float(sys.argv[3])))
"""
_RUN = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/../tests"]
from common.delivery.celery_workers import queue_delivery
queue_delivery.LEASE = float(sys.argv[3])
import bulk_classifier
from common import run
raise SystemExit(run(bulk_classifier.JOB, sys.argv[4:], root=Path(sys.argv[2])))
"""


class QuickClock(Clock):
    """A real clock, on which no wait takes long."""

    def __init__(self, at_wait: Callable[[], object] = lambda: None) -> None:
        self._at_wait = at_wait

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        self._at_wait()
        await super().sleep(min(seconds, 0.05), until)


@dataclass
class CelerySite:
    """One installation with a queue."""

    root: Path
    postgres: str
    redis: str
    bill: Bill
    lease: float = LEASE
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.site = Site(self.root)

    def environ(self, **more: str) -> dict[str, str]:
        """The settings of runs and workers."""
        return {
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": self.bill.url,
            "RECORDS_DB": str(self.root / "records.db"),
            "LEDGER_DB": self.postgres,
            "CELERY_BROKER_URL": self.redis,
            "REPORT_TZ": "UTC",
            "NO_PROXY": "127.0.0.1,localhost",
            **more,
        }

    def fill(self, records: int) -> None:
        """Make records."""
        self.site.events(
            (n, f"Where is my delivery {n}?", f"2026-11-20 {n // 3600:02}:{n // 60 % 60:02}:00")
            for n in range(1, records + 1)
        )

    def worker(self, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start a worker; it ends with the test."""
        name = f"worker-{next(self._numbers)}.log"
        with (self.root / name).open("wb") as stderr:
            process = Prepared(
                self._code(_WORKER, *arguments),
                celery=True,
                env=self.environ(**environ),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )
        self._workers.append(process)
        return process

    def _code(self, code: str, *arguments: str) -> list[str]:
        return ["-c", code, str(REPOSITORY / "jobs"), str(self.root), str(self.lease), *arguments]

    def close(self) -> None:
        """Kill the workers."""
        for process in self._workers:
            process.kill()
            process.wait()

    def worker_log(self) -> str:
        """What all workers have written."""
        return "".join(
            path.read_text(encoding="utf-8") for path in sorted(self.root.glob("worker-*.log"))
        )

    def go(
        self,
        *arguments: str,
        at_wait: Callable[[], object] = lambda: None,
        by: str = "--celery",
        job: Job = JOB,
        **environ: str,
    ) -> Result:
        """Run the job in this process, one record in a request."""
        stdout, stderr = io.StringIO(), io.StringIO()
        os.environ.setdefault("RUN_ID", f"20261122T020000Z-{next(run_numbers)}")
        with redirect_stdout(stdout), redirect_stderr(stderr):
            code = run(
                job,
                [by, "--chunk-size", "1", *arguments],
                root=self.root,
                environ=self.environ(**environ),
                clock=QuickClock(at_wait),
            )
        return Result(code, stderr.getvalue(), stdout.getvalue(), InstantClock())

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a run by Celery as a process of its own."""
        with (self.root / "run.log").open("ab") as stderr:
            process = Prepared(
                self._code(_RUN, "--celery", "--chunk-size", "1", *arguments),
                celery=True,
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )
        self._workers.append(process)
        return process

    def ledger(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the ledger."""
        with psycopg.connect(self.postgres, autocommit=True) as db:
            cursor = db.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def saved(self) -> list[tuple[Any, ...]]:
        """The outputs, in the order of their records."""
        return self.site.saved("select record_id, label from event_labels order by record_id")

    @property
    def billed(self) -> int:
        """How many requests the stand-in has billed."""
        return len(self.bill.lines())


def in_flight(url: str) -> int:
    """How many requests a stand-in has got and not answered."""
    with urlopen(f"{url}{COUNTS}") as reply:
        return int(json.load(reply)["in_flight"])


def worker_of(process: subprocess.Popen[bytes]) -> str:
    """The pattern of the name that a worker of that process has in the ledger."""
    return f"%-{process.pid}-%"


def examine(site: CelerySite, records: int) -> dict[str, int]:
    """What is lost, saved more than once, and billed although its answer is not in the ledger.

    Fails where the ledger and the bill do not fit.
    """
    done = site.ledger("select count(*) from records where status = 'done'")[0][0]
    saved = site.site.saved("select count(*), count(distinct record_id) from event_labels")[0]
    answers = site.ledger("select answer from requests where answer is not null")
    kept = {json.loads(answer)["id"] for (answer,) in answers}
    billed = {line["id"]: line for line in site.bill.lines()}
    assert len(kept) == len(answers), "an answer stands in the ledger twice"
    assert kept <= billed.keys(), "an answer was never billed"
    [(spent,)] = site.ledger("select sum(coalesce(usd, 0) + unsettled_usd) from requests")
    assert spent >= usd_of([*billed.values()]) - 1e-9, "the ledger holds less than was billed"
    assert site.ledger("select count(*) from queue") == [(0,)]
    under_way = "select count(*) from requests where status in ('submitted', 'answered')"
    assert site.ledger(under_way) == [(0,)]
    return {
        "lost": records - min(done, saved[1]),
        "saved twice": saved[0] - saved[1],
        "billed again": len(billed) - len(kept),
    }


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for a condition to hold."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill -9."""
    process.send_signal(signal.SIGKILL)
    process.wait()


@contextmanager
def celery_site(root: Path, postgres: str, redis: str, **standin: Any) -> Iterator[CelerySite]:
    """A site with a stand-in, whose workers end with it."""
    with standin_process(root / "standin", **standin) as bill:
        site = CelerySite(root, postgres, redis, bill)
        try:
            yield site
        finally:
            site.close()
