"""How another program's SQLite file is opened: what is refused, and so that nothing is left behind.

SQLite makes files beside a database: a rollback journal, or a write-ahead log (-wal) with its index
(-shm). They belong to whoever makes them. Left beside a file that is another user's, they lock its
own application out, so a file that is not ours to write is read without them.
"""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

# A reader that needs neither locks nor an index: for a log whose writers are all gone.
_ALONE = "&vfs=unix-none"
_UNCHANGING = "&immutable=1"


def unreadable(path: Path) -> str:
    """Why there is no SQLite file to be read at `path`, with the remedy; "" where there may be."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return "there is no such file"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return f"it cannot be looked at: {reason}: mend the path, or the rights on its folders"
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder: name the SQLite file in it"
    if not stat.S_ISREG(found.st_mode):
        return "it is a pipe, a socket or a device: name a SQLite file"
    if not _may(path, os.R_OK):
        return f"{_me()} may not read it: {_give(path, 'r')}"
    if not found.st_size:
        return "it is empty: name the SQLite file that has the tables"
    return ""


def unwritable(path: Path) -> str:
    """Why a job must not write into the file, with the remedy; "" where it may."""
    path = path.resolve()
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "it is on a read-only file system: name a file that can be written"
    if not _may(path, os.W_OK):
        return f"{_me()} may not write it, and the results go there: {_give(path, 'w')}"
    if not _may(path.parent, os.W_OK | os.X_OK):
        what = "may not write its folder, where SQLite keeps its journal"
        return f"{_me()} {what}: {_give(path.parent, 'wx')}"
    if _has_log(path) and not _beside(path, "-wal"):
        return unshared(path)
    return ""


def unshared(path: Path) -> str:
    """How what SQLite makes beside the file for us would lock its owner out; "" where it would not.

    A log does so during the whole run, a journal where a run is killed while it writes.
    """
    path = path.resolve()
    if _shared_with_its_owner(path):
        return ""
    return (
        f"what SQLite makes beside it would be {_me()}'s alone, and lock {_owner(path)}'s"
        f" application out: run the job as {_owner(path)}, or give the folder the file's group and"
        " `chmod g+s` it"
    )


def address(path: Path, *, writable: bool) -> str:
    """The URI to open the file with, for sqlite3.connect(…, uri=True).

    What only reads gets mode=rw where that makes SQLite tidy up, and the file is ours to write: it
    then removes the log that it has made, and undoes what a writer that died has left half done.
    The caller has to set `pragma query_only`, and what `settings_for` gives.
    """
    path = path.resolve()
    plain = f"file:{quote(str(path))}?mode="
    log, index = _beside(path, "-wal"), _beside(path, "-shm")
    untidy = _beside(path, "-journal", filled=True) or (_has_log(path) and not (log and index))
    if writable or (untidy and not unwritable(path)):
        return f"{plain}rw"
    if _has_log(path) and not log:
        return f"{plain}ro{_UNCHANGING}"
    if log and not index:
        return f"{plain}ro{_ALONE}"
    return f"{plain}ro"


def settings_for(uri: str) -> str:
    """The pragmas, as a script, that a connection with this address needs before anything else."""
    return "pragma locking_mode = exclusive;" if _ALONE in uri else ""


def watched(path: Path, uri: str) -> tuple[int, ...]:
    """What tells that a file has been written to that is read with no lock on it; () with one."""
    if _UNCHANGING not in uri and _ALONE not in uri:
        return ()
    try:
        found = path.stat()
    except OSError:  # it was moved away
        return (0,)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _beside(path: Path, ending: str, *, filled: bool = False) -> bool:
    try:
        size = path.with_name(path.name + ending).stat().st_size
    except OSError:
        return False
    return bool(size) or not filled


def _has_log(path: Path) -> bool:
    """Whether the file is in SQLite's WAL mode, as its header says."""
    try:
        with path.open("rb") as file:
            return file.read(20)[18:] == b"\2\2"
    except OSError:
        return False


def _may(path: Path, how: int) -> bool:
    # As whom the process acts now, which is not always who started it.
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def _shared_with_its_owner(path: Path) -> bool:
    """Whether its owner could write the files that SQLite makes for us beside the file.

    They get the file's mode, and where root makes them its owner, too.
    """
    file, folder = path.stat(), path.parent.stat()
    if os.geteuid() in (0, file.st_uid) or file.st_mode & stat.S_IWOTH:
        return True
    with suppress(OSError):  # a file system without such rules
        if "system.posix_acl_default" in os.listxattr(path.parent):
            return True
    group = folder.st_gid if folder.st_mode & stat.S_ISGID else os.getegid()
    return bool(file.st_mode & stat.S_IWGRP) and group == file.st_gid


def _give(path: Path, rights: str) -> str:
    """What gives this user the rights."""
    if path.stat().st_uid == os.geteuid():
        return f"`chmod u+{rights} {path}`"
    return f"run the job as {_owner(path)}, or let {_me()} in with `chgrp` and `chmod g+{rights}`"


def _me() -> str:
    return _name(os.geteuid())


def _owner(path: Path) -> str:
    return _name(path.stat().st_uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
