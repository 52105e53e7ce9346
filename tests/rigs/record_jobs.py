"""The two jobs that answer once per record, and what their runs leave behind."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

import pytest

import bulk_classifier
import data_enrichment
from common import Job
from common.claude import pricing
from common.claude.pricing import Tokens
from rigs.harness import Result, Site
from rigs.installation import Installation
from standin.fault_kinds import MESSAGE_BATCHES

JOBS = pytest.mark.parametrize(
    "job", [bulk_classifier.JOB, data_enrichment.JOB], ids=lambda job: job.name
)
DELIVERIES = pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
TABLE = {"bulk_classifier": "event_labels", "data_enrichment": "event_enrichment"}
_TEXTS = (
    "Where is my delivery {n}? It was due on Monday.",
    "I want a refund for order {n}, the mug arrived damaged.",
    "Thank you Maria, the teapot {n} is lovely, nothing but praise!",
    "The app shows an outage today, account {n} cannot log in.",
)


def events(site: Site, count: int = 40, **other_texts: str) -> None:
    """That many events, numbered from 1; `other_texts` (e7=…) stand in for those numbers."""
    site.events(
        (
            n,
            other_texts.get(f"e{n}", _TEXTS[n % len(_TEXTS)].format(n=n)),
            f"2026-11-20 {n // 60:02}:{n % 60:02}:00",
        )
        for n in range(1, count + 1)
    )


def change(site: Site, texts: dict[str, str]) -> None:
    """Give events other texts (e7=…)."""
    db = sqlite3.connect(site.source)
    with db:
        for name, text in texts.items():
            db.execute("update events set content = ? where id = ?", (text, int(name[1:])))
    db.close()


def run(site: Site, job: Job, *arguments: str) -> Result:
    """A run with few records to a request."""
    return site.run(job, "--chunk-size", "5", *arguments)


def demo(site: Site, job: Job) -> str:
    """The log of a demo in a process of its own, with nothing set; a stand-in's message batch takes
    its time.
    """
    installation = Installation(site)
    script = installation.root / f"jobs/{job.name}.py"
    nothing = {"ANTHROPIC_API_KEY": "", "RECORDS_DB": ""}
    ended = installation.run("--demo", script=script, **nothing)
    assert ended.returncode == 0, ended.stderr
    assert not site.source.exists()
    return ended.stderr


def rows(site: Site, job: Job) -> dict[str, tuple[Any, ...]]:
    """What the job has saved, by record id, without the columns that no two runs share."""
    columns = {
        "bulk_classifier": "record_id, label, runner_up, explanation, model",
        "data_enrichment": "record_id, event_id, language, summary, sentiment, urgency, products, "
        "people, next_step",
    }
    found = site.saved(f"select {columns[job.name]} from {TABLE[job.name]}")
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: row for row in found}


def dead(site: Site, job: Job) -> dict[str, str]:
    """The dead letters and their reasons."""
    return dict(site.ledger("select record_id, error from records where status = 'dead'", job.name))


def wherever(kind: str, **rule: Any) -> list[dict[str, Any]]:
    """A fault that happens live and in message batches alike."""
    return [{"kind": kind, **rule}, {"kind": kind, "path": MESSAGE_BATCHES, **rule}]


def usd(site: Site, job: str) -> tuple[float, float]:
    """What the ledger says was spent, and what the stand-in billed."""
    today = datetime.now(UTC).date()
    in_ledger: float = site.ledger("select total(usd) + total(unsettled_usd) from requests", job)[
        0
    ][0]
    billed = sum(
        pricing.usd(line["model"], tokens(line), today, message_batch=line["tier"] == "batch")
        or 0.0
        for line in site.billed()
    )
    return in_ledger, billed


def tokens(line: dict[str, Any]) -> Tokens:
    """The tokens of a line of the bill."""
    written, for_an_hour = line["cache_write_tokens"], line["cache_write_1h_tokens"]
    return Tokens(
        input=line["input_tokens"],
        output=line["output_tokens"],
        cache_write_5m=written - for_an_hour,
        cache_write_1h=for_an_hour,
        cache_read=line["cache_read_tokens"],
    )
