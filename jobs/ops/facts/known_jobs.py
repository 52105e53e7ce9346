"""The jobs of an installation: those with a script, and those that left a ledger or history."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from common.process import exits
from common.process.command_line import nearest, quoted
from common.process.exits import JobExit
from common.process.files import open_ours
from common.settings import Settings

is_name = re.compile(r"[a-z][a-z0-9_]*").fullmatch
_APPLICATION_ID = (b"Cljb", 68)  # ledger_file.py's, and where SQLite keeps it


def scripts(root: Path) -> list[str]:
    """The jobs of jobs/*.py, in order."""
    return sorted(path.stem for path in (root / "jobs").glob("*.py") if is_name(path.stem))


def meant(text: str, jobs: Sequence[str]) -> str:
    """The job that somebody means: by its name, or by the path of its script.

    Raises JobExit (2), with the nearest name, where there is none.
    """
    name = _name(text)
    if name in jobs:
        return name
    there = ", ".join(jobs)
    hint = nearest(name, jobs)
    raise JobExit(exits.USAGE, f"no job is called {quoted(text)}{hint}; there are: {there}")


def _name(text: str) -> str:
    return text.rpartition("/")[2].removesuffix(".py")


def known_jobs(settings: Settings, mentioned: Iterable[str], asked: str = "") -> list[str]:
    """Every job: the scripts, then those that have a ledger, then those that are mentioned.

    Of a ledger that others may share, their jobs are left out; unless `asked`, the job that
    somebody names, is none of ours.
    """
    found = scripts(settings.root)
    left = {name for name in mentioned if is_name(name)}
    is_ours = not asked or _name(asked) in {*found, *left}
    left.update(_ledgers(settings, and_shared=not is_ours))
    return found + sorted(left.difference(found))


def _ledgers(settings: Settings, *, and_shared: bool) -> list[str]:
    try:
        path = settings.ledger("{job}")
        if isinstance(path, str):
            return _shared(path) if and_shared else []
    except JobExit:
        return []
    before, _, after = path.name.partition("{job}")
    if path.name == before or not path.parent.is_dir():
        return []
    names = (
        file.name[len(before) : len(file.name) - len(after)]
        for file in path.parent.iterdir()
        if file.name.startswith(before) and file.name.endswith(after) and _is_ledger(file)
    )
    return [name for name in names if is_name(name)]


def _shared(address: str) -> list[str]:
    from ops.ledger.postgres_figures import PostgresLook

    with ExitStack() as closing:
        return PostgresLook(address, closing).jobs()


def _is_ledger(path: Path) -> bool:
    mark, place = _APPLICATION_ID
    try:
        with os.fdopen(open_ours(path, os.O_RDONLY), "rb") as file:
            return file.read(place + len(mark))[place:] == mark
    except (JobExit, OSError):
        return False
