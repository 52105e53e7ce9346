"""Seconds and peak memory until the first request, with many records done in the ledger.

Usage: million.py [RECORDS] [sqlite | mixed | postgres] [stale]
(default 1000000, one database after another)

Records and ledger stand in SQLite files, in a PostgreSQL from wheels, or (mixed) the ledger alone
does. Before each run a dozen records come in. A run is a process of its own; the stand-in's bill
says when the first request was there. `stale`: another version has done all of them, and a run
brings 500 of them up to date. The machine should have nothing else to do.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "jobs"), str(ROOT / "tests")]

import psycopg  # noqa: E402

from common.ledger.postgres.postgres_ledger import PostgresLedger  # noqa: E402
from common.ledger.sqlite_ledger import LedgerFile  # noqa: E402
from rigs.crash_rig import standin_process  # noqa: E402
from standin.servers import FAST, PostgreSQL  # noqa: E402

JOB = "bulk_classifier"
CHUNK = 50
NEW = 12
ROUNDS = 5
AT = "2026-11-20T10:00:00Z"
OUTPUT = '{"label": "delivery", "confidence": 0.9, "reason": "it asks where its parcel is"}'
EVENTS = ("events", ("id", "content", "created_at", "updated_at"))
REQUESTS = (
    "requests",
    (
        *("request_id", "job", "run_id", "delivery", "status", "record_ids", "attempts"),
        *("answer", "model", "created_at"),
    ),
)
RECORDS = ("records", ("job", "record_id", "status", "request_id", "output", "updated_at"))


def insert(db: Any, into: tuple[str, tuple[str, ...]], rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert many rows into a table, on either database."""
    name, columns = into
    names = ", ".join(columns)
    if isinstance(db, sqlite3.Connection):
        marks = ", ".join("?" * len(columns))
        db.executemany(f"insert into {name} ({names}) values ({marks})", rows)
        return
    with db.cursor() as cursor, cursor.copy(f"copy {name} ({names}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


class Records:
    """The user's table."""

    def __init__(self, place: str, count: int) -> None:
        self.place = place
        with self._open() as db:
            db.execute(
                "create table events (id integer primary key, content text, created_at text,"
                " updated_at text)"
            )
        self._next = 0
        self.add(count)

    def _open(self) -> Any:
        if "://" in self.place:
            return psycopg.connect(self.place)
        return sqlite3.connect(self.place)

    def add(self, count: int) -> None:
        """Some more records."""
        first, self._next = self._next, self._next + count
        row = ("Where is my parcel?", "2026-11-20 09:00:00", "2026-11-20 09:00:00")
        with self._open() as db:
            insert(db, EVENTS, ((n, *row) for n in range(first, self._next)))


def all_done(ledger: LedgerFile | PostgresLedger, count: int) -> None:
    """Make that many records done, in requests of fifty."""
    requests = (
        (f"r{n:07d}", JOB, "run-1", "live", "done", "[]", 1, "{}", "m", AT)
        for n in range(0, count, CHUNK)
    )
    rows = ((JOB, str(n), "done", f"r{n - n % CHUNK:07d}", OUTPUT, AT) for n in range(count))
    if isinstance(ledger, LedgerFile):
        with ledger.transaction():
            insert(ledger.db, REQUESTS, requests)
            insert(ledger.db, RECORDS, rows)
        return
    raw = ledger._connection.raw
    insert(raw, REQUESTS, requests)
    insert(raw, RECORDS, rows)
    raw.execute("vacuum analyze")


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors so far, without what others did for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def first_request(environ: dict[str, str], billed: Path, options: list[str]) -> tuple[float, ...]:
    """The seconds until a run's first request came, its CPU seconds by then (without those of a
    server), the seconds of the whole run, and its peak in MB.
    """
    command = [sys.executable, str(ROOT / f"jobs/{JOB}.py"), "--live", *options]
    before = billed.stat().st_size if billed.exists() else 0
    began = time.perf_counter()
    first = cpu = 0.0
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        while True:
            if not first and billed.exists() and billed.stat().st_size > before:
                first, cpu = time.perf_counter() - began, cpu_seconds(process.pid)
            found, status, usage = os.wait4(process.pid, os.WNOHANG)
            if found:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            time.sleep(0.005)
        assert process.stderr
        log = process.stderr.read()
    assert process.returncode == 0 and first, log
    return first, cpu, time.perf_counter() - began, usage.ru_maxrss / 1024


def measure(kind: str, count: int, *, stale: bool) -> None:
    """Print the figures of a few runs."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as closing_all:
        root = Path(name)
        root.chmod(0o711)
        url = ""
        if kind != "sqlite":
            url = closing_all.enter_context(PostgreSQL(root / "postgres", FAST)).url
        records = Records(url if kind == "postgres" else str(root / "records.db"), count)
        ledger = PostgresLedger(url, JOB, state=root) if url else LedgerFile(root / f"{JOB}.db")
        with closing(ledger):
            all_done(ledger, count)
        bill = closing_all.enter_context(standin_process(root / "standin", latency=0.0))
        environ = {
            "PATH": "/usr/bin:/bin",
            "NO_PROXY": "127.0.0.1",
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": bill.url,
            "RECORDS_DB": records.place,
            "LEDGER_DB": url or str(root / "{job}.db"),
        }
        found = []
        for _ in range(ROUNDS):
            records.add(NEW)
            options = ["--stale", "--limit", "500"] if stale else []
            found.append(first_request(environ, bill.path, options))
        first, cpu, whole, peak = (sorted(one)[ROUNDS // 2] for one in zip(*found, strict=True))
        print(
            f"million: {kind}: {count:,} records {'stale' if stale else 'done'}:"
            f" first request after {first:.2f} s ({cpu:.2f} s of CPU),"
            f" {whole:.2f} s in all, {peak:.0f} MB (medians of {ROUNDS} runs)",
            flush=True,
        )


def main() -> None:
    given = sys.argv[1:]
    count = int(given[0]) if given and given[0].isdigit() else 1_000_000
    kinds = [one for one in given if not one.isdigit() and one != "stale"]
    for kind in kinds or ["sqlite", "mixed", "postgres"]:
        measure(kind, count, stale="stale" in given)


if __name__ == "__main__":
    main()
