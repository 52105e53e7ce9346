"""A site whose job asks a second model: its records, its runs, and what both models are to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from common import Job, Origin, Record
from rigs.harness import Result, Site
from standin.fault_kinds import MESSAGE_BATCHES

NAME = "opined"
FIRST, SECOND = "claude-haiku-5-5", "claude-sonnet-5-5"
TABLE = (
    "create table if not exists opinions"
    " (record_id text primary key, label text, model text, saved integer);"
)
STILL_PROCESSING = {"kind": "stay_in_progress", "times": 1}


class Opinion(BaseModel):
    label: Literal["Parcel", "Refund", "Other"]
    runner_up: Literal["Parcel", "Refund", "Other", ""] = ""
    reason: str = ""


def save(db: Any, record: Record, output: Opinion, origin: Origin) -> None:
    """Insert or replace the record's opinion. The column `saved` counts how often."""
    db.execute(
        "insert into opinions values (?, ?, ?, 1) on conflict (record_id) do update set"
        " label = excluded.label, model = excluded.model, saved = opinions.saved + 1",
        (record["record_id"], output.label, origin.model),
    )


def opined(second: Any = SECOND, **changes: Any) -> Job:
    """The job. `changes` are more arguments of Job."""
    given: dict[str, Any] = {
        "select": "select id as record_id, content, created_at from events order by id",
        "instructions": "Label each record.",
        "save": save,
    }
    return Job(
        name=NAME,
        output=Opinion,
        tables=TABLE,
        second_opinion=second,
        **{**given, **changes},
    )


def fill(site: Site, doubtful: int, sure: int = 0) -> None:
    """Add events: about d001, d002, … the first model has a runner-up; it is sure about s001, ….

    Of these up to s040, s013 alone is of the 2 %.
    """
    both, one = "My parcel is late, I want a refund.", "Where is my parcel?"
    site.events((f"d{n:03}", both, "2026-11-20 08:00:00") for n in range(1, doubtful + 1))
    site.events((f"s{n:03}", one, "2026-11-20 09:00:00") for n in range(1, sure + 1))


def go(site: Site, *arguments: str, job: Job | None = None, **environ: Any) -> Result:
    """Run the job live, five records a request; the second opinions go by message batch."""
    given = arguments if {"--message-batch", "--celery"} & {*arguments} else ("--live", *arguments)
    return site.run(job or opined(), "--chunk-size", "5", *given, **environ)


def says(labels: Mapping[str, str]) -> dict[str, Any]:
    """A rule for the stand-in: what message batches answer, whoever is asked about."""
    results = [{"id": one, "label": label, "reason": "so"} for one, label in labels.items()]
    text = json.dumps({"results": results})
    content = [{"type": "text", "text": text}]
    return {"kind": "changed", "path": MESSAGE_BATCHES, "fields": {"content": content}}


def saved(site: Site) -> dict[str, tuple[str, str, int]]:
    """Label, model, and how often it was saved, of each record."""
    rows = site.saved("select record_id, label, model, saved from opinions order by record_id")
    return {record_id: (label, model, times) for record_id, label, model, times in rows}


def ledger(site: Site, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on the job's ledger."""
    return [tuple(row) for row in site.ledger(sql, NAME)]


def statuses(site: Site) -> dict[tuple[str, str], int]:
    """How many records stand where, by version under which they stand apart ("" for the job)."""
    rows = ledger(site, "select job, status, count(*) from records group by 1, 2")
    return {(job.partition("@")[2], status): count for job, status, count in rows}


def asked(site: Site) -> list[tuple[str, str, list[str]]]:
    """The requests of second opinions: delivery, status and record ids."""
    rows = ledger(
        site,
        "select delivery, status, record_ids from requests where purpose = 'second opinion'"
        " order by request_id",
    )
    return [(delivery, status, json.loads(ids)) for delivery, status, ids in rows]


def billed_to_second(site: Site) -> list[str]:
    """The records that the second model has billed, each as often as it was."""
    return sorted(
        record for line in site.billed() if line["model"] == SECOND for record in line["records"]
    )
