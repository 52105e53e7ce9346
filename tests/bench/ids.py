"""What a record costs under ids of several forms, over what it costs under integers.

Usage: ids.py [RECORDS]   (default 500)

Each job runs live over the same sample messages, all of one day, once for each form of id; USD and
tokens are from its ledger. The stand-in counts four bytes as a token, and its digests name each
record in a theme at least, as they are asked to do. A tokenizer takes a UUID apart into more.
"""

from __future__ import annotations

import csv
import importlib
import os
import random
import re
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from uuid import UUID

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from common import Job, run  # noqa: E402
from standin.samples import SAMPLES  # noqa: E402
from standin.standin import StandIn  # noqa: E402

DAY = "2026-11-20"
_UUIDS = random.Random(1)
FORMS: dict[str, Callable[[int], str]] = {
    "integers": str,
    "integers of 7 digits": lambda n: str(4_000_000 + 17 * n),
    "id@updated_at": lambda n: f"{n}@{DAY} 10:{n // 60 % 60:02}:{n % 60:02}",
    "UUIDs": lambda n: str(UUID(bytes=_UUIDS.randbytes(16), version=4)),
}


def spent(job: Job, texts: list[str], form: Callable[[int], str]) -> tuple[float, float, float]:
    """Run a job: USD, input tokens and output tokens per record, from its ledger."""
    with tempfile.TemporaryDirectory() as folder, StandIn() as standin:
        root = Path(folder)
        with closing(sqlite3.connect(root / "records.db")) as db, db:
            db.execute("create table events (id text primary key, content text, created_at text)")
            db.executemany(
                f"insert into events values (?, ?, '{DAY} 10:00:00')",
                [(form(n), text) for n, text in enumerate(texts, 1)],
            )
        environ = {
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": standin.url,
            "RECORDS_DB": str(root / "records.db"),
        }
        # By their order in the table: each request is about the same texts, whatever the ids are.
        by_row = replace(job, select=re.sub("order by .*", "order by rowid", job.select))
        window = ["--date", DAY] if job.per_day else []
        code = run(by_row, ["--live", *window], root=root, environ=environ)
        assert code == 0, code
        with closing(sqlite3.connect(root / f"state/{job.name}.db")) as db:
            sums = db.execute(
                "select sum(usd), sum(input_tokens + cache_read_tokens + cache_write_tokens),"
                " sum(output_tokens) from requests"
            ).fetchone()
        usd, prompt, output = (one / len(texts) for one in sums)
        return usd, prompt, output


def main() -> None:
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    count = int(sys.argv[1]) if sys.argv[1:] else 500
    with SAMPLES.open(encoding="utf-8", newline="") as file:
        samples = [row["content"] for row in csv.DictReader(file)]
    texts = [*islice(cycle(samples), count)]
    log, terminal = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    for name in ("bulk_classifier", "data_enrichment", "daily_report"):
        job: Job = importlib.import_module(name).JOB
        base = 0.0
        for form, make in FORMS.items():
            os.dup2(log, 2)
            usd, prompt, output = spent(job, texts, make)
            os.dup2(terminal, 2)
            base = base or usd
            print(
                f"{name:16} {form:21} {prompt:6.1f} tokens in {output:5.1f} out"
                f" ${usd * 1e6:6.2f} a million records: {usd / base:.3f} of integers"
            )


if __name__ == "__main__":
    main()
