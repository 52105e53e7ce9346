"""The ledger's file: made whole or not at all, its own, private, with room for the last answers on
a full disk.
"""

from __future__ import annotations

import os
import sqlite3
import stat

import pytest

from common.ledger import sqlite_ledger
from common.ledger.sqlite_ledger import LedgerFile
from common.process.exits import JobExit
from rigs.ledgers import ledger_at


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "daily_report.db"


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_with_its_folder_for_the_owner_alone(path):
    with ledger_at(path) as book:
        book.submit("q", "a")
        assert mode(path.parent) == 0o700
        assert {file.name: mode(file) for file in path.parent.iterdir()} == {
            "daily_report.db": 0o600,
            "daily_report.db-wal": 0o600,
            "daily_report.db-shm": 0o600,
            "daily_report.ballast": 0o600,
        }


def test_every_commit_is_on_the_disk_before_it_counts(path):
    with ledger_at(path) as book:
        assert book.rows("pragma synchronous") == [(2,)]
        assert book.rows("pragma journal_mode") == [("wal",)]


def test_one_that_is_up_to_date_is_opened_without_a_write(path):
    with ledger_at(path) as book:
        book.submit("q", "a")
    with ledger_at(path):
        assert path.with_name("daily_report.db-wal").stat().st_size == 0


def test_it_holds_what_the_manual_says_can_be_queried(path):
    with ledger_at(path) as book:
        columns = {
            table: [row[1] for row in book.rows(f"pragma table_info({table})")]
            for table in ("records", "requests", "message_batches", "runs")
        }
    manual = {
        "records": "job record_id status failures error request_id output updated_at",
        "requests": "request_id job run_id delivery status record_ids attempts answer error model "
        "input_tokens"
        " output_tokens cache_write_tokens cache_read_tokens usd api_request_id message_batch_id "
        "created_at ended_at",
        "message_batches": "message_batch_id run_id job status requests created_at ended_at",
        "runs": "run_id job started_at ended_at exit_code delivery model records done failed dead "
        "requests"
        " input_tokens output_tokens usd",
    }
    for table, names in manual.items():
        assert set(names.split()) <= set(columns[table]), table


def test_it_can_be_opened_again_and_read_meanwhile(path):
    with ledger_at(path) as one:
        one.submit("q", "a")
        with ledger_at(path, read_only=True) as reader:
            assert reader.statuses() == {"a": "submitted"}
            one.answer("q", "a")
            assert reader.statuses() == {"a": "answered"}
    with ledger_at(path) as two:
        assert two.statuses() == {"a": "answered"}
    with ledger_at(path, read_only=True) as reader:
        assert reader.statuses() == {"a": "answered"}


def test_read_only_it_cannot_be_written_and_nothing_is_left_beside_it(path):
    with ledger_at(path) as book:
        book.submit("q", "a")
    before = {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    with ledger_at(path, read_only=True) as reader, pytest.raises(JobExit) as refused:
        reader.submit("q2", "b")
    assert refused.value.code == 74
    assert {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before


def test_read_only_one_that_is_not_there_is_empty_and_not_made(path):
    with ledger_at(path, read_only=True) as reader:
        assert reader.statuses() == {} == reader.statuses("requests")
        assert reader.runs.last_success() == ""
    assert not path.parent.exists()


@pytest.mark.parametrize("made", ["touched", "without tables"])
def test_one_whose_maker_died_early_is_empty_to_a_reader_and_finished_by_the_next_run(path, made):
    path.parent.mkdir()
    path.touch()
    if made == "without tables":
        db = sqlite3.connect(path)
        db.execute("pragma journal_mode = wal")
        db.close()
    with ledger_at(path, read_only=True) as reader:
        assert reader.statuses() == {}
    with ledger_at(path) as book:
        book.submit("q", "a")
    with ledger_at(path, read_only=True) as reader:
        assert reader.statuses() == {"a": "submitted"}


def test_half_a_schema_never_stays(path, tmp_path, monkeypatch):
    whole = sqlite_ledger._SCHEMA.read_text()
    broken = tmp_path / "broken.sql"
    broken.write_text(f"{whole}; create tabel more (a);")
    with monkeypatch.context() as patched:
        patched.setattr(sqlite_ledger, "_SCHEMA", broken)
        with pytest.raises(sqlite3.Error):
            LedgerFile(path)
    db = sqlite3.connect(path)
    assert db.execute("select count(*) from sqlite_master").fetchone() == (0,)
    db.close()
    with ledger_at(path) as book:
        book.submit("q", "a")


def test_another_programs_database_is_refused_and_left_as_it_was(path):
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("create table customers (name)")
    db.commit()
    db.close()
    before = path.read_bytes()
    for read_only in (True, False):
        with pytest.raises(JobExit, match="LEDGER_DB must name a file of its own") as refused:
            LedgerFile(path, read_only=read_only)
        assert refused.value.code == 78
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(path):
    path.parent.mkdir()
    path.write_text("Dear diary, this is no database.\n" * 200)
    for read_only in (True, False):
        with pytest.raises(JobExit, match="not a SQLite file") as refused:
            LedgerFile(path, read_only=read_only)
        assert refused.value.code == 78
    assert path.read_text().startswith("Dear diary")


def test_where_no_folder_can_be_made_the_reason_is_said(tmp_path):
    (tmp_path / "state").write_text("a file")
    with pytest.raises(JobExit) as refused:
        LedgerFile(tmp_path / "state" / "daily_report.db")
    assert refused.value.code == 73
    assert "cannot be made" in refused.value.message


def test_the_ballast_is_there_is_given_back_bit_by_bit_and_comes_back(path):
    ballast = path.with_suffix(".ballast")
    with ledger_at(path) as book:
        # Real blocks, not a hole in a file.
        assert ballast.stat().st_blocks * 512 >= 1 << 20
        book.file.ready(3_000_000)
        assert ballast.stat().st_blocks * 512 >= 3_000_000
        assert book.ledger.release_ballast(2_000_000)
        assert 900_000 < ballast.stat().st_size < 1_300_000
        assert book.ledger.release_ballast(1 << 40)
        assert ballast.stat().st_size == 4096
        assert not book.ledger.release_ballast(1)
        book.submit("q", "a")
    with ledger_at(path):
        assert ballast.stat().st_size == 1 << 20


def test_ballast_that_a_full_disk_left_unfinished_is_filled(path):
    with ledger_at(path):
        pass
    os.truncate(path.with_suffix(".ballast"), 10)
    with ledger_at(path):
        assert path.with_suffix(".ballast").stat().st_size == 1 << 20


def test_a_disk_that_is_full_ends_the_run_with_74_and_keeps_what_was_committed(path):
    with ledger_at(path) as book:
        book.submit("q", "a")
        pages = book.rows("pragma page_count")[0][0]
        book.file.db.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(JobExit) as full:
            book.submit("q2", *(f"record {n}" for n in range(2_000)))
        assert full.value.code == 74
        assert book.statuses() == {"a": "submitted"}
