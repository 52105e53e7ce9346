"""How many records an older version of their job has done, and which version is today's.

A run notes its version with each request, so that nobody has to import a job's script to know it:
pydantic alone would take longer than all else that `status` does. Only where the script or .env was
changed since the newest request is the script asked.
"""

from __future__ import annotations

import math
import sys

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
    changed = _changed(found)
    is_known = figures.newest is not None and all(
        one.version and _began(one) >= changed for one in newest
    )
    asked = () if is_known else _asked(found)
    return asked or tuple(sorted({one.version for one in newest if one.version}))


def _asked(found: Settings) -> tuple[str, ...]:
    """The versions that the script says, none where it cannot be imported."""
    from ops.examination.scripts import Unusable, job_of

    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # to look leaves no trace
    try:
        job = job_of(found.root / "jobs" / f"{found.job}.py")
    except Unusable:
        return ()
    finally:
        sys.dont_write_bytecode = writes
    models = (found.get("CLAUDE_MODEL", DEFAULT_MODEL), getattr(job, "second_opinion", None))
    return tuple(sorted({job.version(model) for model in models if model}))


def _changed(found: Settings) -> float:
    """When the script or .env was changed last, in whole seconds, as run ids have them."""
    at = 0.0
    for path in (found.root / "jobs" / f"{found.job}.py", found.root / ".env"):
        try:
            status = path.stat()
        except OSError:
            continue
        # An older file that was copied over it keeps its own time of change.
        at = max(at, status.st_mtime, status.st_ctime)
    return math.floor(at)


def _began(newest: Newest) -> float:
    """When the run of a request had the script in hand already."""
    try:
        return instant(started_at(newest.run_id) or newest.created_at).timestamp()
    except ValueError:
        return 0.0
