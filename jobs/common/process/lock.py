"""One run of a job at a time: an flock on state/JOB.lock, held for the life of the process; and
a lock on the ledger itself, whichever installation opens it.

The wrapper takes it and hands the open descriptor on (JOB_LOCK_FD), so that it stays held when the
wrapper is killed; run without the wrapper, the job takes it here. The kernel frees it with the
process. The file is never removed, since two processes could then hold a lock each. It holds one
line that says who has the lock: `pid since run_id`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path

from common.process import exits
from common.process.exits import JobExit
from common.process.files import open_ours

# One byte, far behind those that SQLite locks (they begin at 1 << 30) and behind any content.
_BYTE = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 1 << 62, 1, 0)


def hold(path: Path) -> int:
    """Hold the lock until the process ends; the descriptor that holds it.

    Raises JobExit (75) where another run holds it.
    """
    while True:
        descriptor = _handed_on(path)
        if descriptor is None:
            descriptor = open_ours(path, os.O_RDWR | os.O_CREAT)
        try:
            # Taking it again through the wrapper's descriptor is a no-op.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise JobExit(
                exits.NOT_NOW, f"already running ({path.name} is held): nothing done"
            ) from error
        if is_at(descriptor, path):
            break
        # Somebody removed the file: another run may hold the lock of a new one.
        os.close(descriptor)
    # A child that inherited it would keep the lock after this process has gone.
    os.set_inheritable(descriptor, False)
    return descriptor


def _handed_on(path: Path) -> int | None:
    """The wrapper's descriptor, if it is really one of this lock file."""
    number = os.environ.pop("JOB_LOCK_FD", "")
    if not number.isdigit():
        return None
    return int(number) if is_at(int(number), path) else None


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one that stands at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False


def hold_byte(descriptor: int) -> bool:
    """Lock a database file for as long as `descriptor` is open; False where another one holds it.

    SQLite does not notice: it locks other bytes. An flock would not do, since network file systems
    lock the whole file for it. The lock belongs to the open descriptor, unlike SQLite's own, all of
    which go when any descriptor of the file is closed: keep this one open for longer than SQLite's.
    Raises OSError where the file system knows no locks.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _BYTE)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def sign(lock: int, pid: int, since: str, run_id: str) -> None:
    """Write into the lock file who holds it, as the wrapper does (wrappers/run/lock.sh)."""
    os.pwrite(lock, f"{f'{pid} {since} {run_id}':<79}\n".encode(), 0)


def signature(lock: int) -> tuple[str, str, str]:
    """(pid, since, run id) of whoever signed the lock file last; empty where nobody did."""
    words = os.pread(lock, 200, 0).decode("utf-8", "replace").split()
    return (words[0], words[1], words[2]) if len(words) >= 3 else ("", "", "")
