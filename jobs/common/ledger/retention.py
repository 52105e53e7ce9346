"""What a ledger may forget: old answers, outputs and runs. Never what makes a record done.

It keeps, however old: each record with its status, and its request with what it cost; everything
that is not done; the last run and the last success (--after asks for it); which days were reported.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.ledger.sqlite_ledger import LedgerFile

_AT_ONCE = 2_000  # rows of one transaction: the write-ahead log stays small
_PAYS_FROM = 0.2  # part of the file that VACUUM would give back
_PAYS_FROM_BYTES = 1 << 20
_OLD_ANSWERS = (
    "job = ? and created_at < ? and answer is not null and status in ('done', 'failed', 'lost')"
)
_OLD_OUTPUTS = "status = 'done' and output is not null and updated_at < ?"
_OLD_RUNS = (
    "job = :job and started_at < :before"
    " and started_at < (select max(started_at) from runs where job = :job)"
    " and run_id <> coalesce((select run_id from runs where job = :job and exit_code = 0"
    " order by started_at desc limit 1), '')"
)


@dataclass
class Forgotten:
    """What the ledger forgot, or would forget."""

    answers: int = 0
    outputs: int = 0
    runs: int = 0
    bytes: int = 0  # given back to the file system
    reusable: int = 0  # free inside the ledger, for what comes next
    note: str = ""


def would_forget(path: Path, job: str, before: str) -> Forgotten:
    """What `forget` would forget; `reusable` is the length of it all."""
    file = LedgerFile(path, read_only=True)
    try:
        answers, length = file.db.execute(
            f"select count(*), total(length(answer)) from requests where {_OLD_ANSWERS}",
            (job, before),
        ).fetchone()
        outputs, more = file.db.execute(
            f"select count(*), total(length(output)) from records where job = ? and {_OLD_OUTPUTS}",
            (job, before),
        ).fetchone()
        (runs,) = file.db.execute(
            f"select count(*) from runs where {_OLD_RUNS}", {"job": job, "before": before}
        ).fetchone()
        return Forgotten(answers, outputs, runs, reusable=int(length + more))
    finally:
        file.close()


def forget(path: Path, job: str, before: str) -> Forgotten:
    """Forget what is older than that time. The caller holds the job's lock. Raises JobExit."""
    size = _size(path)
    file = LedgerFile(path)
    try:
        answers, length = _forget_answers(file, job, before)
        outputs, more = _forget_outputs(file, job, before)
        with file.transaction():
            runs = file.db.execute(
                f"delete from runs where {_OLD_RUNS}", {"job": job, "before": before}
            ).rowcount
        note = _compact(file, path, length + more)
        reusable = _free_pages(file.db)
    finally:
        file.close()
    return Forgotten(answers, outputs, runs, max(0, size - _size(path)), reusable, note)


def _forget_answers(file: LedgerFile, job: str, before: str) -> tuple[int, int]:
    """Old answers, some at a time: (how many, their length)."""
    count = length = 0
    for answers in _groups(
        file.db, f"select rowid from requests where {_OLD_ANSWERS}", job, before
    ):
        marks = ",".join("?" * len(answers))
        with file.transaction():
            length += file.db.execute(
                f"select total(length(answer)) from requests where rowid in ({marks})", answers
            ).fetchone()[0]
            # A merge is found again by its id: `failed`, it is asked again and not taken for
            # answered.
            file.db.execute(
                "update requests set answer = null,"
                " error = iif(record_ids = '[]' and status = 'done', 'its answer was pruned',"
                " error),"
                " status = iif(record_ids = '[]' and status = 'done', 'failed', status)"
                f" where rowid in ({marks})",
                answers,
            )
        count += len(answers)
    return count, int(length)


def _groups(db: sqlite3.Connection, sql: str, *values: str) -> Iterator[list[int]]:
    ids = [row[0] for row in db.execute(sql, values)]
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]


def _forget_outputs(file: LedgerFile, job: str, before: str) -> tuple[int, int]:
    """Old outputs, some at a time in the table's own order: (how many, their length)."""
    count = length = 0
    last = ""
    while True:
        end = file.db.execute(
            "select max(record_id) from (select record_id from records"
            f" where job = ? and record_id > ? order by record_id limit {_AT_ONCE})",
            (job, last),
        ).fetchone()[0]
        if end is None:
            return count, length
        part = f"job = ? and record_id > ? and record_id <= ? and {_OLD_OUTPUTS}"
        values = (job, last, end, before)
        found = file.db.execute(
            f"select count(*), total(length(output)) from records where {part}", values
        ).fetchone()
        if found[0]:
            with file.transaction():
                file.db.execute(f"update records set output = null where {part}", values)
            count, length = count + found[0], length + int(found[1])
        last = end


def _compact(file: LedgerFile, path: Path, forgotten: int) -> str:
    """Give the space back where that pays, since it writes the whole file once.

    Returns why it was not given back, "" where that was not needed.
    """
    free = max(forgotten, _free_pages(file.db))
    size = path.stat().st_size
    if free < _PAYS_FROM_BYTES or free < _PAYS_FROM * size:
        return ""
    needed = 2 * size
    if (
        min(shutil.disk_usage(place).free for place in (path.parent, tempfile.gettempdir()))
        < needed
    ):
        return f"not compacted: that needs {needed / 1e6:,.0f} MB of free disk"
    try:
        file.db.execute("vacuum")
        file.db.execute("pragma wal_checkpoint(truncate)")
    except sqlite3.Error as error:
        return f"not compacted: {error}"
    return ""


def _free_pages(db: sqlite3.Connection) -> int:
    """Bytes inside the file that the next answers will use."""
    free: int = db.execute("pragma freelist_count").fetchone()[0]
    page: int = db.execute("pragma page_size").fetchone()[0]
    return free * page


def _size(path: Path) -> int:
    wal = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
