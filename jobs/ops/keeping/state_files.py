"""What of state/ and reports/ goes into a backup, and in which order."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.keeping.archive import Archive
from ops.keeping.sqlite_copies import copy, is_sqlite

NOTE = "backup.txt"  # in state/: what a backup is
# Locks and marks of processes that live, space that is made anew, and what is unfinished.
_LEFT_OUT = (".lock", ".lease", ".doing", ".ballast", ".part", "-wal", "-shm", "-journal")
_DEMO = "demo"
_BROKEN = ".broken-"  # what is left of a ledger that was set aside: kept byte by byte


@dataclass
class Kept:
    """What went in."""

    ledgers: list[str] = field(default_factory=list)  # SQLite files, from the root
    others: int = 0
    skipped: list[str] = field(default_factory=list)  # no files, such as links and sockets


def keep_state(
    archive: Archive, state: Path, ledgers: Mapping[str, Path], apart: Collection[Path]
) -> Kept:
    """Add state/. `ledgers`: those that stand elsewhere, by their names in the backup. `apart`:
    files that do not go in, since they are the user's own databases.

    First all else, then the ledgers: so each ledger knows every run that history.tsv tells of, and
    an answer that was kept in a file is in that file or in the ledger. Raises OSError and JobExit.
    """
    kept = Kept()
    databases: list[tuple[str, Path]] = []
    archive.add_folder("state")
    for name, path in _below(archive, "state", state, kept, leave_out=(_DEMO, NOTE)):
        if path.resolve() in apart:
            continue
        if _is_database(path):
            databases.append((name, path))
        else:
            kept.others += archive.add_file(name, path)
    for name, path in (*databases, *ledgers.items()):
        with archive.scratch_file() as copied:
            try:
                copy(path, copied)
            except FileNotFoundError:  # somebody has removed it
                continue
            archive.add_file(name, copied, like=path)
        kept.ledgers.append(name)
    return kept


def keep_reports(archive: Archive, reports: Path) -> Kept:
    """Add reports/: after the ledgers, so that each day that a ledger has as reported is there."""
    kept = Kept()
    archive.add_folder("reports")
    for name, path in _below(archive, "reports", reports, kept):
        kept.others += archive.add_file(name, path)
    return kept


def _is_database(path: Path) -> bool:
    try:
        return _BROKEN not in path.name and is_sqlite(path)
    except FileNotFoundError:
        return False


def _below(
    archive: Archive, name: str, folder: Path, kept: Kept, leave_out: Collection[str] = ()
) -> Iterator[tuple[str, Path]]:
    """The files below a folder, with their names in the backup; the folders in it are added."""
    for entry in _entries(folder):
        inside = f"{name}/{entry.name}"
        if entry.name in leave_out or entry.name.startswith(".") or _is_left_out(entry.name):
            continue
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except FileNotFoundError:  # it has gone meanwhile
            continue
        if stat.S_ISDIR(mode):
            archive.add_folder(inside)
            yield from _below(archive, inside, Path(entry.path), kept)
        elif stat.S_ISREG(mode):
            yield inside, Path(entry.path)
        else:
            kept.skipped.append(inside)


def _is_left_out(name: str) -> bool:
    return name.endswith(_LEFT_OUT) and _BROKEN not in name


def _entries(folder: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return ()
