"""The words and figures of a week's report that its Markdown and its HTML have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from common.process.words import counted, usd
from common.report import phrases
from common.report.day_report import Section
from common.report.plain_text import TITLE, plain
from common.weeks.course import mean
from common.weeks.week_report import Course, DayOfWeek, WeekEntry, WeekReport, WentOn

SHOWN = 8  # entries of a section that stand open: a week's page prints on two pages
NONE_THIS_WEEK = "None this week."
MISSING = "What is missing, and how it comes"
THEN = "The next run of this job writes the week again, with what has come until then."


def short(day: date) -> str:
    """ "Wed 18"."""
    return f"{day:%a} {day.day}"


def change(course: Course) -> str:
    """ "up from 12", "new", "as in the week before"; "" where there is none to compare."""
    words = {"new": "new", "usual": "as in the week before", "": ""}
    if course.change in words:
        return words[course.change]
    return f"{course.change} from {phrases.number(course.before)}"


def gone(section: Section, titles: Sequence[str]) -> str:
    """The line about the themes of a section that are gone; "" where none is.

    `titles`: those of trend_words.gone_shown(), escaped for where the line stands.
    """
    shown = [
        f"{title} ({counted(one.records, 'record')})"
        for title, one in zip(titles, section.gone, strict=False)
    ]
    more = len(section.gone) - len(shown)
    rest = [f"{phrases.number(more)} smaller {phrases.noun(more, 'one')}"] if more > 0 else []
    return f"Gone since the week before: {'; '.join(shown + rest)}." if shown else ""


def days_of(course: Course, report: WeekReport) -> list[tuple[date, int | None]]:
    """The days of a finding that are over, each with its records; None: no report is stored."""
    days = zip(report.days, course.by_day, strict=True)
    return [(day.day, count) for day, count in days if day.is_over]


def went_on(went: WentOn | None, course: Course) -> str:
    """Whether an action's theme went on after the day of the action, as a sentence."""
    if went is None:
        return ""
    theme, since = plain(went.theme, TITLE).rstrip("."), f"{course.first:%A}"
    if went.records:
        return f"Named on {since}; “{theme}” went on: {counted(went.records, 'record')} since."
    return f"Named on {since}; no record of “{theme}” since."


def without(days: Sequence[DayOfWeek]) -> str:
    """Which days the report is made without, as a sentence; "" where it has all."""
    if not days:
        return ""
    names = [f"{day.day:%A} {day.day.day}" for day in days]
    named = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"Without {named}, of which no report is stored."


def compared(report: WeekReport) -> str:
    """The week's records against those of the week before; "" where that is not known.

    Where days of either are missing, their means are compared.
    """
    before = [one for one in report.before if one is not None]
    now = [day.records for day in report.days if day.records is not None]
    if not before or not now:
        return ""
    if len(before) == len(now) == 7:
        return phrases.against(sum(now), [sum(before)], "the week before")
    ours, theirs = mean(now) or 0.0, mean(before) or 0.0
    days = f"{counted(len(now), 'day')} and {counted(len(before), 'day')} have a report"
    return (
        f"{phrases.number(ours)} a day, after {phrases.number(theirs)} in the week before ({days})"
    )


def of_daily(report: WeekReport) -> str:
    """What the daily reports of the week took, as a sentence."""
    known = [day for day in report.days if day.records is not None]
    requests = sum(day.requests for day in known)
    costs = [day.usd for day in known]
    total = None if None in costs else sum(cost for cost in costs if cost is not None)
    cost = usd(total, "cost unknown")
    reports = counted(len(known), "daily report")
    return f"{reports}: {counted(requests, 'request')}, {cost}."


def day_figures(day: DayOfWeek) -> str:
    """What one daily report took."""
    if day.records is None:
        return "no report" if day.is_over else "not over"
    return f"{counted(day.requests, 'request')}, {usd(day.usd, 'cost unknown')}"


def share_of(entry: WeekEntry, section: str, report: WeekReport) -> str:
    """What part of the week's records a finding has; "" in sections that do not say so."""
    return "" if section in phrases.NO_SHARE else phrases.share(entry.records, report.records)
