"""The disk space of a ledger that is a SQLite file: how much it takes, and giving it back."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

from common.ledger.sqlite_ledger import LedgerFile

_PAYS_FROM = 0.2  # part of the file that VACUUM would give back
_PAYS_FROM_BYTES = 1 << 20


def compact(file: LedgerFile, path: Path, forgotten: int) -> str:
    """Give the space back where that pays, since it writes the whole file once.

    Returns why it was not given back, "" where that was not needed.
    """
    free = max(forgotten, free_pages(file))
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


def free_pages(file: LedgerFile) -> int:
    """Bytes inside the file that the next answers will use."""
    free: int = file.db.execute("pragma freelist_count").fetchone()[0]
    page: int = file.db.execute("pragma page_size").fetchone()[0]
    return free * page


def size_of(path: Path) -> int:
    """The bytes of the file and of its write-ahead log."""
    wal = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
