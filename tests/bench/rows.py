"""How the time of a job grows with its records, in a table without any index.

Usage: rows.py [RECORDS]   (default 8000)

For each per-record job, the processor time of a dry run, which reads and counts everything:
with RECORDS records, and with four times as many. Four times the time is linear.
"""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

JOBS = Path(__file__).resolve().parents[2] / "jobs"
TIMES = 4


def seconds(root: Path, job: str, *options: str) -> float:
    """The processor time of a run."""
    environ = {
        **os.environ,
        "RECORDS_DB": str(root / "records.db"),
        "LEDGER_DB": str(root / "{job}.db"),
        "ANTHROPIC_API_KEY": "",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, str(JOBS / f"{job}.py"), *options]
    subprocess.run(command, check=True, env=environ, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fill(root: Path, records: int) -> None:
    """Make the table, as other programs' imports leave one: nothing in it is indexed."""
    with closing(sqlite3.connect(root / "records.db")) as db, db:
        db.execute("create table if not exists events (id, content, created_at, updated_at)")
        db.execute("delete from events")
        row = ("Where is my parcel?", "2026-11-21 10:00:00", "2026-11-21 10:00:00")
        db.executemany(
            "insert into events values (?, ?, ?, ?)", ((n, *row) for n in range(records))
        )


def main() -> int:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 8_000
    for job in ("bulk_classifier", "data_enrichment"):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            fill(root, 1)
            start = seconds(root, job, "--dry-run")
            took = []
            for count in (records, TIMES * records):
                fill(root, count)
                took.append(seconds(root, job, "--dry-run") - start)
        print(
            f"rows: {job}: {records:,} records {took[0]:.2f} s, {TIMES * records:,} records"
            f" {took[1]:.2f} s, {took[1] / took[0]:.1f} times (start-up of {start:.2f} s taken off)"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
