"""Writes files whole: a reader finds the old file or the new one, even after a crash. Opens files
that stay, such as locks, only where they are what they should be.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import time
from pathlib import Path

from common.process import exits
from common.process.exits import JobExit

_LEFT_BEHIND = 3600  # seconds; the writer of an unfinished file that old was killed
# What a disk, a file system or its permissions can refuse: nothing of it is a bug.
_CREATING = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST,
    errno.ENOENT, errno.ENAMETOOLONG, errno.ENOTEMPTY, errno.ENXIO,
)  # fmt: skip
_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENODEV, errno.ESTALE)


def open_ours(path: Path, flags: int) -> int:
    """A descriptor of a regular file that is ours (mode 0600 where O_CREAT makes it).

    A link, a pipe or somebody else's file that was put in its place is left alone, and nothing
    waits for a pipe's other end. Raises JobExit (73).
    """
    # O_NONBLOCK means nothing to a regular file.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        check_ours(path)
        message = f"cannot write {path}: {said(error)}"
        raise JobExit(exits.CANNOT_CREATE, message) from error
    wrong = _wrong(path, os.fstat(descriptor))
    if wrong:
        os.close(descriptor)
        raise JobExit(exits.CANNOT_CREATE, wrong)
    return descriptor


def check_ours(path: Path) -> None:
    """Raises JobExit (73) where something stands at `path` that open_ours() would not open."""
    try:
        found = path.lstat()
    except OSError:
        return
    if wrong := _wrong(path, found):
        raise JobExit(exits.CANNOT_CREATE, wrong)


def _wrong(path: Path, found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFLNK: "a symbolic link"}
        return _no_file(path, kinds.get(stat.S_IFMT(found.st_mode), "a device or a socket"))
    # Whoever owns the folder could put any file there anyway; and a mount may show one owner for
    # everything in it.
    if found.st_uid not in (os.geteuid(), path.parent.stat().st_uid):
        whose = f"belongs to another user (uid {found.st_uid})"
        return f"{path} {whose}: move it away, or chown it to uid {os.geteuid()}"
    return ""


def _no_file(path: Path, what: str) -> str:
    return f"{path} is {what}, and no file of ours: remove it or move it away"


def disk_fault(error: Exception) -> JobExit | None:
    """The end of a run that a disk or its permissions refused something; None for other errors."""
    if not isinstance(error, OSError):
        return None
    if error.errno in _WRITING:
        code, what = exits.CANNOT_WRITE, "written"
    elif error.errno in _CREATING and error.filename:
        code, what = exits.CANNOT_CREATE, "used"
    else:
        return None
    names = (error.filename2, error.filename)
    name = next((os.fsdecode(one) for one in names if isinstance(one, (str, bytes))), "a file")
    return JobExit(code, f"{name} could not be {what}: {said(error)}")


def said(error: OSError) -> str:
    """What a disk said, with the command that shows it where that is not plain."""
    if error.errno == errno.ENOSPC:
        return f"{error.strerror} (df -h and df -i show what is left)"
    return error.strerror or str(error)


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
