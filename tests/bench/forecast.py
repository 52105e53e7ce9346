"""What --try predicts for the records that wait, against what a run then bills for them.

Usage: forecast.py [CSV [JOB…]]   (default: the sample records, again and again; both jobs)

The CSV has the columns id, created_at and content. For each job and delivery there are three
samples: 10, 20 and 30 records, each time with the records in another order. The stand-in answers.
Ends 1 where a forecast's middle is further than 15 % from the bill.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import random
import sqlite3
import sys
import tempfile
from contextlib import closing, redirect_stdout
from itertools import cycle, islice
from pathlib import Path
from typing import Any

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from common import Job, run  # noqa: E402
from standin.samples import SAMPLES  # noqa: E402
from standin.standin import StandIn  # noqa: E402

RECORDS = 10_003
WITHIN = 0.15
NAMES = ("bulk_classifier", "data_enrichment")


def texts(path: Path | None) -> list[str]:
    """The texts of the records: those of a CSV, or the samples as often as it takes."""
    with (path or SAMPLES).open(encoding="utf-8", newline="") as file:
        found = [row["content"] for row in csv.DictReader(file)]
    return found if path else [*islice(cycle(found), RECORDS)]


def fill(path: Path, contents: list[str], seed: int) -> None:
    """Create a database of records in an order that depends on the seed."""
    order = random.Random(seed).sample(contents, len(contents))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table events (id integer primary key, content text, created_at text)")
        db.executemany(
            "insert into events (content, created_at) values (?, '2026-11-20 10:00:00')",
            ((text,) for text in order),
        )


def asked(job: Job, root: Path, environ: dict[str, str], *arguments: str) -> dict[str, Any]:
    """What a run printed with --json; the log goes nowhere."""
    printed = io.StringIO()
    log, terminal = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    os.dup2(log, 2)
    try:
        with redirect_stdout(printed):
            code = run(job, [*arguments, "--json"], root=root, environ=environ)
    finally:
        os.dup2(terminal, 2)
        os.close(log)
        os.close(terminal)
    assert code == 0, (code, printed.getvalue())
    found: dict[str, Any] = json.loads(printed.getvalue())
    return found


def compared(job: Job, contents: list[str], number: int, delivery: str) -> tuple[float, ...]:
    """(from, to, billed) in USD for the records that a try of so many did not take."""
    with tempfile.TemporaryDirectory() as folder, StandIn(message_batch_seconds=0.0) as standin:
        root = Path(folder)
        fill(root / "records.db", contents, seed=number)
        environ = {
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": standin.url,
            "RECORDS_DB": str(root / "records.db"),
        }
        tried = asked(job, root, environ, "--try", str(number))
        ran = asked(job, root, environ, f"--{delivery.replace('_', '-')}")
    assert tried["rest"]["records"] == ran["records"] == len(contents) - number
    low, high = tried["rest"][f"usd_{delivery}"]
    return low, high, ran["usd"]


def main() -> int:
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    path = Path(sys.argv[1]) if sys.argv[1:] else None
    contents = texts(path)
    print(f"{len(contents):,} records of {path or 'the samples'}; predicted for the rest, billed:")
    worst = 0.0
    for name in sys.argv[2:] or NAMES:
        job: Job = importlib.import_module(name).JOB
        for delivery in ("live", "message_batch"):
            for number in (10, 20, 30):
                low, high, billed = compared(job, contents, number, delivery)
                middle = (low + high) / 2
                off = middle / billed - 1
                worst = max(worst, abs(off))
                held = "inside" if low <= billed <= high else "OUTSIDE"
                print(
                    f"  {name:<16} {delivery:<14} --try {number}: ${low:.4f} to ${high:.4f},"
                    f" middle ${middle:.4f}, billed ${billed:.4f}: {off:+.1%}, {held}",
                    flush=True,
                )
    print(f"furthest off: {worst:.1%}")
    return int(worst > WITHIN)


if __name__ == "__main__":
    raise SystemExit(main())
