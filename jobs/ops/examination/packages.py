"""Python, and what is installed in venv/ against the pins of the requirements."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ops.examination.lines import Line, fail, ok, warn

_SUBJECT = "python"
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;#]+)").match
_OLDEST = (3, 11)
REBUILD = "rm -r venv, then ./run_job.sh --setup"


def check(root: Path, venv: Path | None = None) -> Iterator[Line]:
    """Examine this Python, which should be the one of the installation's venv/."""
    venv = venv or root / "venv"
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < _OLDEST:
        yield fail(_SUBJECT, f"{version} is older than 3.11", f"install a newer one; {REBUILD}")
        return
    if Path(sys.prefix).resolve() != venv.resolve():
        yield warn(
            _SUBJECT, f"{sys.executable} is not that of venv/", "./run_job.sh doctor uses it"
        )
    wanted = pins(root, venv)
    wrong = [problem for name, pin in wanted.items() if (problem := _difference(name, pin))]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        yield fail(_SUBJECT, f"{version}, but {', '.join(wrong[:3])}{more}", REBUILD)
    else:
        packages = f"{len(wanted)} packages installed as pinned"
        yield ok(_SUBJECT, f"{version} with SQLite {sqlite3.sqlite_version}, {packages}")


def pins(root: Path, venv: Path) -> dict[str, str]:
    """Package -> version, of each requirements file that this venv was made with."""
    files = [root / "requirements.txt"]
    files += [root / stamp.name for stamp in sorted(venv.glob("requirements-*.txt"))]
    lines = [
        line
        for file in files
        if file.is_file()
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return {found[1]: found[2] for line in lines if (found := _PIN(line.strip()))}


def _difference(name: str, pin: str) -> str:
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing"
    return "" if installed == pin else f"{name} is {installed} and not {pin}"
