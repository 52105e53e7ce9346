"""A week's report: what is in it.

compose_week.py computes a WeekReport; week_page.py, week_markdown.py and week_sheet.py show it.
The code computes every count from record ids. Every text in it is a model's, and is shown as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from common.report.day_report import Entry, Report, Section
from common.weeks.iso_week import Week


@dataclass(frozen=True, kw_only=True)
class DayOfWeek:
    """One day of the week, as far as its report is stored."""

    day: date
    records: int | None = None  # None: no report of the day is stored
    is_over: bool = True  # False: a demo's week may have days that are yet to come
    requests: int = 0
    usd: float | None = None  # None: not known
    page: str = ""  # its report, as a link from the week's page; "": there is no such file


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a finding went on through the week: in how many records on each day."""

    by_day: tuple[int | None, ...]  # Monday to Sunday; None: no report of that day is stored
    record_ids: tuple[tuple[str, ...], ...]  # the same as ids, seven lists
    first: date  # the first day whose report has it
    # Against the week before: "new", "up", "down", "usual"; "" where there is nothing to compare.
    change: str = ""
    before: int = 0  # records of the week before that show it


@dataclass(frozen=True, kw_only=True)
class WentOn:
    """What became of an action's theme after the day whose report named the action."""

    theme: str  # the theme's heading
    records: int  # of the later days of the week; 0: it has ended
    days: int  # later days with a stored report


@dataclass(frozen=True, kw_only=True)
class WeekEntry(Entry):
    """One theme, anomaly or action item of a week. It has no quotes: each day's report has them."""

    course: Course
    went_on: WentOn | None = None  # of an action, where it is known


def entries_of_week(section: Section) -> tuple[WeekEntry, ...]:
    """A section's entries, which are all of this kind in a week's report."""
    return tuple(entry for entry in section.entries if isinstance(entry, WeekEntry))


@dataclass(frozen=True, kw_only=True)
class WeekReport(Report):
    """All that the report of one week says."""

    week: Week
    days: tuple[DayOfWeek, ...]  # Monday to Sunday
    # Records of the week before, by its days; None where the report of a day is not stored.
    before: tuple[int | None, ...]
    commands: tuple[str, ...]  # which write the reports of the days that lack one

    @property
    def period(self) -> str:
        return str(self.week)

    @property
    def period_in_words(self) -> str:
        first, last = self.week.monday, self.week.sunday
        since = f"{first.day}"
        if first.year != last.year:
            since = f"{first.day} {first:%B} {first.year}"
        elif first.month != last.month:
            since = f"{first.day} {first:%B}"
        until = f"{last.day} {last:%B} {last.year}"
        return f"week {self.week.number}, {since} to {until}"
