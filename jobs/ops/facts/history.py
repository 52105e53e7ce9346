"""state/history.tsv: one line per wrapper run, `end time, run id, job, code, seconds, reason`,
appended by the wrappers.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from common.process.files import check_ours, open_ours, write_whole
from common.process.log import shortened

_READ_BYTES = 4 << 20  # the newest 40,000 lines or so: enough for any question that is asked
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").fullmatch
_RUN_ID = re.compile(r"(\d{8}T\d{6}Z)-\d+").fullmatch
# As run_job.sh begins the reason of a run that only looks at answers.
_MEASURE = re.compile(r"(--(?:try|eval))(?:: |$)").match
_LATE = (
    0.0,
    0.05,
    0.2,
)  # seconds after which a replaced file is looked at for lines that came late


@dataclass(frozen=True)
class Line:
    """How one wrapper run ended."""

    ended_at: str
    run_id: str
    job: str
    code: int
    seconds: int
    reason: str
    measure: str = ""  # --try or --eval: it saved nothing, and was no run of the job


@dataclass(frozen=True)
class History:
    """The newest lines, and how many others among them could not be understood."""

    lines: tuple[Line, ...] = ()
    broken: int = 0


def started_at(run_id: str) -> str:
    """When a run began, as its id says; "" where it does not."""
    if not (found := _RUN_ID(run_id)):
        return ""
    try:
        at = datetime.strptime(f"{found[1]}+0000", "%Y%m%dT%H%M%SZ%z")
    except ValueError:
        return ""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def read(path: Path) -> History:
    """The newest lines of the file; none where there is no file.

    Raises OSError where it cannot be read, JobExit (73) where something else is in its place.
    """
    check_ours(path)
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _READ_BYTES))
            raw = file.read(_READ_BYTES).split(b"\n")
    except FileNotFoundError:
        return History()
    if size > _READ_BYTES:
        del raw[0]  # the end of a line
    lines, broken = [], 0
    for text in raw:
        if line := parsed(text):
            lines.append(line)
        elif text.strip():
            broken += 1
    return History(tuple(lines), broken)


def parsed(raw: bytes) -> Line | None:
    """A line of the file, None where it is none."""
    parts = raw.decode("utf-8", "replace").split("\t")
    if len(parts) != 6 or not _STAMP(parts[0]):
        return None
    try:
        code, seconds = int(parts[3]), int(parts[4])
    except ValueError:
        return None
    measure = _MEASURE(parts[5])
    reason = parts[5][measure.end() :] if measure else parts[5]
    named = measure[1] if measure else ""
    return Line(parts[0], parts[1], parts[2], code, seconds, shortened(reason), named)


def forget(path: Path, is_old: Callable[[Line], bool], *, dry_run: bool) -> tuple[int, int]:
    """Remove the lines that are old: (lines, bytes). A job's newest line stays, and so does what is
    no line.

    The wrappers append without a lock, so the file is replaced, and what was still written to the
    one that it replaces is added to the new one. Raises as read() does.
    """
    check_ours(path)
    try:
        with path.open("rb") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1  # what is being written right now comes late
            rows = content[:whole].splitlines(keepends=True)
            understood = [parsed(row.rstrip(b"\n")) for row in rows]
            newest = {line.job: number for number, line in enumerate(understood) if line}
            kept = [
                row
                for number, (row, line) in enumerate(zip(rows, understood, strict=True))
                if line is None or number == newest[line.job] or not is_old(line)
            ]
            lines, freed = len(rows) - len(kept), whole - sum(map(len, kept))
            if lines and not dry_run:
                write_whole(path, b"".join(kept).decode("utf-8", "replace"))
                _add_late(path, file, whole)
            return lines, freed
    except FileNotFoundError:
        return 0, 0


def reword(path: Path, change: Callable[[str], str], *, dry_run: bool) -> int:
    """Change the reasons of lines: how many changed. Raises as read() does; see forget()."""
    check_ours(path)
    try:
        with path.open("rb") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            before = content[:whole].decode("utf-8", "replace").split("\n")
            after = [_reworded(line, change) for line in before]
            count = sum(one != other for one, other in zip(before, after, strict=True))
            if count and not dry_run:
                write_whole(path, "\n".join(after))
                _add_late(path, file, whole)
            return count
    except FileNotFoundError:
        return 0


def _reworded(line: str, change: Callable[[str], str]) -> str:
    start, tab, reason = line.rpartition("\t")
    return f"{start}{tab}{change(reason)}"


def _add_late(path: Path, file: BinaryIO, whole: int) -> None:
    """Add what was still written to the file that was replaced."""
    file.seek(whole)
    for seconds in _LATE:
        time.sleep(seconds)
        _append(path, file.read())


def _append(path: Path, late: bytes) -> None:
    if late:
        handle = open_ours(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(handle, late)
        finally:
            os.close(handle)
