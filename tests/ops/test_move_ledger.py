"""`./run_job.sh move_ledger`: what was done stays done when the ledger moves to PostgreSQL."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

import bulk_classifier
from common import settings
from common.ledger.opening import open_ledger
from common.ledger.postgres.postgres_ledger import PostgresLedger
from common.process.exits import JobExit
from ops import move_ledger, status
from ops.ledger import moving
from rigs.record_jobs import events
from rigs.shared_ledger import Shared
from rigs.status_site import StatusSite, ago

TABLES = ("records", "requests", "message_batches", "windows", "left_out", "tries", "runs")

VERSION_0 = Path(__file__).parents[1] / "rigs/ledger_version_0.sql"


@pytest.fixture
def here(tmp_path):
    return StatusSite(tmp_path)


def rows(url: str, table: str) -> list[Any]:
    with psycopg.connect(url) as db:
        return sorted(db.execute(f"select * from {table}").fetchall(), key=str)


def test_a_run_after_it_sends_nothing(claude, postgres):
    site = claude()
    events(site, 40)
    assert site.run(bulk_classifier.JOB).code == 0
    (site.root / "jobs").mkdir()
    (site.root / "jobs/bulk_classifier.py").touch()
    billed, before = len(site.billed()), {t: site.ledger(f"select * from {t}", "bulk_classifier")
                                          for t in TABLES}  # fmt: skip
    assert move_ledger.main([], site.root, {"LEDGER_DB": postgres}) == 0
    for table in TABLES:
        assert rows(postgres, table) == sorted(before[table], key=str), table
    assert sorted(path.name for path in (site.root / "state").glob("bulk_classifier.*")) == [
        "bulk_classifier.db.moved",
        "bulk_classifier.lease",
        "bulk_classifier.lock",
    ]
    result = site.run(bulk_classifier.JOB, LEDGER_DB=postgres)
    assert (result.code, len(site.billed())) == (0, billed), result.log


def test_what_stands_in_the_middle_is_taken_along(here, postgres):
    for kind in ("done", "failed", "dead", "submitted", "answered", "waiting"):
        here.records("sorter", kind, f"{kind}-1", "with\0NUL" + kind)
    here.ran("sorter", ago(hours=3), 0)
    said = here.ask(move_ledger, LEDGER_DB=postgres)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("sorter: 12 records, 6 requests, 1 run moved to LEDGER_DB postgres")
    with psycopg.connect(postgres) as db:
        counts = db.execute("select status, count(*) from records group by 1").fetchall()
    assert len(counts) == 6 and all(count == 2 for _, count in counts)


def test_what_stands_apart_is_taken_along_and_is_no_job_of_its_own(here, postgres):
    here.records("sorter", "done", "a")
    here.ran("sorter", ago(hours=3), 0)
    for version in ("000000000001", "000000000002"):
        name = f"sorter@{version}"
        here.ran(name, ago(hours=2), 0)
        here.records(name, "done", "b", version=version, purpose="eval")
        here.change(
            "sorter",
            "insert into tries (job, version, chosen_for, record_ids, tried_at)"
            " values ('sorter', ?, '', '[]', '2026')",
            version,
        )
    here.change(
        "sorter",
        'insert into windows (job, "window", records, made_from, updated_at, report)'
        " values ('sorter', '2026-11-21', 3, 'a', '2026', ?)",
        '{"window":"2026-11-21"}',
    )
    here.records("sorter_2", "done", "a")
    here.ran("sorter_2", ago(hours=3), 0)
    before = {table: here.rows("sorter", f"select * from {table}") for table in TABLES}
    said = here.ask(move_ledger, "sorter", LEDGER_DB=postgres)
    assert said.out.startswith("sorter: 3 records, 3 requests, 3 runs moved to LEDGER_DB postgres")
    for table in TABLES:
        assert rows(postgres, table) == sorted(before[table], key=str), table
    assert len(rows(postgres, "tries")) == 2
    assert rows(postgres, "windows")[0][-1] == '{"window":"2026-11-21"}', "what a report says"
    found = [job["job"] for job in here.json(status, LEDGER_DB=postgres)["jobs"]]
    assert found == ["sorter", "sorter_2"]
    assert "there are: sorter, sorter_2" in here.ask(status, "nobodys", LEDGER_DB=postgres).err


def test_what_an_older_version_wrote_is_moved_too(here, postgres):
    here.job("labels")
    with closing(sqlite3.connect(here.root / "state/labels.db")) as db:
        db.executescript(VERSION_0.read_text())
        db.execute(f"pragma application_id = {0x436C6A62}")
        db.executemany(
            "insert into records (job, record_id, status, updated_at) values ('labels', ?, ?, '')",
            [("4", "done"), ("5", "failed")],  # nobody has judged it: waiting, as it is called now
        )
        db.commit()
    said = here.ask(move_ledger, LEDGER_DB=postgres)
    assert said.code == 0, said.out
    with psycopg.connect(postgres) as db:
        found: dict[str, str] = dict(db.execute("select record_id, status from records").fetchall())
    assert found == {"4": "done", "5": "waiting"}


def test_one_that_was_stopped_in_the_middle_is_moved_by_the_next(here, postgres, monkeypatch):
    monkeypatch.setattr(moving, "_AT_ONCE", 2)
    here.records("sorter", "done", "a", "b", "c")
    here.ran("sorter", ago(hours=3), 0)
    here.told("sorter", ago(hours=3), 0)
    monkeypatch.setattr(moving, "_TABLES", ("records", "requests"))
    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        here.ask(move_ledger, LEDGER_DB=postgres)
    monkeypatch.undo()
    # A run in between would ask again what had not yet come.
    with pytest.raises(JobExit, match=r"move_ledger sorter takes it along") as end:
        open_ledger(settings.load("sorter", demo=False, root=here.root, environ=env(postgres)))
    assert end.value.code == 78
    said = here.ask(move_ledger, LEDGER_DB=postgres)
    assert "3 records, 1 request, 1 run moved" in said.out
    assert len(rows(postgres, "records")) == 3


def env(url: str) -> dict[str, str]:
    return {"LEDGER_DB": url}


def killed(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_ledger_that_is_there_already_is_not_mixed_with_another_one(here, postgres):
    here.records("sorter", "done", "a")
    shared = StatusSite.ran
    (here.root / "x").mkdir()
    here.databases, sqlite = cast("Any", Shared(postgres, here.root)), here.databases
    shared(here, "sorter", ago(hours=1), 0)
    here.databases = sqlite
    said = here.ask(move_ledger, LEDGER_DB=postgres)
    assert said.code == 78
    assert "has a ledger of this job already" in said.out
    assert rows(postgres, "records") == []
    assert (here.root / "state/sorter.db").exists()


def test_a_running_job_is_left_alone(here, postgres, tmp_path):
    here.records("sorter", "done", "a")
    with (here.root / "state/sorter.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert here.ask(move_ledger, LEDGER_DB=postgres).code == 75
    (tmp_path / "elsewhere").mkdir()
    with closing(PostgresLedger(postgres, "sorter", state=tmp_path / "elsewhere")):
        assert here.ask(move_ledger, LEDGER_DB=postgres).code == 75
    assert here.ask(move_ledger, LEDGER_DB=postgres).code == 0


def test_without_a_database_to_move_to_nothing_happens(here):
    here.records("sorter", "done", "a")
    said = here.ask(move_ledger)
    assert said.code == 78
    assert "LEDGER_DB must name the database first" in said.out
    assert here.ask(move_ledger, "--from", "state/one.db").code == 2
    assert here.ask(move_ledger, "nobodys").code == 2
    assert (here.root / "state/sorter.db").exists()
