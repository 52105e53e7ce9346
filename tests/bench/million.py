"""Seconds and peak memory until the first request, with many records done in the ledger.

Usage: million.py [RECORDS] [--ledger sqlite|postgres]   (default 1000000, both)

The records stand in a SQLite file, the ledger there too or in a PostgreSQL from wheels. A dozen
records are new. Each run is a process of its own; the stand-in says when the first request came.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "jobs"), str(ROOT / "tests")]

from common.ledger.postgres_ledger import PostgresLedger  # noqa: E402
from common.ledger.sqlite_ledger import LedgerFile  # noqa: E402
from rigs.crash_rig import standin_process  # noqa: E402
from standin.servers import FAST, PostgreSQL  # noqa: E402

JOB = "bulk_classifier"
CHUNK = 50
NEW = 12
AT = "2026-11-20T10:00:00Z"


def records(path: Path, count: int) -> None:
    """The user's table, with a dozen records that no run has seen."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table events (id integer primary key, content, created_at, updated_at)")
        row = ("Where is my parcel?", "2026-11-20 09:00:00", "2026-11-20 09:00:00")
        every = ((n, *row) for n in range(count + NEW))
        db.executemany("insert into events values (?, ?, ?, ?)", every)


def done(ledger: LedgerFile | PostgresLedger, path: Path, count: int, select: str) -> None:
    """Make all but the new ones done."""
    with closing(sqlite3.connect(path)) as db:
        ids = [str(row[0]) for row in db.execute(f"select record_id from ({select})")][:count]
    output = '{"label": "delivery", "confidence": 0.9, "reason": "it asks where its parcel is"}'
    requests = [
        (f"r{n:07d}", JOB, "run-1", "live", "done", "[]", 1, "{}", "m", AT)
        for n in range(0, count, CHUNK)
    ]
    rows = [(JOB, one, "done", f"r{n - n % CHUNK:07d}", output, AT) for n, one in enumerate(ids)]
    into_requests = (
        "insert into requests (request_id, job, run_id, delivery, status, record_ids, attempts,"
        " answer, model, created_at) values "
    )
    into_records = (
        "insert into records (job, record_id, status, request_id, output, updated_at) values "
    )
    if isinstance(ledger, LedgerFile):
        with ledger.transaction():
            ledger.db.executemany(f"{into_requests}({','.join('?' * 10)})", requests)
            ledger.db.executemany(f"{into_records}({','.join('?' * 6)})", rows)
        return
    raw = ledger._connection.raw
    with raw.cursor() as cursor:
        for head, values in ((into_requests, requests), (into_records, rows)):
            columns = head[head.index("(") : head.index(")") + 1]
            with cursor.copy(f"copy {head.split()[2]} {columns} from stdin") as copy:
                for value in values:
                    copy.write_row(value)
        cursor.execute("analyze")


def first_request(environ: dict[str, str], billed: Path) -> tuple[float, float, float]:
    """The seconds until a run's first request was answered and of all of it, and its peak in MB."""
    command = [sys.executable, str(ROOT / f"jobs/{JOB}.py"), "--live"]
    before = billed.stat().st_size if billed.exists() else 0
    began = time.perf_counter()
    first = 0.0
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            if not first and billed.exists() and billed.stat().st_size > before:
                first = time.perf_counter() - began
            time.sleep(0.005)
            found, status, usage = os.wait4(process.pid, os.WNOHANG)
            if found:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
        assert process.stderr
        log = process.stderr.read()
    assert process.returncode == 0 and first, log
    return first, time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("records", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--ledger", choices=("sqlite", "postgres"))
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "jobs"))
    import bulk_classifier

    select = bulk_classifier.JOB.select
    for kind in [given.ledger] if given.ledger else ["sqlite", "postgres"]:
        with tempfile.TemporaryDirectory() as name, ExitStack() as closing_:
            root = Path(name)
            root.chmod(0o711)
            source = root / "records.db"
            records(source, given.records)
            if kind == "sqlite":
                place = str(root / "{job}.db")
                ledger: LedgerFile | PostgresLedger = LedgerFile(root / f"{JOB}.db")
            else:
                server = closing_.enter_context(PostgreSQL(root / "pg", FAST))
                place = server.url
                ledger = PostgresLedger(place, JOB, state=root)
            done(ledger, source, given.records, select)
            ledger.close()
            bill = closing_.enter_context(standin_process(root / "standin", latency=0.0))
            environ = {
                "PATH": "/usr/bin:/bin",
                "NO_PROXY": "127.0.0.1",
                "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
                "ANTHROPIC_BASE_URL": bill.url,
                "RECORDS_DB": str(source),
                "LEDGER_DB": place,
            }
            for number in range(3):
                first, whole, peak = first_request(environ, bill.path)
                print(
                    f"million: {kind}: {given.records:,} records done: first request after"
                    f" {first:.2f} s, {whole:.2f} s in all, {peak:.0f} MB"
                )
                with closing(sqlite3.connect(source)) as db, db:
                    db.execute("update events set updated_at = ? where id = 7", (str(number),))


if __name__ == "__main__":
    main()
