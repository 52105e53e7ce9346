"""A ledger of version 2 gets versions: as far as they are known of the run that asked."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from common.ledger.older import upgrade
from common.ledger.opening import open_ledger
from common.ledger.postgres import lease
from common.ledger.sqlite_ledger import LedgerFile
from common.process.exits import JobExit
from common.settings import Settings
from ops.ledger.sqlite_figures import figures_of
from rigs.harness import python
from rigs.ledgers import JOB, ledger_at, postgres_book

RIGS = Path(__file__).parents[1] / "rigs"
VERSION_2 = (RIGS / "ledger_version_2.sql").read_text()
VERSION_2_POSTGRES = (RIGS / "ledger_version_2_postgres.sql").read_text()
# (run_id, model, the version it noted, how many it counted as done)
RUNS = [
    ("run-0", "haiku", None, 0),  # before any was known
    ("run-1", "haiku", "aaaaaaaaaaaa", 1),
    ("run-2", "haiku", None, 1),  # it went on with that version
    ("run-3", "sonnet", None, 1),  # another model: its version is not known
    ("run-4", "haiku", "bbbbbbbbbbbb", 1),
    ("run-5", "haiku", None, 0),  # it died: nobody counted what it had done
]
VERSIONS = [None, "aaaaaaaaaaaa", "aaaaaaaaaaaa", None, "bbbbbbbbbbbb", "bbbbbbbbbbbb"]


def fill(db: Any, job: str = JOB) -> None:
    """Rows of a ledger of version 2: each run has a record that is done, and one that failed."""
    for number, (run_id, model, version, done) in enumerate(RUNS):
        at = f"2026-11-{number + 1:02}T02:00:00Z"
        run = "run_id, job, started_at, delivery, model, done, version"
        add(db, "runs", run, run_id, job, at, "live", model, done, version)
        for status in ("done", "failed"):
            name = f"{run_id}-{status}"
            request = "request_id, job, run_id, delivery, status, record_ids, attempts, model"
            values = (name, job, run_id, "live", status, "[]", 1, model)
            add(db, "requests", f"{request}, answer, usd, created_at", *values, "{}", 0.25, at)
            record = "job, record_id, status, error, request_id, output, updated_at"
            error = "why" if status == "failed" else None
            add(db, "records", record, job, name, status, error, name, "{}", at)


def add(db: Any, table: str, columns: str, *values: Any) -> None:
    mark = "%s" if isinstance(db, psycopg.Connection) else "?"
    marks = ", ".join([mark] * len(values))
    db.execute(f"insert into {table} ({columns}) values ({marks})", values)


def write(path: Path, version: int = 2) -> Path:
    """A ledger in a file as that version made it."""
    schema = VERSION_2
    if version < 2:
        schema = "".join(
            line for line in schema.splitlines(keepends=True) if not line.startswith("    version")
        ).replace("usd           real not null default 0,\n)", "usd real not null default 0\n)")
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.executescript(schema)
        db.execute(f"pragma application_id = {0x436C6A62}")
        db.execute(f"pragma user_version = {version}")
        db.execute("pragma journal_mode = wal")
        if version == 2:
            fill(db)
        db.commit()
    return path


def write_postgres(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(VERSION_2_POSTGRES.encode())
        fill(db)
    return url


def versions(rows: Any) -> dict[str, str | None]:
    return {row[0]: row[1] for row in rows}


def check(book: Any) -> None:
    """Versions are where they are known, and nowhere else."""
    asked = versions(book.rows("select request_id, version from requests"))
    stand = versions(book.rows("select record_id, version from records"))
    for (run_id, *_), version in zip(RUNS, VERSIONS, strict=True):
        assert asked[f"{run_id}-done"] == asked[f"{run_id}-failed"] == version, run_id
        assert stand[f"{run_id}-done"] == version, run_id
        assert stand[f"{run_id}-failed"] is None, "it has no output that a version gave"
    assert book.rows("select distinct purpose from requests") == [("run",)]
    kept = "select count(*) from records where output = '{}' and record_id like 'run-%'"
    assert book.rows(kept) == [(2 * len(RUNS),)]
    # What stands apart of a run has the run's own id.
    insert = "insert into runs (run_id, job, started_at, delivery, model) values (?, ?, '', '', '')"
    book.file.db.execute(insert, ("run-1", f"{JOB}@aaaaaaaaaaaa"))
    corrected = "update records set status = 'corrected' where record_id = 'run-1-done'"
    book.file.db.execute(corrected)


@pytest.mark.sqlite("a file of an older version")
def test_a_file_gets_the_versions_that_are_known_of_its_runs(tmp_path):
    path = write(tmp_path / "state" / f"{JOB}.db")
    with ledger_at(path) as book:
        check(book)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma user_version").fetchone() == (upgrade.VERSION,)
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    LedgerFile(tmp_path / "new.db").close()
    names = "select name from sqlite_master where name not like 'sqlite_%' order by name"
    with ExitStack() as stack:
        old, new = (
            stack.enter_context(closing(sqlite3.connect(one)))
            for one in (path, tmp_path / "new.db")
        )
        assert old.execute(names).fetchall() == new.execute(names).fetchall()
        for table in ("records", "requests", "runs"):
            info = (
                f"select name, type, \"notnull\", pk from pragma_table_info('{table}') order by 1"
            )
            assert old.execute(info).fetchall() == new.execute(info).fetchall()


def test_a_database_gets_the_versions_that_are_known_of_its_runs(postgres, tmp_path):
    write_postgres(postgres)
    with postgres_book(postgres, tmp_path) as book:
        check(book)
    shape = (
        "select table_name, column_name, data_type, is_nullable, collation_name"
        " from information_schema.columns where table_schema = 'public' order by 1, 2"
    )
    indexes = "select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1"
    with psycopg.connect(postgres, autocommit=True) as db:
        older = [db.execute(sql).fetchall() for sql in (shape, indexes)]
        assert db.execute("select version from ledger_version").fetchall() == [(upgrade.VERSION,)]
        db.execute("drop schema public cascade; create schema public")
    with postgres_book(postgres, tmp_path):
        pass
    with psycopg.connect(postgres, autocommit=True) as db:
        assert [db.execute(sql).fetchall() for sql in (shape, indexes)] == older


def test_a_database_is_brought_up_to_date_once_and_keeps_what_comes_later(postgres, tmp_path):
    write_postgres(postgres)
    with postgres_book(postgres, tmp_path) as book:
        later = "update records set version = 'cccccccccccc'"
        book.file.db.execute(later)
    with postgres_book(postgres, tmp_path) as book:
        assert book.rows("select distinct version from records") == [("cccccccccccc",)]


def test_a_server_may_be_silent_for_long_while_a_large_one_is_brought_up_to_date(
    postgres, tmp_path, monkeypatch
):
    write_postgres(postgres)
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute(
            "create function slow() returns trigger language plpgsql as"
            " 'begin perform pg_sleep(1); return new; end'"
        )
        db.execute("create trigger slow before update on requests execute function slow()")
    monkeypatch.setattr(lease, "SILENCE", 0.3)
    with postgres_book(postgres, tmp_path) as book:
        check(book)
        file: Any = book.file
        assert file._connection.raw.patience == 0.3


@pytest.mark.sqlite("a file of an older version")
@pytest.mark.parametrize("version", [1, 2])
def test_a_file_that_is_only_read_looks_like_one_of_today(tmp_path, version):
    path = write(tmp_path / "state" / f"{JOB}.db", version)
    before = path.read_bytes()
    with ledger_at(path, read_only=True) as book:
        known = {"run-1-done"} if version == 2 else set()
        assert book.ledger.states(["run-1-done"]).keys() == known
        assert book.runs.last_success() == "" and book.runs.left_out("why") == 0
        assert book.runs.spent_in("2026-11-02") == (0.5 if version == 2 else 0.0)
        assert not book.runs.is_proven("cccccccccccc")
        assert list(book.ledger.unsaved()) == []
        assert book.rows("select * from tries") == []
    found = figures_of(path, JOB, "2026-11-01", "haiku")
    assert found.records.done == (len(RUNS) if version == 2 else 0)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_older_database_is_read_by_nobody_and_named_with_the_remedy(postgres, tmp_path):
    write_postgres(postgres)
    settings = Settings(tmp_path, JOB, demo=False, values={"LEDGER_DB": postgres})
    with pytest.raises(JobExit) as refused:
        open_ledger(settings, read_only=True)
    assert refused.value.code == 78
    assert "was written by an older version" in refused.value.message
    assert "run a job first, which brings it up to date" in refused.value.message
    with psycopg.connect(postgres) as db:
        assert db.execute("select version from ledger_version").fetchall() == [(2,)]


def test_an_older_database_that_lacks_a_table_is_broken(postgres, tmp_path):
    write_postgres(postgres)
    with psycopg.connect(postgres, autocommit=True) as db:
        db.execute("drop table requests")
    with pytest.raises(JobExit, match="has no table requests"), postgres_book(postgres, tmp_path):
        pass
    with postgres_book(postgres, tmp_path, start_anew=True) as book:
        book.submit("q", "a")


# Opens a ledger, and dies after so many steps of SQLite's.
_DIES = """
import os, sys
from pathlib import Path
from common.ledger.sqlite_ledger import LedgerFile

