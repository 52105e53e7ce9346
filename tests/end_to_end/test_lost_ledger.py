"""A ledger that is gone, empty or damaged ends the run with one line: nothing is paid for again
because the memory of it was lost.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import sysconfig
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from common import Job
from ops.examination import ledgers
from rigs.doctor_fixtures import installation, said
from rigs.harness import REPOSITORY, Result, Site
from rigs.own_jobs import labels
from rigs.wrapper_fixtures import Installation as Wrapped

pytestmark = pytest.mark.sqlite("a file that is gone or damaged")

LINE = "2026-11-28T02:00:09Z\t{run_id}\t{job}\t{code}\t9\t{reason}\n"


@pytest.fixture
def done(claude: Callable[..., Site]) -> Site:
    """An installation whose job is done with its 30 records, as history.tsv tells."""
    site = claude()
    site.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(30))
    assert run(site).code == 0
    tell(site, "labels", 0)
    return site


def tell(site: Site, job: str, code: int, reason: str = "done, or nothing to do") -> None:
    """Add the line of the newest run to history.tsv, as run_job.sh does."""
    run_id = "20261128T020000Z-4711"
    if path_of(site).exists():
        with closing(sqlite3.connect(path_of(site))) as db:
            (run_id,) = db.execute("select run_id from runs order by rowid desc").fetchone()
    with (site.root / "state/history.tsv").open("a") as file:
        file.write(LINE.format(run_id=run_id, job=job, code=code, reason=reason))


def run(site: Site, *arguments: str, job: Job | None = None) -> Result:
    return site.run(job or labels(), "--live", "--chunk-size", "10", *arguments)


def path_of(site: Site) -> Path:
    return site.root / "state/labels.db"


def without_table(table: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"drop table {table}")

    return damage


def with_all_beside_it(path: Path) -> None:
    for one in path.parent.glob("labels.*"):
        one.unlink()


def without_all_tables(path: Path) -> None:
    for table in ("records", "requests", "message_batches", "windows", "runs"):
        without_table(table)(path)


def another_empty_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma user_version = 3")


def another_jobs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for table in ("records", "requests", "message_batches", "windows", "runs"):
            db.execute(f"update {table} set job = 'another'")


GONE = {
    "removed": lambda path: path.unlink(),
    "removed with all beside it": with_all_beside_it,
    "emptied": lambda path: path.write_bytes(b""),
    "without tables": another_empty_database,
    "all tables dropped": without_all_tables,
    "records dropped": without_table("records"),
    "requests dropped": without_table("requests"),
    "runs dropped": without_table("runs"),
    "message batches dropped": without_table("message_batches"),
    "another job's": another_jobs,
}


@pytest.mark.parametrize("damage", GONE.values(), ids=GONE)
@pytest.mark.parametrize("option", ["--limit=30", "--dry-run"])
def test_a_ledger_that_is_gone_or_lacks_a_table_is_told_of_and_nothing_is_paid(
    done, damage, option
):
    damage(path_of(done))
    was_there = path_of(done).exists()
    billed = len(done.billed())
    for _ in range(2):
        ended = run(done, *option.split("="))
        assert ended.code == 78
        (line,) = ended.log.splitlines()
        assert "is gone or broken" in line and "restore it, or start anew with --reprocess" in line
        assert str(path_of(done)) in line
    assert len(done.billed()) == billed
    assert path_of(done).exists() == was_there  # nothing was made in its place


@pytest.mark.parametrize("damage", GONE.values(), ids=GONE)
def test_reprocess_starts_anew_and_keeps_what_was_left(done, damage):
    damage(path_of(done))
    left = path_of(done).exists()
    ended = run(done, "--reprocess")
    assert ended.code == 0, ended.log
    assert ended.summary["done"] == "30"
    assert "begun anew" in ended.log
    assert bool([*path_of(done).parent.glob("labels.db.broken-*")]) == left
    again = run(done)
    assert (again.code, again.summary["requests"]) == (0, "0")


@pytest.mark.parametrize("damage", GONE.values(), ids=GONE)
def test_doctor_tells_of_it_too(done, damage):
    damage(path_of(done))
    (done.root / "jobs").mkdir()
    (done.root / "jobs/labels.py").write_text("")
    lines = said(
        ledgers.check(installation(done.root, {}, job="labels"), "1 0 0:1 / / rw - ext4 x rw\n")
    )
    assert len(lines) == 1 and lines[0].startswith("FAIL ledger: labels: "), lines
    assert "is gone or broken" in lines[0]


def test_an_older_copy_that_is_restored_is_told_of_once_and_used(done, tmp_path):
    copy = tmp_path / "copy.db"
    shutil.copy(path_of(done), copy)
    done.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(30, 40))
    assert run(done).summary["done"] == "10"
    tell(done, "labels", 0)
    shutil.copy(copy, path_of(done))
    for options, paid in ((["--dry-run"], 0), ([], 10)):
        before = len(done.billed())
        ended = run(done, *options)
        assert ended.code == 0
        (line,) = [line for line in ended.log.splitlines() if " WARN " in line]
        assert "is an old copy" in line and "asked and paid for again" in line
        assert len(done.billed()) - before == bool(paid)
    assert ended.summary["done"] == "10"
    tell(done, "labels", 0)
    assert " WARN " not in run(done).log


@pytest.mark.parametrize("code", [1, 2, 69, 73, 74, 75, 77, 78, 124, 137])
def test_a_job_that_has_only_failed_so_far_starts_without_a_ledger(done, code):
    path_of(done).unlink()
    (done.root / "state/history.tsv").unlink()
    tell(done, "labels", code, "ANTHROPIC_API_KEY is not set")
    assert run(done).code == 0


@pytest.mark.parametrize("name", ["labels_too", "label"])
def test_a_renamed_job_starts_with_a_ledger_of_its_own(done, name):
    ended = run(done, job=labels(name))
    assert (ended.code, ended.summary["done"]) == (0, "30")


def test_a_demo_starts_whatever_became_of_its_ledger(done):
    for _ in range(2):
        assert run(done, "--demo").code == 0
        (done.root / "state/demo/history.tsv").write_text(
            LINE.format(run_id="20261128T020000Z-4711", job="labels", code=0, reason="done")
        )
        (done.root / "state/demo/labels.db").unlink()


def test_damaged_pages_end_the_run_with_one_line_that_says_what_to_do(done):
    pristine = path_of(done).read_bytes()
    codes = []
    for first in range(4096, len(pristine), 4096):
        path_of(done).write_bytes(pristine[:first] + b"\xff" * 4096 + pristine[first + 4096 :])
        ended = run(done, "--reprocess" if first % 8192 else "--limit=30")
        codes.append(ended.code)
        if ended.code:
            assert ended.code == 78, ended.log
            (line,) = [line for line in ended.log.splitlines() if " ERROR " in line]
            assert f"ledger {path_of(done)} is damaged" in line
            assert "restore your backup, or: sqlite3" in line and ".recover" in line
        assert "Traceback" not in ended.log and "a bug" not in ended.log
        for part in ("-wal", "-shm"):
            path_of(done).with_name(f"labels.db{part}").unlink(missing_ok=True)
    assert 78 in codes


def test_a_ledger_that_became_something_else_is_not_taken_for_a_new_one(done):
    path_of(done).write_bytes(b"\0" * 100_000)
    ended = run(done)
    assert ended.code == 78
    (line,) = ended.log.splitlines()
    assert "is not a SQLite file: restore your backup" in line


@pytest.fixture
def cron(claude: Callable[..., Site], tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """run_job.sh as cron starts it, with jobs and a venv that really run."""
    site = claude()
    site.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(6))
    here = Wrapped(tmp_path)
    shutil.copytree(REPOSITORY / "jobs", tmp_path / "jobs", dirs_exist_ok=True)
    # It sees the packages of the Python that runs the tests, and can change none of them.
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\n")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = tmp_path / "venv/lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    assert site.standin
    here.env |= {
        "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
        "ANTHROPIC_BASE_URL": site.standin.url,
        "RECORDS_DB": str(site.source),
        "NO_PROXY": "127.0.0.1",
    }
    return lambda *arguments: here.run("bulk_classifier", "--live", *arguments)


def test_a_dry_run_and_a_failure_are_no_runs_that_had_a_ledger(cron, tmp_path):
    assert cron("--dry-run").returncode == 0
    assert cron("--limit", "x").returncode == 2
    assert cron("--after", "nobody").returncode == 2
    for path in (tmp_path / "state").glob("bulk_classifier.*"):
        path.unlink()
    first = cron()
    assert first.returncode == 0, first.stderr
    for path in (tmp_path / "state").glob("bulk_classifier.*"):
        path.unlink()
    for _ in range(2):
        assert cron().returncode == 78
    log = (tmp_path / "logs/bulk_classifier.log").read_text()
    assert "tells of a run of bulk_classifier that ended with 0" in log
    assert cron("--reprocess").returncode == 0
    assert cron().returncode == 0
