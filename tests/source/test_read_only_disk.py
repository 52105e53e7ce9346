"""A database on a disk that is mounted read-only, such as a snapshot of another machine's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from rigs.harness import REPOSITORY

# In a name space of its own, where this user may mount. Prints what each way of reading came to.
ON_A_DISK = """
import json, os, shutil, sqlite3, subprocess, sys
from contextlib import closing
from pathlib import Path
sys.path[:0] = [{jobs!r}]
from common.process.exits import JobExit
from common.source.sqlite_source import Database
disk, journal, left = Path({disk!r}), {journal!r}, {left!r}
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)
path, copy = disk / "made" / "r.db", disk / "r.db"
path.parent.mkdir()
db = sqlite3.connect(path, isolation_level=None)
db.execute("pragma journal_mode = " + journal)
db.execute("create table events (id, content)")
db.execute("insert into events values (1, 'In the file')")
db.execute("pragma wal_checkpoint")
if left:
    db.execute("pragma cache_size = 1")
    db.execute("begin")
    db.execute("insert into events values (2, 'Left behind')")
    if journal == "wal":
        db.execute("commit")
    else:
        db.execute("insert into events select 3, zeroblob(90000)")
for name in ("r.db", *left):
    shutil.copy(path.with_name(name), disk / name)
db.close()
subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)
def ended(writable):
    try:
        with closing(Database(copy, writable=writable)) as db:
            return [len([*db.select("select id as record_id from events", {{}})]), ""]
    except JobExit as end:
        return [end.code, end.message]
print(json.dumps([ended(False), ended(True), sorted(os.listdir(disk))]))
"""


def on_a_disk(tmp_path, journal: str, left: tuple[str, ...]) -> list[Any]:
    (tmp_path / "disk").mkdir()
    disk = str(tmp_path / "disk")
    if subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "x", disk], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    code = ON_A_DISK.format(jobs=str(REPOSITORY / "jobs"), disk=disk, journal=journal, left=left)
    ended = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    return list(json.loads(ended.stdout))


@pytest.mark.parametrize(
    ("journal", "left", "records"),
    [
        ("delete", (), 1),
        ("wal", (), 1),
        ("wal", ("r.db-wal", "r.db-shm"), 2),
        ("wal", ("r.db-wal",), 2),
    ],
    ids=["delete", "wal", "wal with log and index", "wal with log"],
)
def test_it_is_read_and_a_job_that_must_write_is_told_why_it_cannot(
    tmp_path, journal, left, records
):
    read, written, files = on_a_disk(tmp_path, journal, left)
    assert read == [records, ""]
    assert written[0] == 78
    assert "r.db: it is on a read-only file system: name a file that can be written" in written[1]
    assert files == sorted(["made", "r.db", *left])


def test_a_half_done_change_on_it_is_69_and_says_what_it_is(tmp_path):
    read, written, _ = on_a_disk(tmp_path, "delete", ("r.db-journal",))
    assert read[0] == 69 and "hot rollback journal" in read[1]
    assert written[0] == 78
