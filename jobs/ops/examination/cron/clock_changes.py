"""When this machine's clocks change, and what that does to a line of a crontab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from ops.examination.cron.schedule import Schedule

_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_LOOKED_AHEAD = timedelta(days=366)
_OFTEN = 4  # hours of a day: whoever runs more often than this does not care about one


@dataclass(frozen=True)
class ClockChange:
    """The local times from `start` to `end`, which the clocks skip or repeat in one night."""

    start: datetime
    end: datetime
    skipped: bool


def machine_zone(localtime: Path = Path("/etc/localtime")) -> tzinfo:
    """The time zone of the cron daemon, whatever TZ this shell has."""
    try:
        with localtime.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


def changes(zone: tzinfo, since: datetime) -> Iterator[ClockChange]:
    """The changes of the year that begins at `since`."""

    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or timedelta()

    at = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    end = at + _LOOKED_AHEAD
    while at < end:
        before, after = offset(at), offset(at + _HOUR)
        if before != after:
            moment = at
            while offset(moment + _MINUTE) == before:
                moment += _MINUTE
            moment = (moment + _MINUTE).replace(tzinfo=None)
            low, high = sorted((before, after))
            yield ClockChange(moment + low, moment + high, after > before)
        at += _HOUR


def touched(schedule: Schedule, change: ClockChange) -> bool:
    """Whether a line that fires a few times a day fires in the skipped or repeated hour."""
    if len(schedule.hours) > _OFTEN:
        return False
    minutes = int((change.end - change.start) / _MINUTE)
    return any(schedule.fires(change.start + n * _MINUTE) for n in range(minutes))
