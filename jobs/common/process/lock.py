"""One run of a job at a time: an flock on state/JOB.lock, held for the life of the process.

The wrapper takes it and hands the open descriptor on (JOB_LOCK_FD), so that it stays held when the
wrapper is killed; run without the wrapper, the job takes it here. The kernel frees it with the
process. The file is never removed, since two processes could then hold a lock each. It holds one
line that says who has the lock: `pid since run_id`.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from common.process import exits
from common.process.exits import JobExit


def hold(path: Path) -> int:
    """Hold the lock until the process ends; the descriptor that holds it.

    Raises JobExit (75) where another run holds it.
    """
    descriptor = _handed_on(path)
    if descriptor is None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JobExit(exits.CANNOT_CREATE, f"cannot write {path}: {error.strerror}") from error
    try:
        # Taking it again through the wrapper's descriptor is a no-op.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise JobExit(
            exits.NOT_NOW, f"already running ({path.name} is held): nothing done"
        ) from error
    # A child that inherited it would keep the lock after this process has gone.
    os.set_inheritable(descriptor, False)
    return descriptor


def _handed_on(path: Path) -> int | None:
    """The wrapper's descriptor, if it is really one of this lock file."""
    number = os.environ.pop("JOB_LOCK_FD", "")
    if not number.isdigit():
        return None
    try:
        if os.path.samestat(os.fstat(int(number)), path.stat()):
            return int(number)
    except OSError:
        pass
    return None


def sign(lock: int, pid: int, since: str, run_id: str) -> None:
    """Write into the lock file who holds it, as the wrapper does (wrappers/run/lock.sh)."""
    os.pwrite(lock, f"{f'{pid} {since} {run_id}':<79}\n".encode(), 0)


def signature(lock: int) -> tuple[str, str, str]:
    """(pid, since, run id) of whoever signed the lock file last; empty where nobody did."""
    words = os.pread(lock, 200, 0).decode("utf-8", "replace").split()
    return (words[0], words[1], words[2]) if len(words) >= 3 else ("", "", "")
