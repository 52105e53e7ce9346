"""Files in which git has left the marks of a conflict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from common.process.conflicts import conflict_in
from ops.examination.lines import Line, fail

_LOOKED_AT = ("*.sh", "*.example", "*.local", "requirements*.txt", ".env", ".git[ai]*", "VERSION")


def check(root: Path) -> Iterator[Line]:
    """Every file that a run reads: scripts, settings, requirements, and all in jobs/."""
    files = {path for pattern in _LOOKED_AT for path in root.glob(pattern)}
    files |= {path for path in (root / "jobs").rglob("*") if "__pycache__" not in path.parts}
    for path in sorted(files):
        if path.is_file() and (found := conflict_in(path)):
            yield fail("files", f"{path.relative_to(root)} {found}", "git status names them all")
