"""Is there anything on this machine that starts jobs at night?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ops.examination.lines import Line, idle, ok

_DAEMONS = ("cron", "crond", "fcron", "dcron", "systemd-cron")
_IN_CONTAINER = (".dockerenv", "run/.containerenv", "run/systemd/container")
_UNITS = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")


def check(root: Path, top: Path = Path("/"), home: Path | None = None) -> Iterator[Line]:
    """Look for a cron daemon, or a systemd timer of this installation. `top` is / but in tests."""
    if name := _running(top):
        yield ok("cron", f"{name} is running")
    elif timer := timer_of(root, top, home):
        yield ok("cron", f"no cron, but {timer} starts jobs of {root}")
    elif any((top / name).exists() for name in _IN_CONTAINER):
        text = "no cron is running, and this is a container: nothing in it starts jobs by itself"
        yield idle(
            "cron", text, "run `cron -f` in it, or let the host or your scheduler start run_job.sh"
        )
    else:
        yield idle(
            "cron", "no cron is running", "apt-get install cron && systemctl enable --now cron"
        )


def _running(top: Path) -> str:
    for comm in top.glob("proc/[0-9]*/comm"):
        try:
            name = comm.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile
        if name in _DAEMONS:
            return f"{name} (pid {comm.parent.name})"
    return ""


def timer_of(root: Path, top: Path, home: Path | None) -> str:
    """The systemd timer whose service calls this installation, "" where there is none."""
    folders = [top / name for name in _UNITS]
    if home:
        folders.append(home / ".config/systemd/user")
    for timer in (file for folder in folders for file in sorted(folder.glob("*.timer"))):
        if _names(timer.with_suffix(".service"), root):
            return timer.name
    return ""


def system_crontab(root: Path, top: Path = Path("/")) -> str:
    """The file of the system's own crontabs that names this installation, "" where none does."""
    files = [top / "etc/crontab", *sorted((top / "etc/cron.d").glob("*"))]
    return next((str(file) for file in files if _names(file, root)), "")


def _names(file: Path, root: Path) -> bool:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(f"{root}/" in line for line in lines if not line.lstrip().startswith("#"))
