"""Which file system a file is on: a ledger needs one with shared memory and real locks."""

from __future__ import annotations

import re
from pathlib import Path

# SQLite's WAL and flock fail on these, quietly.
_NETWORK = re.compile(
    r"nfs4?|cifs|smb\w*|9p|afs|coda|ncpfs|vboxsf|prl_fs|fuse\.(sshfs|s3fs|rclone|gcsfuse|vmhgfs.*|davfs.*)"
)
_FORGETFUL = ("tmpfs", "ramfs")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system(path: Path, mountinfo: str | None = None) -> str:
    """The type of the file system of a path, which need not exist yet; "" where it is unknown."""
    if mountinfo is None:
        try:
            mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    path = path.resolve()
    found, deepest = "", -1
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        fields = left.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = Path(_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), fields[4]))
        # Of two mounts on one place the later one hides the earlier.
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            found, deepest = right.split(" ")[0], len(point.parts)
    return found


def is_network(kind: str) -> bool:
    """Whether a ledger there can be corrupted, or written by two at once."""
    return _NETWORK.fullmatch(kind) is not None


def is_forgetful(kind: str) -> bool:
    """Whether a restart of the machine empties it."""
    return kind in _FORGETFUL
