"""What a person is shown of a record, and what ends the command that wants to show it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from common.process.exits import JobExit
from quality.record_text import text_of
from rigs.own_jobs import labels

RECORD = {"record_id": "1", "content": "Where is my parcel?"}


@pytest.fixture
def reading(tmp_path):
    """A job whose show() reads a database of its own, and that database."""
    with closing(sqlite3.connect(tmp_path / "own.db", isolation_level=None)) as own:
        own.execute("create table texts (record_id, text)")
        own.execute("insert into texts values ('1', 'Where is it?')")

        def job(column: str) -> Any:
            def show(record: Any) -> str:
                with closing(sqlite3.connect(tmp_path / "own.db", timeout=0)) as db:
                    sql = f"select {column} from texts where record_id = ?"
                    return str(db.execute(sql, (record["record_id"],)).fetchone()[0])

            return labels(show=show)

        yield job, own


def test_a_database_that_show_cannot_read_ends_the_command_and_is_no_empty_text(reading):
    job, own = reading
    assert text_of(job("text"), RECORD) == "Where is it?"
    own.execute("begin exclusive")
    said = r"show\(\) raised .*OperationalError: database is locked"
    with pytest.raises(JobExit, match=said) as end:
        text_of(job("text"), RECORD)
    assert end.value.code == 69


def test_a_statement_that_is_wrong_gives_no_text_as_any_mistake_in_show_does(reading):
    job, _ = reading
    assert text_of(job("nothing"), RECORD) == ""
