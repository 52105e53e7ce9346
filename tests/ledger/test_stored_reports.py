"""What a report says, as the ledger keeps it for the next report and for other jobs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from common.ledger.older import upgrade
from common.ledger.reported.stored_reports import (
    StoredEntry,
    StoredReport,
    store_report,
    stored_reports,
)
from rigs.ledgers import JOB, ledger_at, ledger_in, postgres_book

ENTRY = StoredEntry("themes", "Café “held” \ud800\x00", "a'b\"\n", "", ("1", "10", "2"), "t-1")
REPORT = StoredReport("2026-11-21", 3, "All\nquiet.", "0af1", (ENTRY,), True, 1, 2, 30, 4, None)


def keep(book: Any, report: StoredReport, job: str = JOB) -> None:
    book.runs.job = job
    with book.file.transaction():
        book.runs.set_reported(report.window, report.records, report.made_from)
        store_report(book.file.db, job, report)


def test_a_report_comes_back_as_it_was_stored_and_no_other_jobs(databases, tmp_path):
    with ledger_in(databases, tmp_path / "state") as book:
        for day in ("2026-11-23", "2026-11-21", "2026-11-24"):
            keep(book, replace(REPORT, window=day))
        keep(book, REPORT, job="another")
        book.runs.job = JOB
        with book.file.transaction():
            book.runs.set_reported("2026-11-22", 0, "")  # it was looked at, and not written
        found = stored_reports(book.file.db, JOB, "2026-11-21", "2026-11-23")
        assert found == [REPORT, replace(REPORT, window="2026-11-23")]
        with book.file.transaction():
            book.runs.set_reported("2026-11-21", 0, "")  # it is to be written again
        assert stored_reports(book.file.db, JOB, "2026-11-21", "2026-11-21") == [REPORT]
        later = (
            """update windows set report = replace(report, '"window":', '"later":[1],"window":')"""
        )
        with book.file.transaction():
            book.file.db.execute(later)
        assert stored_reports(book.file.db, JOB, "2026-11-21", "2026-11-21") == [REPORT]


@pytest.mark.sqlite("a file of version 3")
def test_a_file_of_version_3_is_read_as_it_is_and_gets_the_column(tmp_path):
    path = tmp_path / "state" / f"{JOB}.db"
    with ledger_at(path) as book:
        keep(book, REPORT)
    with closing(sqlite3.connect(path)) as db:
        db.execute("alter table windows drop column report")
        db.execute("pragma user_version = 3")
    with ledger_at(path, read_only=True) as book:
        assert stored_reports(book.file.db, JOB, "2026-11-01", "2026-11-30") == []
        assert book.runs.reported_days() == {"2026-11-21": "0af1"}
        assert book.rows("select count(*) from records") == [(0,)]
    with ledger_at(path) as book:
        assert book.rows("pragma user_version") == [(upgrade.VERSION,)]
        assert book.runs.reported_days() == {"2026-11-21": "0af1"}
        keep(book, REPORT)
        assert stored_reports(book.file.db, JOB, "2026-11-01", "2026-11-30") == [REPORT]


def test_a_database_of_version_3_gets_the_column(postgres, tmp_path):
    with postgres_book(postgres, tmp_path) as book:
        keep(book, REPORT)
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("alter table windows drop column report")
        db.execute("update ledger_version set version = 3")
    with postgres_book(postgres, tmp_path) as book:
        assert book.rows("select version from ledger_version") == [(upgrade.VERSION,)]
        assert book.runs.reported_days() == {"2026-11-21": "0af1"}
        keep(book, REPORT)
        assert stored_reports(book.file.db, JOB, "2026-11-01", "2026-11-30") == [REPORT]
