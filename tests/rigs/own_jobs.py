"""A per-record job for tests, and the table that it saves into."""

from __future__ import annotations

import faulthandler
import os
import sqlite3
import sys
from collections.abc import Callable
from typing import Any, Literal

import psycopg
from pydantic import BaseModel

from common import Job, Record
from rigs.harness import Site, run_numbers

TABLE = (
    "create table if not exists labels"
    " (record_id text primary key, label text, reason text, saved integer);"
)
SELECT = "select id as record_id, content, created_at from events order by id"


class Label(BaseModel):
    label: Literal["Parcel", "Refund", "Other"]
    reason: str


def save(db: Any, record: Record, output: Label) -> None:
    """Insert or replace the record's label. The column `saved` counts how often."""
    db.execute(
        "insert into labels values (?, ?, ?, 1) on conflict (record_id) do update set"
        " label = excluded.label, reason = excluded.reason, saved = labels.saved + 1",
        (record["record_id"], output.label, output.reason),
    )


def locked_save(db: object, *_: object) -> None:
    """A save() that meets a locked database: nobody's fault, so that the answers wait."""
    if not isinstance(db, sqlite3.Connection):
        raise psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")
    raise locked()


def locked() -> sqlite3.Error:
    """What SQLite says of a file that another program keeps locked."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def in_a_child(site: Site, job: Job, *arguments: str) -> int:
    """Run a job in a process of its own, which it may take down: its wait status."""
    os.environ["RUN_ID"] = f"20261122T020000Z-{next(run_numbers)}"  # the child's count is lost
    sys.stderr.flush()
    if (child := os.fork()) == 0:
        faulthandler.disable()  # the end of the process is the test
        try:
            site.run(job, *arguments)
        finally:
            os._exit(0)
    del os.environ["RUN_ID"]
    return os.waitpid(child, 0)[1]


def labels(
    name: str = "labels", save: Callable[..., object] = save, select: str = SELECT, **changes: Any
) -> Job:
    """A job that labels events. `changes` are more arguments of Job."""
    return Job(
        name=name,
        select=select,
        output=Label,
        save=save,
        tables=TABLE,
        **{"instructions": "Label each record.", **changes},
    )
