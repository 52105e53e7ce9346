"""The two per-record jobs: their records, their runs and their results."""

from __future__ import annotations

from typing import Any

import pytest

import bulk_classifier
import data_enrichment
from common import Job
from rigs.bills import COST, usd_of
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
    """Insert `count` events, numbered from 1. `other_texts` (e7=…) replace the text of some."""
    site.events(
        (
            n,
            other_texts.get(f"e{n}", _TEXTS[n % len(_TEXTS)].format(n=n)),
            f"2026-11-20 {n // 60:02}:{n % 60:02}:00",
        )
        for n in range(1, count + 1)
    )


def change(site: Site, texts: dict[str, str]) -> None:
    """Change the texts of events (e7=…)."""
    for name, text in texts.items():
        site.change("update events set content = ? where id = ?", text, int(name[1:]))


def run(site: Site, job: Job, *arguments: str) -> Result:
    """Run a job with five records per request."""
    return site.run(job, "--chunk-size", "5", *arguments)


def demo(site: Site, job: Job) -> str:
    """Run a demo as a process of its own, without any settings; returns its log."""
    installation = Installation(site)
    script = installation.root / f"jobs/{job.name}.py"
    nothing = {"ANTHROPIC_API_KEY": "", "RECORDS_DB": ""}
    ended = installation.run("--demo", script=script, **nothing)
    assert ended.returncode == 0, ended.stderr
    assert not (site.root / "records.db").exists()
    return ended.stderr


def rows(site: Site, job: Job) -> dict[str, tuple[Any, ...]]:
    """The rows that the job has saved, by record id, without columns that differ in every run."""
    columns = {
        "bulk_classifier": "record_id, label, runner_up, explanation, model",
        "data_enrichment": (
            "record_id, event_id, language, summary, sentiment, urgency, products, people,"
            " next_step"
        ),
    }
    saved = site.saved(f"select {columns[job.name]} from {TABLE[job.name]}")
    assert len({row[0] for row in saved}) == len(saved)
    return {row[0]: row for row in saved}


def dead(site: Site, job: Job) -> dict[str, str]:
    """The dead letters and their reasons."""
    return dict(site.ledger("select record_id, error from records where status = 'dead'", job.name))


def wherever(kind: str, **rule: Any) -> list[dict[str, Any]]:
    """The rules of a fault that happens both live and in message batches."""
    return [{"kind": kind, **rule}, {"kind": kind, "path": MESSAGE_BATCHES, **rule}]


def usd(site: Site, job: str) -> tuple[float, float]:
    """The USD in the ledger, spent or possibly spent, and the USD on the stand-in's bill."""
    sums = site.ledger(f"select {COST} from requests", job)[0]
    return float(sum(sums)), usd_of(site.billed())
