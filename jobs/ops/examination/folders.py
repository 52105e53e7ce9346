"""logs/, state/ and reports/: can they be written, by whom can they be read, and is there room?"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ops.examination.dotenv_file import user
from ops.examination.lines import Line, fail, ok, warn

FOLDERS = ("logs", "state", "reports")
_LOW, _FULL = 1_000_000_000, 100_000_000  # bytes


def check(root: Path) -> Iterator[Line]:
    """Try each folder by writing in it: permissions say nothing about root or a mount."""
    owner = root.stat().st_uid
    me = os.geteuid()
    if me == 0 and owner != 0:
        yield warn(
            "folders",
            f"this is root, and {root} belongs to {user(owner)}: what root writes, {user(owner)} "
            "cannot",
            f"sudo -u {user(owner)} ./run_job.sh doctor",
        )
    good = []
    for name in FOLDERS:
        found = list(_folder(root / name))
        yield from found
        if not found:
            good.append(f"{name}/")
    if good:
        yield ok("folders", f"{', '.join(good)} can be written, by {user(me)}")


def _folder(folder: Path) -> Iterator[Line]:
    name, mine = f"{folder.name}/", f"chown -R {user(os.geteuid())} {folder}"
    if not folder.exists():
        if not os.access(folder.parent, os.W_OK):
            yield fail(
                "folders", f"{name} is missing and cannot be made", f"mkdir {folder}; {mine}"
            )
        return
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".writable."):
            pass
        others = [path.name for path in folder.iterdir() if not os.access(path, os.W_OK)]
    except OSError as error:
        yield fail("folders", f"{name} cannot be written: {error.strerror}", mine)
        return
    if others:
        yield fail("folders", f"{name} holds what cannot be written: {', '.join(others[:3])}", mine)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        remedy = f"chmod 700 {folder}"
        yield warn("folders", f"{name} has mode {mode:04o}: others read customers' words", remedy)


def disk(root: Path) -> Iterator[Line]:
    """The room on each file system that a run writes to."""
    seen: set[int] = set()
    for folder in (root / name for name in FOLDERS if (root / name).is_dir()):
        if (device := folder.stat().st_dev) in seen:
            continue
        seen.add(device)
        system = os.statvfs(folder)
        files = system.f_favail if system.f_files else 1_000_000
        yield room(folder, system.f_bavail * system.f_frsize, files)


def room(folder: Path, free: int, files: int) -> Line:
    """What so many free bytes and free inodes mean."""
    remedy = "make room: ./run_job.sh prune --older-than 90d, or what `du -xh / | sort -h` shows"
    text = f"{free / 1e9:,.1f} GB free for {folder}"
    if free < _FULL:
        return fail("disk", f"{free / 1e6:,.0f} MB free for {folder}", remedy)
    if files < 1_000:
        return fail("disk", f"room for {files} more files in {folder} (`df -i`)", remedy)
    return warn("disk", text, remedy) if free < _LOW else ok("disk", text)
