"""A ledger has one run at a time, whichever installation starts it and whatever became of the lock
file: nothing is paid for twice.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import bulk_classifier
from common.ledger.sqlite_ledger import LedgerFile
from common.process.exits import JobExit
from rigs.harness import Result, Site
from rigs.installation import Installation
from rigs.record_jobs import events

pytestmark = pytest.mark.sqlite("a file that is locked")

NAME = bulk_classifier.JOB.name
Second = CompletedProcess[str]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def here(claude: Any, shared: Path) -> Site:
    """An installation with 20 records, whose ledger stands in a folder of its own."""
    site: Site = claude()
    site.environ["LEDGER_DB"] = str(shared / "{job}.db")
    events(site, 20)
    return site


def during(here: Site, act: Callable[[], object]) -> Result:
    """A run in which something happens when it saves for the first time."""
    waiting = [act]

    def save(db: Any, record: Any, output: Any, origin: Any) -> None:
        if waiting:
            waiting.pop()()
        bulk_classifier.JOB.save(db, record, output, origin)

    return here.run(
        replace(bulk_classifier.JOB, save=save), "--live", "--chunk-size", "5", "--concurrency", "1"
    )


def second(root: Path, here: Site, ledger: str) -> Second:
    """A run of the same job from an installation in `root`."""
    root.mkdir(exist_ok=True)
    other = Installation(Site(root, here.standin))
    return other.run(
        "--live",
        script=other.root / f"jobs/{NAME}.py",
        RECORDS_DB=str(here.source),
        LEDGER_DB=ledger,
    )


def refused(ended: Second) -> None:
    """It ended with 75, and one line that says which ledger is in use."""
    assert ended.returncode == 75, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "already running: " in line and f"{NAME}.db: nothing done" in line


@pytest.mark.parametrize("way", ["same path", "another path to the folder", "hard link"])
def test_a_second_installation_with_the_same_ledger_does_not_start(here, shared, tmp_path, way):
    ended = []

    def start() -> None:
        ledger = shared / f"{NAME}.db"
        if way == "another path to the folder":
            (tmp_path / "link").symlink_to(shared)
            ledger = tmp_path / "link" / ledger.name
        elif way == "hard link":
            (tmp_path / "hard").mkdir()
            (tmp_path / "hard" / ledger.name).hardlink_to(ledger)
            ledger = tmp_path / "hard" / ledger.name
        ended.append(second(tmp_path / "other", here, str(ledger.with_name("{job}.db"))))

    first = during(here, start)
    assert first.code == 0, first.log
    refused(ended[0])
    assert len(here.billed()) == 4


def test_a_removed_lock_file_lets_nobody_in(here, shared, tmp_path):
    ended = []

    def start() -> None:
        (here.root / f"state/{NAME}.lock").unlink()
        ended.append(second(here.root, here, str(shared / "{job}.db")))

    shutil.rmtree(here.root / "jobs", ignore_errors=True)
    first = during(here, start)
    assert first.code == 0, first.log
    refused(ended[0])
    assert len(here.billed()) == 4


def test_a_ledger_that_is_replaced_in_the_middle_of_a_run_lets_nobody_in_and_ends_the_run(
    here, shared, tmp_path
):
    ledger = shared / f"{NAME}.db"
    ended = []

    def start() -> None:
        copy = shared / "copy"
        shutil.copy(ledger, copy)
        ledger.rename(shared / "aside.db")
        copy.rename(ledger)
        ended.append(second(tmp_path / "other", here, str(shared / "{job}.db")))

    first = during(here, start)
    refused(ended[0])
    assert first.code == 74
    assert "was removed or replaced in the middle of the run: put it back" in first.log
    billed = len(here.billed())
    assert billed < 4  # nothing more was sent
    # What was paid for is in the file that was put aside.
    for part in ("", "-wal", "-shm"):
        (shared / f"{ledger.name}{part}").unlink(missing_ok=True)
    (shared / "aside.db").rename(ledger)
    later = second(tmp_path / "later", here, str(shared / "{job}.db"))
    assert later.returncode == 0, later.stderr
    assert len(here.billed()) == billed + 1  # the other 15 records, in one chunk


def test_who_only_reads_a_ledger_is_not_kept_out(here, shared):
    seen = []

    def look() -> None:
        file = LedgerFile(shared / f"{NAME}.db", read_only=True)
        seen.append(file.db.execute("select count(*) from records").fetchone()[0])
        file.close()

    first = during(here, look)
    assert first.code == 0, first.log
    assert seen == [5]
    assert during(here, look).code == 0  # and has left no lock behind


def test_a_ledger_is_free_again_when_its_run_has_ended_or_could_not_be_opened(here, shared):
    path = shared / "x.db"
    LedgerFile(path).close()
    held = LedgerFile(path)
    with pytest.raises(JobExit, match="already running: pid") as second:
        LedgerFile(path)
    assert second.value.code == 75
    held.db.execute("drop table runs")
    held.close()
    for _ in range(2):
        with pytest.raises(JobExit, match="gone or broken"):
            LedgerFile(path)
