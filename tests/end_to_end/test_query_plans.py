"""What the shipped jobs ask of a database grows with its records, and not with their square.

`bench/rows.py` measures it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

import bulk_classifier
import daily_report
import data_enrichment
from common import Origin
from common.source.sqlite_source import Database

pytestmark = pytest.mark.sqlite("SQLite's plans")

JOBS = pytest.mark.parametrize(
    "job", [bulk_classifier.JOB, data_enrichment.JOB, daily_report.JOB], ids=lambda job: job.name
)
WINDOW = {"start": "2026-11-21 00:00:00", "end": "2026-11-22 00:00:00"}
OUTPUTS: dict[str, dict[str, object]] = {
    "bulk_classifier": {
        "label": "other",
        "runner_up": "other",
        "explanation": "It says so.",
    },
    "data_enrichment": {
        "language": "en",
        "summary": "A parcel is late.",
        "sentiment": "neutral",
        "urgency": "today",
        "products": ["parcel"],
        "people": [],
        "next_step": "answer",
    },
}


@pytest.fixture
def db(tmp_path):
    """A database without any index, as an import leaves one."""
    path = tmp_path / "records.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("create table events (id, content, created_at, updated_at)")
    with closing(Database(path, writable=True)) as db:
        yield db


def plan(db: Database, sql: str, values: object = ()) -> list[str]:
    """SQLite's plan: a SCAN reads a whole table, a SEARCH finds rows by an index."""
    rows = db.connection.execute(f"explain query plan {sql}", values)  # type: ignore[arg-type]
    return [str(row[3]) for row in rows]


@JOBS
def test_a_select_reads_the_table_once(db, job):
    steps = plan(db, job.select, WINDOW)
    assert [step for step in steps if "SCAN" in step] == ["SCAN events"], steps
    assert not [step for step in steps if "CORRELATED" in step or "AUTOMATIC" in step], steps


@pytest.mark.parametrize("name", OUTPUTS)
def test_saving_an_output_looks_through_no_table(db, name):
    job = {job.name: job for job in (bulk_classifier.JOB, data_enrichment.JOB)}[name]
    db.create(job.tables)
    record = {"record_id": "7", "id": 7, "content": "Where is it?", "created_at": "2026-11-21"}
    record |= {"page_url": "https://example.com/", "page_error": None}
    asked: list[str] = []
    db.connection.set_trace_callback(asked.append)
    if name == "data_enrichment":
        data_enrichment.note(db.connection, record)
    output = job.output(**OUTPUTS[name])
    more = [Origin("claude-haiku-5-5", "run")] if job.save_wants_origin else []
    job.save(db.connection, record, output, *more)
    db.connection.set_trace_callback(None)
    assert asked
    for sql in asked:
        assert not [step for step in plan(db, sql) if "SCAN event" in step], sql
