"""Alerts about failures: those sent (state/JOB.alerted) and those waiting (state/outbox/)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from common import times
from common.process.exits import JobExit
from common.process.files import open_ours
from ops.overview.model import Alert

# As outbox.sh names them: MICROSECONDS-PID.CHANNEL.JOB
_FILE = re.compile(r"(\d{10})\d{6}-\d+\.[a-z_.]+\.([a-z_0-9]+)").fullmatch


@dataclass(frozen=True)
class Waiting:
    """An alert that could not be delivered."""

    job: str
    since: str


def undelivered(state: Path) -> list[Waiting]:
    """The alerts that wait for the next run of any job."""
    try:
        names = sorted(file.name for file in (state / "outbox").iterdir())
    except OSError:
        return []
    return [Waiting(found[2], _stamp(int(found[1]))) for name in names if (found := _FILE(name))]


def about(state: Path, job: str, waiting: list[Waiting]) -> Alert:
    """What concerns one job."""
    mine = [alert.since for alert in waiting if alert.job == job]
    return Alert(_alerted(state / f"{job}.alerted"), len(mine), min(mine, default=""))


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
