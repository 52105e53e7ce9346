"""Writes files whole: whoever reads them never finds half of one, not even after a crash."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

_LEFT_BEHIND = 3600  # seconds after which an unfinished file is nobody's: its writer was killed


def make_folder(folder: Path) -> None:
    """Make the folder and those missing above it, for the owner alone (0700); others stay."""
    for missing in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Put the text into the file (mode 0600), whole or not at all: on any error the old one stays.

    The folder must exist. Raise OSError when the disk is full, failing or read-only.
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
        for left in folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                left.unlink()


def _remove_left_behind(path: Path) -> None:
    """Remove what an earlier write of the same file left when it was killed in the middle."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}.") and left.suffix == ".part":
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_BEHIND:
                    left.unlink()
