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
_COMES_WITH_VENV = {"pip", "setuptools", "wheel"}
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
        if Path(sys.prefix).resolve() == venv.resolve():
            yield from _by_hand(root, set(map(_plain, wanted)))


def _by_hand(root: Path, wanted: set[str]) -> Iterator[Line]:
    """Packages that are installed and pinned nowhere: the next venv/ would be without them."""
    installed = {_plain(package.name): package.version for package in metadata.distributions()}
    names = sorted(installed.keys() - wanted - _COMES_WITH_VENV)
    if not names:
        return
    some = ", ".join(f"{name} {installed[name]}" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    remedy = "pin it in a requirements-NAME.txt of your own: ./run_job.sh --setup --with NAME"
    for file in sorted(root.glob("requirements-*.txt")):
        if set(names) & set(map(_plain, _pins_of(file))):
            extra = file.stem.removeprefix("requirements-")
            remedy = f"./run_job.sh --setup --with {extra}"
    yield warn(_SUBJECT, f"{some}{more} installed by hand: a new venv/ lacks that", remedy)


def _plain(name: str) -> str:
    """A package's name in the one form that all its spellings have in common."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(root: Path, venv: Path) -> dict[str, str]:
    """Package -> version, of each requirements file that this venv was made with."""
    files = [root / "requirements.txt"]
    files += [root / stamp.name for stamp in sorted(venv.glob("requirements-*.txt"))]
    return {name: pin for file in files if file.is_file() for name, pin in _pins_of(file).items()}


def _pins_of(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return {found[1]: found[2] for line in lines if (found := _PIN(line.strip()))}


def _difference(name: str, pin: str) -> str:
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is missing"
    return "" if installed == pin else f"{name} is {installed} and not {pin}"
