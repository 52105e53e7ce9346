"""Whether a lock is held, found out without disturbing its holder or anybody who wants it."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Collection
from pathlib import Path

from common.process.exits import JobExit
from common.process.files import open_ours
from common.process.lock import signature
from common.process.log import one_line
from ops.ledger.work import Holder
from ops.overview.model import Lock


def held(path: Path, ended: Collection[str]) -> Lock | None:
    """Who holds the lock, None for nobody. `ended`: the runs that are known to have ended."""
    try:
        descriptor = open_ours(path, os.O_RDONLY)
    except JobExit:
        return None
    try:
        pid, since, run_id = map(one_line, signature(descriptor))
        if not _is_held(descriptor, surely_free=run_id in ended):
            return None
    finally:
        os.close(descriptor)
    # Without the wrapper nobody writes a name into it: the one in there is then an older run's.
    return Lock("", "", "") if run_id in ended else Lock(since, pid, run_id)


def living(holder: Holder | None) -> Holder | None:
    """Who holds a lease, unless it is a process of this machine that is no more: its lease ends by
    itself, a minute later at most.
    """
    found = re.fullmatch(r"(.+) pid (\d{1,9})", holder.holder) if holder else None
    if found and found[1] == socket.gethostname():
        try:
            os.kill(int(found[2]), 0)
        except ProcessLookupError:
            return None
        except OSError:  # another user's
            return holder
    return holder


def _is_held(descriptor: int, *, surely_free: bool) -> bool:
    if _kernel_says_so(os.fstat(descriptor)):
        return True
    if surely_free:
        return False
    # Where the kernel's list is not to be had, or is another container's: a shared lock, let go at
    # once. A run that started in that very instant would be refused, so this comes last.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _kernel_says_so(file: os.stat_result) -> bool:
    """Whether /proc/locks, which Linux has, names the file."""
    name = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return False
    return any(" FLOCK " in line and name in line.split() for line in lines)
