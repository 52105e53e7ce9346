"""What may be forgotten of a job: old answers, outputs, runs and logs. Never what makes a record done.

Kept, however old: each record with its status, and the request it belongs to with what it cost; everything that is not
done; the last run and the last success (--after asks for it); which days were reported.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import times
from common.ledger.sqlite_ledger import LedgerFile
from common.process.lock import hold
from common.settings import Settings

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
class Pruned:
    """What was forgotten, or would be. `bytes`: of the disk."""

    answers: int = 0
    outputs: int = 0
    runs: int = 0
    logs: int = 0
    bytes: int = 0  # given back to the file system
    reusable: int = 0  # free inside the ledger, for what comes next
    note: str = ""

    @property
    def anything(self) -> bool:
        """Whether there was anything to forget."""
        return bool(self.answers or self.outputs or self.runs or self.logs or self.bytes)


def prune(settings: Settings, logs: Path, before: str, *, dry_run: bool) -> Pruned:
    """Forget what a job left before that time. Raises JobExit: 75 where the job is running, others as LedgerFile does."""
    path, job = settings.ledger(), settings.job
    old_logs = _old_logs(logs, job, before)
    if not path.exists() and not old_logs:
        return Pruned()
    if dry_run:
        return _would_prune(path, job, before, old_logs)
    lock = hold(settings.state / f"{job}.lock")
    try:
        _sign(lock)
        pruned = _prune_ledger(path, job, before) if path.exists() else Pruned()
        for log in old_logs:
            size = log.stat().st_size
            log.unlink()
            pruned.logs += 1
            pruned.bytes += size
        return pruned
    finally:
        os.close(lock)


def _sign(lock: int) -> None:
    """Our name in the lock file, as run_job.sh writes it, for a job that is refused meanwhile."""
    now = times.stamp()
    run_id = f"{now.replace('-', '').replace(':', '')}-{os.getpid()}"
    os.pwrite(lock, f"{f'{os.getpid()} {now} {run_id}':<79}\n".encode(), 0)


def _old_logs(folder: Path, job: str, before: str) -> list[Path]:
    """The logs that rotation has set aside and nobody has written since."""
    limit = times.instant(before).timestamp()
    return [path for path in folder.glob(f"{job}.log.*.gz") if path.stat().st_mtime < limit]


def _would_prune(path: Path, job: str, before: str, logs: list[Path]) -> Pruned:
    pruned = Pruned(logs=len(logs), bytes=sum(log.stat().st_size for log in logs))
    if path.exists():
        file = LedgerFile(path, read_only=True)
        try:
            pruned.answers, freed = file.db.execute(
                f"select count(*), total(length(answer)) from requests where {_OLD_ANSWERS}",
                (job, before),
            ).fetchone()
            pruned.outputs, more = file.db.execute(
                f"select count(*), total(length(output)) from records where job = ? and {_OLD_OUTPUTS}",
                (job, before),
            ).fetchone()
            pruned.runs = file.db.execute(
                f"select count(*) from runs where {_OLD_RUNS}", {"job": job, "before": before}
            ).fetchone()[0]
            pruned.reusable = int(freed + more)
        finally:
            file.close()
    return pruned


def _prune_ledger(path: Path, job: str, before: str) -> Pruned:
    size = _size(path)
    file = LedgerFile(path)
    try:
        pruned = Pruned()
        # In each group of rows, what they held is read for its length before it is forgotten.
        freed = 0
        for answers in _groups(
            file.db, f"select rowid from requests where {_OLD_ANSWERS}", job, before
        ):
            marks = ",".join("?" * len(answers))
            with file.transaction():
                freed += file.db.execute(
                    f"select total(length(answer)) from requests where rowid in ({marks})", answers
                ).fetchone()[0]
                # A merge is found again by its id and would be taken for answered: `failed`, it is asked anew.
                file.db.execute(
                    "update requests set answer = null,"
                    " error = iif(record_ids = '[]' and status = 'done', 'its answer was pruned', error),"
                    " status = iif(record_ids = '[]' and status = 'done', 'failed', status)"
                    f" where rowid in ({marks})",
                    answers,
                )
            pruned.answers += len(answers)
        outputs, text = _forget_outputs(file, job, before)
        pruned.outputs = outputs
        with file.transaction():
            found = file.db.execute(
                f"delete from runs where {_OLD_RUNS}", {"job": job, "before": before}
            )
            pruned.runs = found.rowcount
        pruned.note = _compact(file, path, int(freed) + text)
        pruned.reusable = _free_pages(file.db)
    finally:
        file.close()
    pruned.bytes = max(0, size - _size(path))
    return pruned


def _groups(db: sqlite3.Connection, sql: str, *values: str) -> Iterator[list[int]]:
    ids = [row[0] for row in db.execute(sql, values)]
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]


def _forget_outputs(file: LedgerFile, job: str, before: str) -> tuple[int, int]:
    """Outputs of records that are done, some at a time in the table's own order: (how many, their length)."""
    count = length = 0
    last = ""
    while True:
        end = file.db.execute(
            "select max(record_id) from (select record_id from records where job = ? and record_id > ?"
            f" order by record_id limit {_AT_ONCE})",
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
    """Give the space back where that pays: it means to write the whole file once. Else why not; "" for not needed."""
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
