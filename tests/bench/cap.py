"""How much of a cost cap the first message batch of a run uses, and how much the whole run.

Usage: cap.py [RECORDS]   (default 4000)

The cap is half of what all records cost. `before` is what would have travelled had each request
reserved a token a byte, all of it written to the prompt cache for an hour, and the usual
max_tokens: the requests that fit so, at what such requests were billed for.
"""

from __future__ import annotations

import csv
import importlib
import os
import random
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from common import Job, Record, run  # noqa: E402
from common.claude import pricing  # noqa: E402
from common.claude.models_api import Model  # noqa: E402
from common.claude.pricing import Tokens  # noqa: E402
from common.claude.request import Request, ask_about  # noqa: E402
from standin.standin import StandIn  # noqa: E402

RUNS = [  # job, records in a request, records that earlier nights have done
    ("bulk_classifier", 50, 0),
    ("bulk_classifier", 50, 2_000),
    ("bulk_classifier", 10, 2_000),
    ("bulk_classifier", 1, 2_000),
    ("data_enrichment", 50, 0),
    ("data_enrichment", 50, 2_000),
]
MODEL = "claude-haiku-5-5"
TODAY = datetime.now(UTC).date()


def texts(count: int) -> list[str]:
    """As many messages, of the sample records, in an order of their own."""
    with (JOBS / "standin/samples.csv").open(encoding="utf-8", newline="") as file:
        samples = [max(row, key=len) for row in csv.reader(file)][1:]
    return random.Random(11).choices(samples, k=count)


def append(path: Path, messages: list[str]) -> None:
    """Add messages to the database of records, which is made where there is none."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "create table if not exists events"
            " (id integer primary key, content text, created_at text, channel text, url text)"
        )
        db.executemany(
            "insert into events (content, created_at) values (?, '2026-11-20 10:00:00')",
            ((text,) for text in messages),
        )
        db.commit()


def before(job: Job, size: int, messages: list[str], cap: float, each: float) -> float:
    """The part of the cap that was used in the first round before; `each` request costs so much."""
    takes = Model(MODEL, {"type": "disabled"}, True, False, 128_000, "")
    reserved, sent = 0.0, 0
    for first in range(0, len(messages), size):
        chunk: list[Record] = [
            {"record_id": str(first + n), "content": text, "created_at": "2026-11-20 10:00:00"}
            for n, text in enumerate(messages[first : first + size], 1)
        ]
        request = Request("r", ask_about(job, takes, chunk, lifetime="1h"))
        most = Tokens(cache_write_1h=len(request.body) + 500, output=request.params["max_tokens"])
        reserved += pricing.usd(MODEL, most, TODAY, message_batch=True) or 0.0
        if reserved > cap:
            break
        sent += 1
    return sent * each / cap


def figures(root: Path, job: Job) -> tuple[float, float, int]:
    """USD of the last run, USD until its first message batch was collected, and its requests."""
    with closing(sqlite3.connect(root / f"state/{job.name}.db")) as db:
        rows = db.execute(
            "select coalesce(message_batch_id, ''), usd from requests"
            " where run_id = (select max(run_id) from requests) order by request_id"
        ).fetchall()
    round_one, first = 0.0, ""
    for message_batch, usd in rows:
        if first and message_batch != first:
            break
        first = message_batch
        round_one += usd
    return sum(usd for _, usd in rows), round_one, len(rows)


def ran(job: Job, size: int, nights: int, messages: list[str], cap: float) -> tuple[float, ...]:
    """Run the job over earlier nights' records, then over the others under a cap (0: none).

    Returns the figures, and how many calls of count_tokens there were.
    """
    with tempfile.TemporaryDirectory() as folder, StandIn(message_batch_seconds=0) as standin:
        root = Path(folder)
        environ = {
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": standin.url,
            "RECORDS_DB": str(root / "records.db"),
        }
        options = ["--message-batch", "--chunk-size", str(size)]
        if nights:
            append(root / "records.db", messages[:nights])
            assert run(job, options, root=root, environ={**environ, "RUN_ID": "20261101T0-1"}) == 0
        append(root / "records.db", messages[nights:])
        options += ["--max-cost", f"{cap:.6f}"] if cap else []
        code = run(job, options, root=root, environ={**environ, "RUN_ID": "20261102T0-1"})
        assert code == (4 if cap else 0), code
        counts = standin.counts["calls"].get("POST /v1/messages/count_tokens", 0)
        return (*figures(root, job), counts)


def main() -> None:
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    records = int(sys.argv[1]) if sys.argv[1:] else 4_000
    log, terminal = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    for name, size, nights in RUNS:
        job: Job = importlib.import_module(name).JOB
        messages = texts(nights + records)
        os.dup2(log, 2)
        usd, _, requests, _ = ran(job, size, nights, messages, 0.0)
        cap = usd / 2
        whole, first, _, counts = ran(job, size, nights, messages, cap)
        os.dup2(terminal, 2)
        old = before(job, size, messages[nights:], cap, usd / requests)
        print(
            f"{name}, {size} in a request, {nights:,} done before, cap ${cap:.4f}: first round"
            f" before {old:.0%}, now {first / cap:.0%}; the whole run {whole / cap:.1%};"
            f" {counts} of about {requests // 2} requests counted"
        )


if __name__ == "__main__":
    main()
