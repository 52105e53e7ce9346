"""Alerts about failures: those sent (state/JOB.alerted) and those waiting (state/outbox/), beside
which announcements of reports wait.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from common import times
from common.process.exits import JobExit
from common.process.files import open_ours
from common.publish.outbox import SETTING
from ops.overview.model import Alert

# As outbox.sh names them: MICROSECONDS-PID.CHANNEL.JOB
_FILE = re.compile(r"(\d{10})\d{6}-\d+\.([a-z_.]+)\.([a-z_0-9]+)").fullmatch


@dataclass(frozen=True)
class Waiting:
    """An alert that could not be delivered, or an announcement that was not sent yet."""

    job: str
    since: str
    announces: bool  # a finished report


def undelivered(state: Path) -> list[Waiting]:
    """What waits for the next run of any job."""
    try:
        names = sorted(file.name for file in (state / "outbox").iterdir())
    except OSError:
        return []
    return [
        Waiting(found[3], _stamp(int(found[1])), found[2] in SETTING)
        for name in names
        if (found := _FILE(name))
    ]


def counted(waiting: list[Waiting], *, announces: bool) -> tuple[int, str]:
    """How many alerts, or announcements, wait, and since when; 0 and "" for none."""
    since = [one.since for one in waiting if one.announces is announces]
    return len(since), min(since, default="")


def about(state: Path, job: str, waiting: list[Waiting]) -> Alert:
    """What concerns one job."""
    mine = [one for one in waiting if one.job == job]
    return Alert(
        _alerted(state / f"{job}.alerted"),
        *counted(mine, announces=False),
        *counted(mine, announces=True),
    )


def _alerted(path: Path) -> str:
    """When the streak of failures began that an alert was sent about; "" for none."""
    try:
        with os.fdopen(open_ours(path, os.O_RDONLY), encoding="ascii", errors="replace") as file:
            text = file.read()
    except (JobExit, OSError):
        return ""
    # As streak.sh writes it: lines NAME=NUMBER.
    numbers = {
        name: int(value)
        for name, _, value in (line.partition("=") for line in text.splitlines())
        if value.isdecimal() and len(value) < 12
    }
    if not numbers.get("alerted") and not numbers.get("stuck"):
        return ""
    return _stamp(numbers.get("since") or numbers.get("alerted") or numbers.get("stuck") or 0)


def _stamp(seconds: int) -> str:
    return times.stamp(datetime.fromtimestamp(seconds, UTC))
