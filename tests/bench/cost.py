"""What 500 records of 200 tokens cost live and by message batch, beside the arithmetic.

Usage: cost.py [JOB …]   (default: bulk_classifier, data_enrichment and daily_report)

The cost is from the ledger of a run against the stand-in, which counts four bytes as a token.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
import tempfile
from pathlib import Path

JOBS = Path(__file__).resolve().parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from common import Job, run  # noqa: E402
from standin.standin import StandIn  # noqa: E402

RECORDS, TOKENS = 500, 200
INPUT, OUTPUT = 0.10, 0.50  # USD per million tokens of claude-haiku-5-5
FACTOR = 0.5  # the price by message batch, as a part of the live price
SUMS = """
    select delivery, count(*),
        sum(input_tokens + cache_read_tokens + cache_write_tokens),
        sum(output_tokens),
        sum(cache_read_tokens + cache_write_tokens),
        sum(usd)
    from requests group by delivery order by delivery
"""


def records(path: Path) -> None:
    """Create a database of RECORDS events, each with a text of exactly TOKENS tokens."""
    sentence = (
        "Where is my parcel? I ordered a teapot and two mugs, and one of them arrived broken. "
    )
    db = sqlite3.connect(path)
    db.execute("create table events (id integer primary key, content text, created_at text)")
    texts = (f"Message {n}. {sentence * 10}"[: TOKENS * 4] for n in range(1, RECORDS + 1))
    db.executemany(
        "insert into events (content, created_at) values (?, '2026-11-20 10:00:00')",
        ((text,) for text in texts),
    )
    db.commit()
    db.close()


def spent(job: Job, delivery: str) -> list[tuple[str, int, int, int, int, float]]:
    """Run the job, and return the rows of SUMS from its ledger."""
    with tempfile.TemporaryDirectory() as folder, StandIn(message_batch_seconds=0.0) as standin:
        root = Path(folder)
        records(root / "records.db")
        environ = {
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": standin.url,
            "RECORDS_DB": str(root / "records.db"),
        }
        window = ["--date", "2026-11-20"] if job.per_day else []
        code = run(job, [delivery, *window], root=root, environ=environ)
        assert code == 0, code
        db = sqlite3.connect(root / f"state/{job.name}.db")
        rows = db.execute(SUMS).fetchall()
        db.close()
        return rows


def main() -> None:
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    for name in sys.argv[1:] or ("bulk_classifier", "data_enrichment", "daily_report"):
        show(importlib.import_module(name).JOB)


def show(job: Job) -> None:
    """Print what the job costs, live and by message batch."""
    log, terminal = os.open(os.devnull, os.O_WRONLY), os.dup(2)
    for option in ("--live", "--message-batch"):
        os.dup2(log, 2)
        rows = spent(job, option)
        os.dup2(terminal, 2)
        in_ledger = arithmetic = 0.0
        print(f"{job.name} {option}, {RECORDS} records of {TOKENS} tokens:")
        for delivery, requests, prompt, output, cached, usd in rows:
            factor = FACTOR if delivery == "message_batch" else 1
            sums = factor * (prompt * INPUT + output * OUTPUT) / 1e6
            in_ledger, arithmetic = in_ledger + usd, arithmetic + sums
            half = f"{FACTOR} × " if factor != 1 else ""
            print(
                f"  {delivery:13} {requests:2} requests: {half}({prompt:,} × ${INPUT:.2f} + "
                f"{output:,} × ${OUTPUT:.2f})"
                f" / 10⁶ = ${sums:.5f}" + (f" ({cached:,} of them cached)" if cached else "")
            )
        print(f"  ledger ${in_ledger:.5f}, arithmetic ${arithmetic:.5f}")
        sent = sum(row[2] for row in rows) / RECORDS
        answered = sum(row[3] for row in rows) / RECORDS
        print(
            f"  a record: {sent:.1f} tokens in, {answered:.1f} out;"
            f" billed input over the records' own: {sent / TOKENS:.2f}"
        )


if __name__ == "__main__":
    main()
