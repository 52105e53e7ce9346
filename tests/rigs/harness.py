"""A site in a temporary folder: source database, ledger, reports, and the stand-in for Claude.
Everything is real but time: a run in this process never waits between attempts."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from common import Job, run
from common.claude.retries import Clock, Retry
from rigs.databases import Databases, SqliteFiles
from standin.standin import StandIn

REPOSITORY = Path(__file__).resolve().parents[2]
run_numbers = count(10001)


class InstantClock(Clock):
    """A clock on which every wait is over at once; `waits` holds the seconds that were asked for.

    `at_wait` is called at each wait, with how many there were before it.
    """

    def __init__(
        self, today: datetime | None = None, at_wait: Callable[[int], object] = lambda number: None
    ) -> None:
        self.time = 0.0
        self.waits: list[float] = []
        self._today = today
        self._at_wait = at_wait

    def utc_now(self) -> datetime:
        return (self._today or super().utc_now()) + timedelta(seconds=self.time)

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float, until: asyncio.Event) -> None:
        self._at_wait(len(self.waits))
        self.waits.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


@dataclass
class Result:
    """How a run went."""

    code: int
    log: str
    stdout: str
    clock: InstantClock

    @property
    def summary(self) -> dict[str, str]:
        """The fields of the SUMMARY line."""
        line = next(line for line in self.log.splitlines() if " SUMMARY " in line)
        return dict(part.split("=", 1) for part in line.split(" SUMMARY ")[1].split())


@dataclass
class Site:
    """One installation. `standin` is set by whoever starts one."""

    root: Path
    standin: StandIn | None = None
    environ: dict[str, str] = field(default_factory=dict)
    today: datetime | None = None  # the instant at which runs believe to be
    databases: Databases = None  # type: ignore[assignment]  # SQLite files, where nothing is said

    def __post_init__(self) -> None:
        self.databases = self.databases or SqliteFiles(self.root)

    @property
    def source(self) -> Path:
        """The file with the records; for tests that are about files."""
        assert isinstance(self.databases, SqliteFiles)
        return self.databases.path

    def events(self, rows: Iterable[tuple[Any, Any, Any]], column_type: str = "") -> None:
        """Add events (id, content, created_at); the table is made where it is missing."""
        self.table("events", f"id primary key, content, created_at {column_type}", rows)

    def table(self, name: str, columns: str, rows: Iterable[Sequence[Any]] = ()) -> None:
        """Add rows to a table of the records; it is made where it is missing."""
        self.databases.table(name, columns, rows)

    def run(
        self,
        job: Job,
        *arguments: str,
        retry: Retry | None = None,
        at_wait: Callable[[int], object] = lambda number: None,
        **environ: str,
    ) -> Result:
        """Run a job in this process, with an environment of its own."""
        clock = InstantClock(self.today, at_wait)
        stdout, stderr = io.StringIO(), io.StringIO()
        given = {
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            **self.databases.settings(),
            "REPORT_TZ": "UTC",
            **self.environ,
            **environ,
        }
        if self.standin:
            given.setdefault("ANTHROPIC_BASE_URL", self.standin.url)
        # As the wrapper does: a run's name is never another's.
        os.environ.setdefault("RUN_ID", f"20261122T020000Z-{next(run_numbers)}")
        with redirect_stdout(stdout), redirect_stderr(stderr):
            code = run(job, arguments, root=self.root, environ=given, clock=clock, retry=retry)
        return Result(code, stderr.getvalue(), stdout.getvalue(), clock)

    def ledger(self, sql: str, job: str = "daily_report") -> list[tuple[Any, ...]]:
        """Rows of a query on a job's ledger."""
        with self.databases.ledger(job) as db:
            return list(db.execute(sql))

    def change_ledger(self, job: str, sql: str, *values: Any) -> None:
        """Change something in a job's ledger."""
        with self.databases.ledger(job) as db:
            db.execute(sql, values)

    def saved(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the source database."""
        with self.databases.records() as db:
            return list(db.execute(sql))

    def change(self, sql: str, *values: Any) -> None:
        """Change something in the source database."""
        with self.databases.records() as db:
            db.execute(sql, values)

    def report(self, day: str, job: str = "daily_report") -> str:
        """A day's report, as Markdown."""
        return (self.root / "reports" / job / f"{day}.md").read_text(encoding="utf-8")

    def billed(self) -> list[dict[str, Any]]:
        """What the stand-in has billed so far."""
        assert self.standin is not None
        return list(self.standin.billed)


def python(code: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with `common` importable and nothing else in the
    environment.
    """
    command: Sequence[str] = (sys.executable, "-c", code, *arguments)
    given = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY / "jobs"), **environ}
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)


def json_of(result: Result) -> dict[str, Any]:
    """What --json printed."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found
