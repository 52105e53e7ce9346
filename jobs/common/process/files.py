"""Writes files whole: a reader finds the old file or the new one, even after a crash."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

_LEFT_BEHIND = 3600  # seconds; the writer of an unfinished file that old was killed


def make_folder(folder: Path) -> None:
    """Make the folder and its missing parents, for the owner alone (0700).

    Folders that exist keep their permissions.
    """
    for missing in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(missing.parent)  # else a power cut takes it away with all that is in it


def write_whole(path: Path, text: str) -> None:
    """Write the text into the file (mode 0600), whole or not at all: on an error the old one stays.

    The folder must exist. Raises OSError when the disk is full, failing or read-only.
    """
    _remove_left_behind(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Sync the folder, so that the new name survives a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove unfinished files of killed writers from a folder that only the caller writes to."""
    if folder.is_dir():
        for unfinished in folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                unfinished.unlink()


def _remove_left_behind(path: Path) -> None:
    """Remove the unfinished files of earlier writers of this file that were killed."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}.") and left.suffix == ".part":
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_BEHIND:
                    left.unlink()
