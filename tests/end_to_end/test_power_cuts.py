"""A power cut at any moment loses nothing: what the ledger has as done is in the source, or in the
report.

Each run is recorded once, and then cut after each of its syncs, on three kinds of disk.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rigs.crash_rig import Bill, Rig, standin_process
from rigs.message_batch_kills import SHORT
from rigs.power_cuts import Disk, by_folder, lay_out, on_file_systems
from rigs.syscall_trace import calls, under_strace

JOURNALS = pytest.mark.parametrize("journal", ["delete", "truncate", "wal"])
PER_DAY = 15  # records
# A connection for which a commit is less than on disk.
WEAKER = """
from common.source.sqlite_source import Database
connect = Database._connect
def weaker(self):
    connect(self)
    self.connection.execute("pragma synchronous = {}")
Database._connect = weaker
"""
NO_BYTECODE = "sys.dont_write_bytecode = True\n"


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    """One stand-in for all tests of a worker."""
    folder = tmp_path_factory.mktemp("standin")
    with standin_process(folder, latency=0, message_batch_seconds=0.1) as bill:
        yield bill


class Cuts:
    """A run, recorded, and what is left of it after a cut."""

    def __init__(self, root: Path, bill: Bill, journal: str, job: str = "labels") -> None:
        self.rig = Rig(root / "site", Bill(bill.url, bill.path))
        self.rig.events(PER_DAY)
        if job == "labels":
            self.rig.per_record(chunk_size=3)
        # In a folder of its own, as on a disk of its own.
        (self.rig.root / "source").mkdir()
        source = (self.rig.root / "records.db").rename(self.rig.root / "source/records.db")
        (self.rig.root / "records.db").symlink_to(source)
        for folder in ("state", "reports"):
            (self.rig.root / folder).mkdir()
        with closing(sqlite3.connect(source)) as db, db:
            db.execute(f"pragma journal_mode = {journal}")
            db.execute("update events set content = content")

    def record(self, *options: str, before: str = "") -> None:
        """Run to the end, and note what it asks of the disks."""
        log = self.rig.root.with_name("strace.log")
        root = self.rig.root
        self.kinds = {
            "each folder for itself": Disk(root, by_folder),
            "two file systems": Disk(root, on_file_systems(root / "source")),
            "one file system": Disk(root, on_file_systems()),
        }
        with self.rig.start(
            *options, before=NO_BYTECODE + before, under=under_strace(log)
        ) as process:
            ended = process.communicate(timeout=60)[1]
        assert process.returncode == 0, ended
        self.calls = [*calls(log)]

    def lost(self, scratch: Path, count: Callable[[Path], tuple[int, int]]) -> dict[str, int]:
        """The records that the worst cut loses, for each kind of disk.

        `count(root)` counts the done and the lost ones of what a cut has left there.
        """
        worst = {}
        for kind, disk in self.kinds.items():
            cuts = [
                count(lay_out(left, scratch / f"{kind} {number}"))
                for number, left in enumerate(disk.after(self.calls))
            ]
            assert len(cuts) > 10 and cuts[0][0] == 0
            assert cuts[-1][0] == 2 * PER_DAY, "the whole run has to be on disk in the end"
            assert len({done for done, _ in cuts}) > 3, "it has to be cut between commits, too"
            worst[kind] = max(lost for _, lost in cuts)
        return worst


def rows(path: Path, column: str, table: str, where: str = "true") -> list[str]:
    """The values of a column; none where there is no file, or not yet a table."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma quick_check").fetchone() == ("ok",), path
        if not db.execute("select 1 from sqlite_master where name = ?", (table,)).fetchone():
            return []
        return [str(row[0]) for row in db.execute(f"select {column} from {table} where {where}")]


def labels(root: Path) -> tuple[int, int]:
    """How many records the ledger has as done, and how many of them have no label."""
    done = rows(root / "state/labels.db", "record_id", "records", "status = 'done'")
    return len(done), len({*done} - {*rows(root / "source/records.db", "record_id", "labels")})


def reports(root: Path) -> tuple[int, int]:
    """How many records the ledger has as done, and how many files of reports are missing."""
    ledger = root / "state/daily_report.db"
    done = rows(ledger, "record_id", "records", "status = 'done'")
    ends = {"md": "\n", "html": "</html>\n"}
    files = [
        (root / f"reports/daily_report/{day}.{kind}", end)
        for day in rows(ledger, "window", "windows", "records > 0")
        for kind, end in ends.items()
    ]
    gone = [path for path, end in files if not (path.exists() and path.read_text().endswith(end))]
    return len(done), len(gone)


NOTHING = dict.fromkeys(("each folder for itself", "two file systems", "one file system"), 0)


@JOURNALS
def test_a_live_run_loses_no_record(tmp_path, bill, journal):
    cuts = Cuts(tmp_path, bill, journal)
    cuts.record("--live", "--concurrency", "2")
    assert cuts.lost(tmp_path, labels) == NOTHING


@JOURNALS
def test_a_run_by_message_batch_loses_no_record(tmp_path, bill, journal):
    cuts = Cuts(tmp_path, bill, journal)
    cuts.record("--message-batch", before=SHORT + SMALL_COMMITS)
    assert cuts.lost(tmp_path, labels) == NOTHING


# As in a message batch of thousands, which is collected in many commits.
SMALL_COMMITS = """
from common.delivery import replay
from common.delivery.message_batch import results
results._TOGETHER = replay._TOGETHER = 2
"""


def test_the_run_after_a_cut_saves_all_records(tmp_path, bill):
    cuts = Cuts(tmp_path, bill, "delete")
    cuts.record("--live", "--concurrency", "2")
    states = [*cuts.kinds["two file systems"].after(cuts.calls)]
    for folder in ("source", "state"):
        shutil.rmtree(cuts.rig.root / folder)
    lay_out(states[len(states) // 2], cuts.rig.root)
    assert 0 < labels(cuts.rig.root)[0] < 2 * PER_DAY
    ended = cuts.rig.run()
    assert ended.code == 0, ended.log
    assert labels(cuts.rig.root) == (2 * PER_DAY, 0)


def test_a_report_that_counts_as_written_is_there(tmp_path, bill):
    cuts = Cuts(tmp_path, bill, "delete", job="daily_report")
    cuts.record("--chunk-size", "5")
    assert cuts.lost(tmp_path, reports) == NOTHING


@pytest.mark.parametrize(
    ("journal", "synchronous", "safe"),
    [
        ("delete", "full", {"one file system"}),
        ("delete", "normal", {"one file system"}),
        ("truncate", "full", {"one file system"}),
        ("wal", "normal", set()),
    ],
)
def test_the_rig_finds_what_a_weaker_connection_loses(tmp_path, bill, journal, synchronous, safe):
    cuts = Cuts(tmp_path, bill, journal)
    cuts.record("--live", "--concurrency", "2", before=WEAKER.format(synchronous))
    worst = cuts.lost(tmp_path, labels)
    assert {kind for kind, lost in worst.items() if not lost} == safe, worst