class Dying(LedgerFile):
    def _connect(self, address):
        super()._connect(address)
        left = int(sys.argv[2])
        def step():
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), 9)
        self.db.set_progress_handler(step, 10_000)

Dying(Path(sys.argv[1]))
"""


@pytest.mark.sqlite("a file of an older version")
@pytest.mark.parametrize("steps", [1, 20, 50, 100, 200])
def test_a_kill_in_the_middle_leaves_nothing_half(tmp_path, steps):
    path = write(tmp_path / "state" / f"{JOB}.db")
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "with recursive n(i) as (values (1) union all select i + 1 from n where i < 40000)"
            " insert into records (job, record_id, status, request_id, output, updated_at)"
            f" select '{JOB}', 'more-' || i, 'done', 'run-2-done', '{{}}', '' from n"
        )
        db.commit()
    assert python(_DIES, str(path), str(steps)).returncode == -9
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma user_version").fetchone() == (2,)
        assert "version" not in {row[1] for row in db.execute("pragma table_info(records)")}
        assert db.execute("select count(*) from records").fetchone() == (40_000 + 2 * len(RUNS),)
    with ledger_at(path) as book:
        check(book)
        its = "select count(*) from records where version = 'aaaaaaaaaaaa'"
        assert book.rows(its) == [(40_000 + 2,)]
