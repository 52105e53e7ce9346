"""A database of another user's application: it is read, and nothing of ours stays beside it."""

from __future__ import annotations

import os
from contextlib import closing, nullcontext

import pytest

from common.source.sqlite_source import Database
from rigs.other_users import APPLICATION, JOB, ROOT, SHARED, application, as_user, closed_to_us
from rigs.source_files import failure

pytestmark = pytest.mark.sqlite("a file that belongs to another user")

FOLDERS = pytest.mark.parametrize("folder", [0o777, 0o755], ids=["open folder", "closed folder"])
ONLY_ROOT = pytest.mark.skipif(not ROOT, reason="to be two users takes root")
SELECT = "select id as record_id, content from events order by id"


@pytest.fixture
def app():
    with application() as app:
        yield app


def contents(path) -> list[str]:
    with closing(Database(path, writable=False, timeout=0)) as db:
        return [record["content"] for record in db.select(SELECT, {})]


def read(app) -> list[str]:
    """The contents of the records, as the job's user reads them."""
    with closed_to_us(app.path):
        return as_user(JOB, lambda: contents(app.path))


def refused(app, *, closed=True, **options) -> tuple[int, str]:
    """The code and the line with which the job's user is refused, when it opens and reads."""

    def open_and_read() -> tuple[int, str]:
        def call() -> None:
            with closing(Database(app.path, timeout=0, **options)) as db:
                assert not [*db.select(SELECT, {})]

        end = failure(call)
        return end.code, end.message

    with closed_to_us(app.path) if closed else nullcontext():
        return as_user(JOB, open_and_read)


@FOLDERS
@pytest.mark.parametrize("journal", ["wal", "delete", "truncate", "persist"])
def test_an_idle_file_is_read_and_its_application_can_still_write(app, journal, folder):
    app.make(journal, folder=folder)
    before = app.files()
    assert len(read(app)) == 3
    assert app.files() == before
    app.write()
    assert len(read(app)) == 4


@FOLDERS
@pytest.mark.parametrize("locking", ["normal", "exclusive"])
def test_a_file_that_its_application_has_open_is_read_with_what_is_in_its_log(app, folder, locking):
    """A log of an application that locks the others out has no index beside it."""
    app.make("wal", folder=folder)
    with app.alive(locking) as db:
        before = app.files()
        assert read(app)[-1] == "Logged"
        assert app.files() == before
        db.execute("update events set content = 'Changed'")
    assert app.files() == ["records.db"]


@FOLDERS
@pytest.mark.parametrize("index", [True, False], ids=["with index", "without"])
def test_the_log_of_an_application_that_died_is_read_and_left_to_it(app, folder, index):
    app.make("wal", folder=folder)
    app.dies_writing("wal")
    if not index:
        (app.folder / "records.db-shm").unlink()
    before = app.files()
    assert read(app)[-1] == "Logged"
    assert app.files() == before
    app.write()
    assert app.files() == ["records.db"]


@FOLDERS
def test_a_hot_journal_that_we_may_not_undo_is_69_and_says_what_it_is(app, folder):
    app.make("delete", folder=folder, records=200)
    app.dies_writing("delete")
    before = app.path.read_bytes()
    assert app.files() == ["records.db", "records.db-journal"]
    code, message = refused(app, writable=False)
    assert code == 69
    assert "hot rollback journal" in message and "let the application open it" in message
    assert app.path.read_bytes() == before
    app.write()
    assert len(read(app)) == 201


@pytest.mark.parametrize("writable", [False, True])
def test_a_hot_journal_that_we_may_undo_is_undone(app, writable):
    app.make("delete", folder=0o777, mode=0o666, records=200)
    app.dies_writing("delete")
    if ROOT:
        (app.folder / "records.db-journal").chmod(0o666)

    def read() -> int:
        with closing(Database(app.path, writable=writable)) as db:
            return len([*db.select(SELECT, {})])

    assert as_user(JOB, read) == 200
    assert app.files() == ["records.db"]
    app.write()


