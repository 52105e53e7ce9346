"""Source databases in SQLite files, and the one line with which a failure ends the run."""

from __future__ import annotations

import sqlite3

import pytest

from common.process.exits import JobExit


def make(path, rows=((1, "Hello", "2026-11-21 10:00:00"),), journal="delete"):
    """Create a database with a table `events` of those rows; returns `path`."""
    db = sqlite3.connect(path)
    db.execute(f"pragma journal_mode = {journal}")
    db.execute("create table events (id, content, created_at)")
    db.executemany("insert into events values (?, ?, ?)", rows)
    db.commit()
    db.close()
    return path


def failure(call, *arguments, **options) -> JobExit:
    """The JobExit that the call raises, with a message of one line."""
    with pytest.raises(JobExit) as caught:
        call(*arguments, **options)
    assert "\n" not in caught.value.message
    return caught.value
