"""The ledger of each job: can it be opened, is it whole, and is it in a place that keeps it?"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from common.process.exits import JobExit
from ops.examination.installation import Installation
from ops.examination.lines import Line, fail, ok, warn
from ops.examination.mounts import file_system, is_forgetful, is_network


def check(installation: Installation, mountinfo: str | None = None) -> Iterator[Line]:
    """Each job's ledger, read only."""
    for job in installation.jobs:
        try:
            path = installation.settings(job).ledger()
        except JobExit as error:
            yield fail("ledger", f"{job}: {error.message}")
            continue
        if isinstance(path, str):
            continue
        try:
            yield from _place(job, path, mountinfo)
            yield _ledger(job, path, installation.settings(job).state / "history.tsv")
        except JobExit as error:
            yield fail("ledger", f"{job}: {error.message}", "see LEDGER_DB in .env, or your backup")
        except (sqlite3.Error, OSError) as error:
            yield _broken(job, path, str(error))


def _place(job: str, path: Path, mountinfo: str | None) -> Iterator[Line]:
    kind = file_system(path, mountinfo)
    remedy = "LEDGER_DB on a disk of this machine"
    if is_network(kind):
        yield fail("ledger", f"{job}: {path} is on {kind}, where SQLite breaks", remedy)
    elif is_forgetful(kind):
        yield warn("ledger", f"{job}: {path} is on {kind}: a restart makes it forget", remedy)


def _ledger(job: str, path: Path, history: Path) -> Line:
    from common.ledger.sqlite_ledger import LedgerFile
    from common.process.witness import told_in_history

    # Raises JobExit where one is gone or broken.
    ledger = LedgerFile(path, read_only=True, witness=partial(told_in_history, history, job))
    if not path.exists() or path.stat().st_size == 0:
        ledger.close()
        folder = next(parent for parent in path.parents if parent.exists())
        if folder.is_dir() and os.access(folder, os.W_OK):
            return ok("ledger", f"{job}: none yet, the first run makes {path}")
        return fail("ledger", f"{job}: {path} cannot be made", f"mkdir and chown {path.parent}")
    try:
        found = str(ledger.db.execute("pragma quick_check(1)").fetchone()[0])
    finally:
        ledger.close()
    if found != "ok":
        return _broken(job, path, found)
    if not os.access(path, os.W_OK):
        return fail("ledger", f"{job}: {path} cannot be written", f"chown {path}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        text = f"{job}: {path} has mode {mode:04o}: others read customers' words"
        return warn("ledger", text, f"chmod 600 {path}")
    size = path.stat().st_size / 1e6
    return ok("ledger", f"{job}: whole, {size:,.1f} MB")


def _broken(job: str, path: Path, reason: str) -> Line:
    return fail(
        "ledger",
        f"{job}: {path} is damaged: {reason}",
        f"stop the job, keep a copy, then: sqlite3 {path} .recover | sqlite3 NEW.db, or your "
        "backup",
    )
