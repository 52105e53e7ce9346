"""The ledger in a PostgreSQL database: made once, written by one run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.ledger.postgres_ledger import PostgresLedger
from common.process.exits import JobExit
from rigs.ledgers import JOB, Book


@contextmanager
def book_at(address: str, state: Path, **options: Any) -> Iterator[Book]:
    ledger = PostgresLedger(address, JOB, state=state, **options)
    try:
        yield Book(ledger, state)
    finally:
        ledger.close()


def test_a_first_run_makes_the_tables_and_the_next_one_finds_what_it_wrote(postgres, tmp_path):
    with book_at(postgres, tmp_path) as book:
        book.submit("r1", "a")
        book.submit("r2", "b\0c")
        book.answer("r1", "a")
        book.answer("r2", "b\0c")
        book.finish("r1", "a")
    with book_at(postgres, tmp_path) as book:
        assert book.statuses() == {"a": "done", "b\0c": "answered"}
        assert set(book.ledger.states(["a", "b\0c", "x"])) == {"a", "b\0c"}
        (stored,) = book.ledger.unsaved()
        assert stored.record_ids == ["b\0c"]


def test_a_second_run_of_the_job_is_refused_with_75(postgres, tmp_path):
    (tmp_path / "other").mkdir()
    with book_at(postgres, tmp_path):
        for state in (tmp_path, tmp_path / "other"):
            with pytest.raises(JobExit) as end, book_at(postgres, state):
                pass
            assert end.value.code == 75
            assert "already running: " in end.value.message
