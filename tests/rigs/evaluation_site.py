"""A site whose answers are measured: messages, the labels that people gave them, and runs.

The stand-in answers by counting words: the label of a record is the name that stands in its text.
So each text here is written for the answer that it is to get, and the label says whether that is
right.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from common import Job, Record
from common.ledger.apart import name_of
from rigs.harness import Result, Site

NAME = "measured"
LABELS = ("Parcel", "Refund", "Invoice", "Other")
HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5-5"
# Of message batches: they end when the stand-in is started again, with the same state.
STAYS = {"kind": "stay_in_progress"}


class Answer(BaseModel):
    label: Literal["Parcel", "Refund", "Invoice", "Other"]
    urgent: bool = False
    words: int = 0
    title: str = ""
    reason: str = ""


def save(db: Any, record: Record, output: Answer) -> None:
    """Insert or replace the record's answer."""
    db.execute(
        "insert into answers values (?, ?) on conflict (record_id) do update set"
        " label = excluded.label",
        (record["record_id"], output.label),
    )


def measured(**changes: Any) -> Job:
    """The job. `changes` are more arguments of Job."""
    given: dict[str, Any] = {
        "name": NAME,
        "select": "select id as record_id, content, created_at from events order by id",
        "instructions": "Label each message.",
        "output": Answer,
        "save": save,
        "tables": "create table if not exists answers (record_id text primary key, label text)",
        "chunk_size": 25,
    }
    return Job(**{**given, **changes})


def fill(site: Site, count: int, seed: int = 1) -> dict[str, str]:
    """Add messages, each about one label, and give what people would say: mostly that label."""
    dice = random.Random(seed)
    said: dict[str, str] = {}
    rows = []
    for number in range(1, count + 1):
        about = dice.choice(LABELS)
        mark = dice.choice("!.")
        rows.append((number, f"About my {about.lower()} of day {number}{mark}", "2026-11-20"))
        said[str(number)] = about if dice.random() < 0.8 else dice.choice(LABELS)
    site.events(rows)
    return said


def labels_file(
    site: Site,
    rows: Mapping[str, str] | Iterable[Sequence[str]],
    header: Sequence[str] = ("record_id", "label"),
    name: str = "labels.csv",
) -> str:
    """Write a file of labels into the site's folder; its path."""
    path: Path = site.root / name
    lines = rows.items() if isinstance(rows, Mapping) else rows
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])
    return str(path)


def evaluate(site: Site, path: str, *arguments: str, job: Job | None = None, **more: Any) -> Result:
    """Evaluate the job on a file of labels."""
    return site.run(job or measured(), "--eval", path, *arguments, **more)


def figures(result: Result) -> dict[str, Any]:
    """What --json printed of an evaluation."""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def apart(site: Site, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on the ledger, where {name} is the one under which the version stands."""
    version = name_of(NAME, measured().version(HAIKU))
    return [tuple(row) for row in site.ledger(sql.format(name=version), NAME)]


def answer_otherwise(site: Site, model: str, labels: Mapping[str, str]) -> None:
    """Change what the ledger holds as the answers of a model about some records."""
    name = name_of(NAME, measured().version(model))
    for record_id, label in labels.items():
        output = json.dumps(
            {"label": label, "urgent": False, "words": 0, "title": "", "reason": ""}
        )
        sql = "update records set output = ? where job = ? and record_id = ?"
        site.change_ledger(NAME, sql, output, name, record_id)
