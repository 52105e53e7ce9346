"""Copies a SQLite file as it was at one instant, while others may write it.

Nothing is locked out, and nothing is written beside the file: a run that begins meanwhile begins.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from common.ledger.ledger_errors import in_plain_words, recovery
from common.process import exits
from common.process.exits import JobExit

_HEADER = b"SQLite format 3\0"
# The file itself is only read.
_OF_THE_COPY = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE)
_TRIES = 20  # runs that begin or end while the file is copied


def is_sqlite(path: Path) -> bool:
    """Whether a file is one of SQLite's, by its first bytes. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_HEADER)) == _HEADER


def copy(path: Path, to: Path) -> None:
    """Copy the file into `to`, an empty file, and make sure that the copy is whole.

    Raises JobExit: 69 where it is locked, 74 where the disk is full, 78 where it is damaged.
    """
    try:
        for _ in range(_TRIES):
            if _copied(path, to):
                break
        else:
            busy = f"{path} was written anew {_TRIES} times while it was copied"
            raise JobExit(exits.UNREACHABLE, f"{busy}: make the backup again")
        _check(path, to)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) in _OF_THE_COPY:
            full = f"{to.parent} has no room for a copy of {path}: make room (df -h), or name a"
            raise JobExit(exits.CANNOT_WRITE, f"{full} file on another disk") from error
        raise in_plain_words(error, path) or error from error


def _copied(path: Path, to: Path) -> bool:
    """Copy it; False where that is to be done again, since a writer has come meanwhile.

    Where there is a write-ahead log, SQLite keeps a reader's view for as long as it needs. Without
    one nobody has the file open, and a reader that asks for that view would leave a log behind: so
    the file is read as if nobody ever wrote it, and what it looks like shows whether that was true.
    """
    if not _looks(path).alone:
        _backup(f"file:{quote(str(path))}?mode=ro", to)
        return True
    before = _looks(path)
    _backup(f"file:{quote(str(path))}?mode=ro&immutable=1", to)
    return _looks(path) == before


def _backup(uri: str, to: Path) -> None:
    with closing(sqlite3.connect(uri, uri=True, timeout=30)) as source:
        to.write_bytes(b"")
        with closing(sqlite3.connect(to)) as copied:
            # It becomes part of a file that is synced as a whole.
            copied.executescript("pragma journal_mode = off; pragma synchronous = off;")
            source.backup(copied)  # all pages in one step: of one instant


class _Looks(NamedTuple):
    alone: bool  # without a log or a journal
    inode: int
    size: int
    changed: int


def _looks(path: Path) -> _Looks:
    found = path.stat()
    alone = not any(path.with_name(path.name + part).exists() for part in ("-wal", "-journal"))
    return _Looks(alone, found.st_ino, found.st_size, found.st_mtime_ns)


def _check(path: Path, copied: Path) -> None:
    uri = f"file:{quote(str(copied))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        (said,) = db.execute("pragma quick_check(1)").fetchone()
    if said != "ok":
        damage = f"{path} is damaged ({' '.join(str(said).split())[:200]})"
        raise JobExit(exits.SETTINGS, f"{damage}, and a backup of it is none: {recovery(path)}")
