"""What jobs have written for people: reports, evaluations, tables to review."""

from __future__ import annotations

import re
from pathlib import Path

from common.settings import Settings
from ops.overview.model import Written

# A day or a week, as reports and evaluations are named by; what sorts last is the newest.
_REPORT = re.compile(r"\d{4}-(?:\d\d-\d\d|W\d\d)\.html").fullmatch


def folder(found: Settings) -> str:
    """The folder of all reports, as seen from the root."""
    return _folder(found).relative_to(found.root).as_posix()


def index(found: Settings) -> str:
    """The page in that folder that lists all reports, "" where there is none."""
    return "index.html" if (_folder(found) / "index.html").is_file() else ""


def of(found: Settings) -> tuple[Written, ...]:
    """The newest file of each kind that there is of a job."""
    reports, job = _folder(found), found.job
    kinds = (
        ("report", job, [name for name in _names(reports / job) if _REPORT(name)]),
        (
            "evaluation",
            "evaluations",
            [
                name
                for name in _names(reports / "evaluations")
                if name.startswith(f"{job}-") and _REPORT(name.removeprefix(f"{job}-"))
            ],
        ),
        ("review", "review", [name for name in _names(reports / "review") if name == f"{job}.csv"]),
    )
    return tuple(
        Written(kind, f"{inside}/{max(names)}", len(names))
        for kind, inside, names in kinds
        if names
    )


def _folder(found: Settings) -> Path:
    return (found.state if found.demo else found.root) / "reports"


def _names(inside: Path) -> list[str]:
    try:
        return [file.name for file in inside.iterdir()]
    except OSError:
        return []
