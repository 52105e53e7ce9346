"""Which files of an installation are its owner's: those that a fresh clone would not have, or would
have otherwise. Git knows.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_SECONDS = 60
_CACHES = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache")
_LOCAL = "crontab.local"
# What its owner may have edited, where nobody can say what he has.
_PERHAPS = ("jobs/*.py", "jobs/common/claude/prices.json", "crontab.example")


@dataclass
class OwnFiles:
    """Paths from the root, in order, and what is known of the rest."""

    names: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)  # jobs that a fresh clone has again
    commit: str = ""  # of the version on which the edits stand, "" where git does not say
    note: str = ""  # why it is all jobs that are taken


def own_files(root: Path) -> OwnFiles:
    """What git does not know below jobs/, what was edited anywhere, and crontab.local.

    What was committed here and is not in the branch's upstream counts as edited.
    """
    try:
        found = _by_git(root)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        reason = " ".join(said.split())[:120]
        found = OwnFiles(note=f"git does not say which files are your own ({reason})")
        for pattern in _PERHAPS:
            found.names += [str(path.relative_to(root)) for path in root.glob(pattern)]
    if (root / _LOCAL).is_file():
        found.names.append(_LOCAL)
    found.names = sorted(set(found.names))
    return found


def _by_git(root: Path) -> OwnFiles:
    top = _git(root, "rev-parse", "--show-toplevel").rstrip("\n")
    if not Path(top).samefile(root):
        raise OSError(f"{root} is no clone, but stands in one")
    commit = _git(root, "rev-parse", "HEAD").strip()
    try:
        base = _git(root, "merge-base", "HEAD", "@{upstream}").strip()
    except subprocess.CalledProcessError:  # a branch without an upstream
        base = commit
    edited = ("diff", "--no-ext-diff", "--no-renames", "--name-only", "-z")
    changed = _names(root, *edited, "--diff-filter=d", base)
    # Without --exclude-standard: a job that somebody's .gitignore hides is one, too.
    unknown = _names(root, "ls-files", "-z", "--others", "--", "jobs")
    names = [name for name in (*changed, *unknown) if _may_be_kept(root, name)]
    return OwnFiles(names, _names(root, *edited, "--diff-filter=D", base, "--", "jobs/*.py"), base)


def _may_be_kept(root: Path, name: str) -> bool:
    path = root / name
    is_cache = any(part in _CACHES for part in Path(name).parts) or path.suffix == ".pyc"
    is_unfinished = path.name.startswith(".") and path.suffix == ".part"
    return path.is_file() and not is_cache and not is_unfinished


def _names(root: Path, *arguments: str) -> list[str]:
    return [name for name in _git(root, *arguments).split("\0") if name]


def _git(root: Path, *arguments: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(  # noqa: S603 - no word of it comes from others
        ["git", "-C", str(root), *arguments],  # noqa: S607
        env={**environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=_SECONDS,
        encoding="utf-8",
        errors="surrogateescape",
    ).stdout
