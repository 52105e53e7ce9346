"""A week of the calendar, Monday to Sunday, by the rules of ISO 8601: 2026-W47."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

_NAME = re.compile(r"(\d{4})-W(\d\d)", re.ASCII).fullmatch


@dataclass(frozen=True, order=True)
class Week:
    """A week, by its Monday."""

    monday: date

    def __str__(self) -> str:
        year, number, _ = self.monday.isocalendar()
        return f"{year:04}-W{number:02}"

    @property
    def number(self) -> int:
        """1 to 53; the first one of a year has its first Thursday."""
        return self.monday.isocalendar().week

    @property
    def sunday(self) -> date:
        """Its last day."""
        return self.monday + timedelta(days=6)

    @property
    def days(self) -> tuple[date, ...]:
        """Its seven days."""
        return tuple(self.monday + timedelta(days=n) for n in range(7))

    def plus(self, weeks: int) -> Week:
        """The week that many weeks later (earlier where negative)."""
        return Week(self.monday + timedelta(weeks=weeks))


def week_of(day: date) -> Week:
    """The week that a day is in."""
    return Week(day - timedelta(days=day.weekday()))


def week_named(name: str) -> Week | None:
    """The week of a name such as 2026-W47; None for what names none."""
    if not (found := _NAME(name)):
        return None
    try:
        return Week(date.fromisocalendar(int(found[1]), int(found[2]), 1))
    except ValueError:
        return None