@FOLDERS
@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_job_that_must_write_and_may_not_is_78_and_says_how(app, journal, folder):
    app.make(journal, folder=folder)
    code, message = refused(app, writable=True)
    assert code == 78
    assert "may not write it, and the results go there: " in message
    assert (f"run the job as user {APPLICATION}" if ROOT else "`chmod u+w /") in message
    assert app.files() == ["records.db"]


def test_a_job_that_must_write_and_has_no_room_for_a_journal_is_78(app):
    app.make("delete", mode=0o666, folder=0o555)
    code, message = refused(app, writable=True)
    assert code == 78
    assert not ROOT or "may not write its folder, where SQLite keeps its journal" in message


@ONLY_ROOT
@pytest.mark.parametrize("folder", [0o775, 0o2775], ids=["plain", "group kept"])
def test_a_log_that_would_lock_the_application_out_is_not_made(app, folder):
    """The folder and the file are the group's: but what we make in a plain one is our group's."""
    app.make("wal", mode=0o664)
    for path in (app.path, app.folder):
        os.chown(path, APPLICATION, SHARED)
    app.folder.chmod(folder)

    def write() -> None:
        with closing(Database(app.path, writable=True)) as db:
            db.create("create table if not exists labels (record_id)")
            log = app.path.with_name("records.db-wal").stat()
            assert (log.st_gid, log.st_mode & 0o777) == (SHARED, 0o664)

    def is_refused() -> None:
        end = failure(Database, app.path, writable=True)
        assert end.code == 78
        assert "chmod g+s" in end.message

    as_user(JOB, write if folder & 0o2000 else is_refused, groups=(SHARED,))
    as_user(JOB, lambda: contents(app.path), groups=(SHARED,))
    assert app.files() == ["records.db"]
    app.write()


def test_a_file_that_is_written_to_while_it_is_read_without_a_lock_is_69(app):
    app.make("wal", records=2_000)

    def reads() -> tuple[int, str, int]:
        with closing(Database(app.path, writable=False)) as db:

            def read() -> None:
                for number, _ in enumerate(db.select(SELECT, {})):
                    if number == 5:
                        app.write()

            end = failure(read)
            return end.code, end.message, len([*db.select(SELECT, {})])

    with closed_to_us(app.path):
        code, message, then = as_user(JOB, reads)
    assert code == 69
    assert "was written to while it was read" in message
    assert then == 2_001


def test_a_file_that_is_moved_away_between_two_readings_is_69(app):
    app.make("wal")

    def reads() -> tuple[int, str]:
        with closing(Database(app.path, writable=False)) as db:
            assert len([*db.select(SELECT, {})]) == 3
            app.move("elsewhere.db")
            end = failure(lambda: [*db.select(SELECT, {})])
            return end.code, end.message

    with closed_to_us(app.path):
        code, message = as_user(JOB, reads)
        (app.folder / "elsewhere.db").rename(app.path)
    assert code == 69
    assert "cannot be opened" in message


@pytest.mark.parametrize("writable", [False, True])
def test_a_file_that_we_may_not_read_is_78_and_says_how(app, writable):
    app.make("wal", mode=0o000 if not ROOT else 0o600)
    code, message = refused(app, writable=writable, closed=ROOT)
    assert code == 78
    assert "may not read it: " in message
    assert (f"run the job as user {APPLICATION}" if ROOT else "`chmod u+r /") in message


@pytest.mark.parametrize("writable", [False, True])
def test_a_folder_that_we_may_not_enter_is_78_and_says_so(app, writable):
    app.make("wal", folder=0o600)
    code, message = refused(app, writable=writable, closed=ROOT)
    app.folder.chmod(0o700)
    assert code == 78
    assert "it cannot be looked at: Permission denied" in message


def test_a_file_that_is_written_to_between_two_readings_is_read_anew(app):
    app.make("wal", folder=0o777)

    def reads() -> list[int]:
        found = []
        with closing(Database(app.path, writable=False)) as db:
            for _ in range(3):
                found.append(len([*db.select(SELECT, {})]))
                app.write()
        return found

    with closed_to_us(app.path):
        assert as_user(JOB, reads) == [3, 4, 5]
    assert app.files() == ["records.db"]
