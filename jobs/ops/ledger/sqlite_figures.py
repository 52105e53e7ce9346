"""Reads a ledger that is a SQLite file without leaving a trace: no lock is waited for, no file is
made.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from common.ledger.older import upgrade
from common.ledger.sqlite_ledger import check_parts
from ops.ledger.figures import Figures, figures


def figures_of(path: Path, job: str, since: str, model: str) -> Figures:
    """As figures(), of this file.

    Raises sqlite3.Error, OSError, and JobExit (73) where something else is in the file's place.
    """
    check_parts(path)
    for _ in range(3):
        before = _mark(path)
        # SQLite would make two files just to read a ledger that nobody writes, and leave them.
        quietly = not _wal(path).exists()
        try:
            found = _read(path, job, since, model, "immutable=1" if quietly else "mode=ro")
        except sqlite3.DatabaseError:
            if not quietly or _mark(path) == before:
                raise
            continue
        if not quietly or _mark(path) == before:
            return found
    return _read(path, job, since, model, "mode=ro")


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _mark(path: Path) -> tuple[int, int, bool]:
    """What changes when somebody writes."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, _wal(path).exists()


def _read(path: Path, job: str, since: str, model: str, how: str) -> Figures:
    address = f"file:{quote(str(path.resolve()))}?{how}"
    with closing(sqlite3.connect(address, uri=True, timeout=1, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        db.execute("begin")
        upgrade.look_up_to_date(db)
        return figures(db, job, since, model)
