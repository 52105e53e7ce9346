"""How many records an older version of their job has done, and which version is today's.

A run notes its version with each request, so that nobody has to import a job's script to know it:
pydantic alone would take longer than all else that `status` does. Only where the script or .env was
changed since the newest request is the script asked.
"""

from __future__ import annotations

import math
import sys
from functools import lru_cache
from pathlib import Path

from common.settings import DEFAULT_MODEL, Settings
from common.times import instant
from ops.facts.history import started_at
from ops.ledger.figures import Figures, Newest
from ops.overview.model import Versions


def versions_of(found: Settings, figures: Figures) -> Versions:
    """The versions of today, and what was done by others.

    With a second opinion a job has two of today. A script that cannot be imported has those of its
    newest requests.
    """
    if not figures.versions:
        return Versions()
    today = _today(found, figures)
    others = {one: count for one, count in figures.versions.items() if one not in today}
    unknown = others.pop("", 0)
    return Versions(today, sum(others.values()), len(others), unknown)


def _today(found: Settings, figures: Figures) -> tuple[str, ...]:
    newest = [one for one in (figures.newest, figures.newest_second) if one]
    env, script = _changed(found.root / ".env"), _changed(found.root / "jobs" / f"{found.job}.py")
    changed = max(env, script)
    is_known = figures.newest is not None and all(
        one.version and _began(one) >= changed for one in newest
    )
    # Another model in .env is that of the next run, whatever runs have asked these days.
    model = figures.model
    if not figures.newest or _began(figures.newest) < env:
        model = found.get("CLAUDE_MODEL", DEFAULT_MODEL)
    asked = () if is_known else _asked(found, model)
    return asked or tuple(sorted({one.version for one in newest if one.version}))


def _asked(found: Settings, model: str) -> tuple[str, ...]:
    """The versions that the script says, none where it cannot be imported."""
    path = found.root / "jobs" / f"{found.job}.py"
    try:
        written = path.stat()
    except OSError:
        return ()
    return _asked_of(path, (written.st_mtime_ns, written.st_size), model)


# --watch asks every two seconds.
@lru_cache(maxsize=64)
def _asked_of(path: Path, _: tuple[int, int], model: str) -> tuple[str, ...]:
    from ops.examination.scripts import Unusable, job_of

    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # to look leaves no trace
    try:
        job = job_of(path)
    except Unusable:
        return ()
    finally:
        sys.dont_write_bytecode = writes
    return tuple(sorted({job.version(one) for one in (model, job.second_opinion) if one}))


def _changed(path: Path) -> float:
    """When a file was changed last, in whole seconds, as run ids have them; 0 where there is none.

    An older file that was copied over it keeps its own time of change.
    """
    try:
        status = path.stat()
    except OSError:
        return 0.0
    return math.floor(max(status.st_mtime, status.st_ctime))


def _began(newest: Newest) -> float:
    """When the run of a request had the script in hand already."""
    try:
        return instant(started_at(newest.run_id) or newest.created_at).timestamp()
    except ValueError:
        return 0.0
