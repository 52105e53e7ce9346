"""Whatever a user may have named RECORDS_DB, and whatever SQLite says to it: one true line."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from contextlib import closing

import pytest

from common.source.sqlite_source import Database
from ops.examination import sources
from rigs.doctor_fixtures import installation, said, write_job
from rigs.source_files import failure, make

pytestmark = pytest.mark.sqlite("what is no SQLite file")

SELECT = "select id as record_id, content from events order by id"


def refused(path, *, writable=False) -> tuple[int, str]:
    """The code and the line that opening the file and reading from it end with."""

    def call() -> None:
        with closing(Database(path, writable=writable, timeout=0)) as db:
            assert not [*db.select(SELECT, {})]

    end = failure(call)
    assert str(path) in end.message
    return end.code, end.message.replace(str(path), "PATH")


def a_folder(path):
    path.mkdir()


def a_pipe(path):
    os.mkfifo(path)


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def a_device(path):
    path.symlink_to("/dev/zero")


def a_link_to_nothing(path):
    path.symlink_to("nothing")


def a_link_to_itself(path):
    path.symlink_to(path.name)


def an_empty_file(path):
    path.touch()


def an_encrypted_file(path):
    path.write_bytes(os.urandom(16_384))


def a_schema_of_a_later_sqlite(path):
    make(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("pragma writable_schema = on")
        db.execute("update sqlite_master set sql = 'create table events (id) much stricter'")


def a_format_of_a_later_sqlite(path):
    make(path)
    with path.open("r+b") as file:
        file.seek(44)  # the number of the schema's format
        file.write((99).to_bytes(4, "big"))


def a_file_cut_short(path):
    make(path, [(n, "x" * 500, "") for n in range(500)])
    os.truncate(path, 40_960)


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        (lambda path: None, 78, "RECORDS_DB=PATH: there is no such file"),
        (a_folder, 78, "RECORDS_DB=PATH: it is a folder: name the SQLite file in it"),
        (a_pipe, 78, "RECORDS_DB=PATH: it is a pipe, a socket or a device: name a SQLite file"),
        (a_socket, 78, "a socket or a device"),
        (a_device, 78, "a socket or a device"),
        (a_link_to_nothing, 78, "there is no such file"),
        (a_link_to_itself, 78, "it cannot be looked at: Too many levels of symbolic links"),
        (an_empty_file, 78, "it is empty: name the SQLite file that has the tables"),
        (an_encrypted_file, 78, "is not a SQLite file, or an encrypted one"),
        (a_schema_of_a_later_sqlite, 78, f"SQLite {sqlite3.sqlite_version} does not understand"),
        (a_format_of_a_later_sqlite, 78, f"SQLite {sqlite3.sqlite_version} does not understand"),
        (a_file_cut_short, 69, "is damaged and could not be opened: restore a backup, or save"),
    ],
)
@pytest.mark.parametrize("writable", [False, True])
def test_what_is_no_database_is_told_of_in_one_true_line(tmp_path, what, code, words, writable):
    what(tmp_path / "r.db")
    found = refused(tmp_path / "r.db", writable=writable)
    assert found[0] == code, found
    assert words in found[1], found


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "r.db/r.db", ("y/" * 3000)])
def test_a_path_that_can_be_none_is_78(tmp_path, name):
    make(tmp_path / "r.db")
    end = failure(Database, tmp_path / name, writable=False)
    assert end.code == 78


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a_file_that_its_application_keeps_locked_is_69(tmp_path, journal):
    path = make(tmp_path / "r.db", journal=journal)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        code, message = refused(path)
        assert code == 69
        assert "another program keeps it locked" in message


def test_a_file_that_is_moved_away_while_it_is_written_is_69(tmp_path):
    path = make(tmp_path / "r.db")
    with closing(Database(path, writable=True)) as db:
        shutil.copy(path, tmp_path / "new.db")
        (tmp_path / "new.db").replace(path)
        end = failure(db.write, lambda: db.connection.execute("delete from events"))
    assert end.code == 69
    assert "it was moved, removed or replaced meanwhile" in end.message


def test_a_file_that_is_locked_when_the_tables_are_looked_at_is_69(tmp_path):
    path = make(tmp_path / "r.db")
    with closing(Database(path, writable=False, timeout=0)) as db:
        assert db.lacking("create table labels (record_id)") == ""
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin exclusive")
            other.execute("create table labels (id)")
            end = failure(db.lacking, "create table labels (record_id)")
    assert end.code == 69
    assert "another program keeps it locked" in end.message


def test_doctor_says_the_same(tmp_path):
    write_job(tmp_path, "mine")
    a_pipe(tmp_path / "r.db")
    site = installation(tmp_path, {"RECORDS_DB": str(tmp_path / "r.db")})
    (line,) = said(sources.check(site))
    assert line.startswith("FAIL job mine: RECORDS_DB=") and "it is a pipe" in line
