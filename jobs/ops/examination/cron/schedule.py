"""When a crontab line fires: its five fields, as Vixie cron reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SPECIAL = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"(\*|\w+)(?:[-~](\w+))?(?:/(\d+))?").fullmatch


@dataclass(frozen=True)
class Schedule:
    """The minutes at which a line fires, in local time."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool  # neither of the day fields begins with *: one of the two is enough

    def fires(self, at: datetime) -> bool:
        """Whether it fires in that minute."""
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return (
            at.minute in self.minutes
            and at.hour in self.hours
            and at.month in self.months
            and (day or weekday if self.either_day else day and weekday)
        )


def parse(text: str) -> Schedule | None:
    """The schedule of `17 6 * * *` or `@daily`; None for @reboot. Raises ValueError otherwise."""
    if text == "@reboot":
        return None
    fields = _SPECIAL.get(text, text).split()
    if len(fields) != 5:
        raise ValueError(f"{text} is no time")
    weekdays = _field(fields[4], 0, 7, _DAYS, 0)
    return Schedule(
        _field(fields[0], 0, 59),
        _field(fields[1], 0, 23),
        _field(fields[2], 1, 31),
        _field(fields[3], 1, 12, _MONTHS, 1),
        frozenset(day % 7 for day in weekdays),
        not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def _field(
    text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0
) -> frozenset[int]:
    def number(word: str) -> int:
        if word.lower() in names:
            return names.index(word.lower()) + first
        return int(word)

    values: set[int] = set()
    for part in text.split(","):
        found = _PART(part)
        if not found:
            raise ValueError(f"{text} is no time")
        begin, end, step = found.groups()
        if begin == "*":
            start, stop = low, high
        else:
            start = number(begin)
            stop = number(end) if end else high if step else start
        if not (low <= start <= stop <= high) or (step and int(step) == 0):
            raise ValueError(f"{text} is not within {low}-{high}")
        values.update(range(start, stop + 1, int(step or 1)))
    return frozenset(values)
