"""What is wrong with a job that is made from the stored reports of another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

from common.definition.names import is_name
from common.job import Job
from common.process.words import nearest

# What it has a use for. All else is about records, of which it asks nothing.
_OF_USE = ("name", "output", "save", "merge", "reports_of")


def faults_of_reports(job: Job, script: Path | None) -> Iterator[str]:
    """A sentence for each mistake, with the remedy; nothing for a job without `reports_of`.

    `script` is the job's: the other one stands beside it. None: that is not looked at.
    """
    other = job.reports_of
    if not isinstance(other, str) or not other:
        return
    if not job.merge:
        yield f"reports_of={other!r} is for a report: give merge=…, what to ask about the week"
    if others := [name for name in _arguments_given(job) if name not in _OF_USE]:
        named = ", ".join(f"{name}=…" for name in others)
        why = f"of no use beside reports_of={other!r}, which asks about no record"
        yield f"{named}: {why}: leave it out"
    if other == job.name:
        yield f"reports_of={other!r} is the job itself: name one that writes a report per day"
    elif script and not (is_name(other) and (script.parent / f"{other}.py").is_file()):
        known = [path.stem for path in sorted(script.parent.glob("*.py")) if is_name(path.stem)]
        others = [name for name in known if name != job.name]
        yield f"reports_of={other!r}: there is no jobs/{other}.py: {nearest(other, others)}"


def _arguments_given(job: Job) -> Iterator[str]:
    """The names of the arguments that are not as they are where nothing was said."""
    for field in fields(job):
        default = "" if field.default is MISSING else field.default
        if getattr(job, field.name) != default and field.name not in job.missing:
            yield field.name
