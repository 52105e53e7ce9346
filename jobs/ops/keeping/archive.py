"""A tar that is there only when it is whole: written beside its place, and then put there."""

from __future__ import annotations

import fcntl
import io
import os
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.process import exits
from common.process.exits import JobExit
from common.process.files import disk_fault

_UNFINISHED = ".claude-backup-"
_GZIP = (".gz", ".tgz")


class Archive:
    """An open tar. All in it is for its owner alone, whoever unpacks it."""

    def __init__(self, tar: tarfile.TarFile, folder: Path) -> None:
        self._tar = tar
        self._folder = folder

    def add_folder(self, name: str) -> None:
        """A folder (0700)."""
        found = tarfile.TarInfo(name)
        found.type, found.mode, found.mtime = tarfile.DIRTYPE, 0o700, int(time.time())
        self._tar.addfile(found)

    def add_bytes(self, name: str, content: bytes, mtime: float) -> None:
        """A file (0600) with that content."""
        self._tar.addfile(_member(name, len(content), mtime), io.BytesIO(content))

    def add_file(self, name: str, path: Path, *, like: Path | None = None) -> bool:
        """A file as it is now (0600, or 0700 where its owner may execute it); False where there is
        none any more, or no regular one.

        What is appended meanwhile is not in it. `like`: with that file's time. Raises OSError, and
        JobExit (75) where it becomes shorter while it is read.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return False
            mtime = like.stat().st_mtime if like else found.st_mtime
            member = _member(name, found.st_size, mtime)
            member.mode |= found.st_mode & stat.S_IXUSR
            try:
                self._tar.addfile(member, file)
            except OSError as error:
                if error.errno:
                    raise
                shorter = f"{path} became shorter while it was read"
                raise JobExit(exits.NOT_NOW, f"{shorter}: make the backup again") from error
        return True

    @contextmanager
    def scratch_file(self) -> Iterator[Path]:
        """The path of an empty file (0600) on the backup's disk, removed at the end."""
        handle, name = tempfile.mkstemp(prefix=_UNFINISHED, suffix=".part", dir=self._folder)
        path = Path(name)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield path
        finally:
            path.unlink(missing_ok=True)
            os.close(handle)


@contextmanager
def archive(path: Path) -> Iterator[Archive]:
    """A tar at `path`, compressed where its name ends with .gz or .tgz, when the block has ended.

    Raises JobExit: 73 where it cannot be made or is there already, 74 where the disk is full. Then
    nothing is left, and the file that was there is as it was.
    """
    _refuse_existing(path)
    try:
        _sweep(path.parent)
        handle, name = tempfile.mkstemp(prefix=_UNFINISHED, suffix=".part", dir=path.parent)
    except OSError as error:
        fault = disk_fault(error)
        reason = f"{path} cannot be made: {error.strerror or error}"
        raise JobExit(fault.code if fault else exits.CANNOT_CREATE, reason) from error
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # as long as it is being written: see _sweep
            mode = "w:gz" if path.suffix in _GZIP else "w"
            with tarfile.open(fileobj=file, mode=mode) as tar:  # type: ignore[call-overload]
                yield Archive(tar, path.parent)
            file.flush()
            os.fsync(file.fileno())
            _put(unfinished, path)
    except OSError as error:
        fault = disk_fault(error)
        if fault is None or error.filename:
            raise fault or error from error
        reason = f"{path} could not be written: {error.strerror}: make room (df -h), or name a file"
        raise JobExit(fault.code, f"{reason} on another disk; nothing is left of it") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _refuse_existing(path: Path) -> None:
    """Raises JobExit (73) where something stands at `path`, or its folder does not exist."""
    if path.is_dir():
        raise JobExit(exits.CANNOT_CREATE, f"{path} is a folder: name a file in it")
    if os.path.lexists(path):
        there = f"{path} is there already, and was left as it is"
        raise JobExit(exits.CANNOT_CREATE, f"{there}: name another file, or remove it")
    if not path.parent.is_dir():
        lacking = f"there is no folder {path.parent}"
        raise JobExit(exits.CANNOT_CREATE, f"{lacking}: make it (mkdir -p), then run again")


def _put(unfinished: Path, path: Path) -> None:
    """Give the whole file its name, which it takes from no other: a power cut leaves it there."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        _refuse_existing(path)
    except OSError:  # a file system without links
        _refuse_existing(path)
        unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sweep(folder: Path) -> None:
    """Remove what backups that were killed have left there: nobody has it locked any more."""
    for left in folder.glob(f"{_UNFINISHED}*.part"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


def _member(name: str, size: int, mtime: float) -> tarfile.TarInfo:
    # Its owner is who unpacks it; for root, root, whose number is the same everywhere.
    found = tarfile.TarInfo(name)
    found.size, found.mode, found.mtime = size, 0o600, int(mtime)
    return found
