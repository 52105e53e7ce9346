"""Instants, days and durations.

An *instant* is a point in time; `instant` reads every form a created_at column is found in (they
stand in time_forms.py). A *day* is a date in a time zone: it begins at its midnight and has 23 or
25 hours where clocks change.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from common.time_forms import moment

_UTC = ("UTC", "GMT", "UCT", "ZULU", "UNIVERSAL", "UTC0", "GMT0", "GMT+0", "GMT-0", "GREENWICH")
SQL_FORMAT = "%Y-%m-%d %H:%M:%S"
# `:start` and `:end` of a window that holds every record.
ALL_OF_TIME = {"start": "0001-01-01 00:00:00", "end": "9999-12-31 23:59:59"}
# A text in SQL_FORMAT: such texts are in the order of their instants.
is_plain = re.compile(
    # Days 29 to 31 are not in every month: they take the longer way.
    r"[12]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8]) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d",
    re.ASCII,
).fullmatch


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def stamp(at: datetime | None = None) -> str:
    """An instant (default: now) as the ledger and the log write it, `2026-11-22T02:00:01Z`."""
    return (at or now()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(value: object, zone: tzinfo = UTC) -> datetime:
    """The instant that a database value means, in UTC.

    Takes every form that can mean one thing alone (see time_forms.py). A time without an offset is
    UTC; a date without a time is the beginning of that date in `zone`. Raises ValueError for
    anything else.
    """
    at = moment(value)
    if not isinstance(at, datetime):
        return _midnight(at, zone)
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"no time: {value!r}") from error


@lru_cache(maxsize=4096)
def _midnight(day: date, zone: tzinfo) -> datetime:
    try:
        return Day(day, zone).start
    except OverflowError as error:
        raise ValueError(f"no time: {day}") from error


@lru_cache(maxsize=64)
def from_sql(text: str) -> datetime:
    """The instant of a time in SQL_FORMAT."""
    return datetime.strptime(text, SQL_FORMAT).replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Day:
    """A date in a time zone."""

    date: date
    zone: tzinfo

    def __str__(self) -> str:
        return self.date.isoformat()

    @property
    def start(self) -> datetime:
        """The instant of its midnight, in UTC."""
        return datetime(
            self.date.year, self.date.month, self.date.day, tzinfo=self.zone
        ).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The instant at which the next day begins, in UTC."""
        return self.plus(1).start

    def plus(self, days: int) -> Day:
        """The day that many days later (earlier where negative)."""
        return Day(self.date + timedelta(days=days), self.zone)

    def hours(self) -> Iterator[tuple[int, int]]:
        """Its hours in order, each as hour_of: 23 or 25 of them where clocks change."""
        seen = None
        at, end = self.start, self.end
        while at < end:
            if (hour := hour_of(at, self.zone)) != seen:
                yield (seen := hour)
            # Steps of half an hour, since not every change of clocks is a whole hour.
            at += timedelta(minutes=30)


def day_of(at: datetime, zone: tzinfo) -> Day:
    """The day to which an instant belongs. Midnight belongs to the day it begins."""
    return Day(at.astimezone(zone).date(), zone)


def hour_of(at: datetime, zone: tzinfo) -> tuple[int, int]:
    """The hour of an instant's day, and 1 for the second pass of an hour that the clocks repeat,
    else 0.
    """
    local = at.astimezone(zone)
    return local.hour, local.fold


def sql_time(at: datetime) -> str:
    """An instant as `:start` and `:end` carry it: `YYYY-MM-DD HH:MM:SS` in UTC."""
    # Not strftime, which writes the year 999 with three digits.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds")


def zone(name: str, etc: Path = Path("/etc")) -> tuple[str, tzinfo]:
    """A time zone by name, with its name; "" is the machine's own.

    Raises ValueError for a name that is none.
    """
    if not name:
        name = _machine_zone(etc)
    try:
        return name, ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        if name.removeprefix("Etc/").upper() in _UTC:  # needs no database of time zones
            return name, UTC
        raise ValueError(name) from error


def zone_remedy() -> str:
    """What to do about a time zone that zone() does not know."""
    if available_timezones():
        return "no such time zone here: write a name such as Europe/Berlin"
    return "this machine knows no time zones: apt-get install tzdata, or set REPORT_TZ=UTC"


def _machine_zone(etc: Path) -> str:
    name = os.environ.get("TZ", "").lstrip(":")
    if name and not name.startswith("/"):
        return name
    # TZ may name a file: `TZ=:/etc/localtime` is common on servers.
    link = Path(name) if name and name != "/etc/localtime" else etc / "localtime"
    target = str(link.readlink()) if link.is_symlink() else str(link)
    if "zoneinfo/" in target:
        name = target.partition("zoneinfo/")[2]
        return "UTC" if name == "Etc/UTC" else name
    try:
        return (etc / "timezone").read_text(encoding="ascii").strip() or "UTC"
    except OSError:
        return "UTC"
