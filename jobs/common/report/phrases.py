"""The words and figures of a report that its Markdown and its HTML have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from common.process.words import counted, usd
from common.report.day_report import DayReport, Entry, Footer
from common.report.plain_text import HOUR, WORD, plain

ACTION_ITEMS = "action_items"  # the section shown as check boxes
NO_SHARE = (
    "anomalies",
    ACTION_ITEMS,
)  # sections that say how many records, not what part of the day
NONE_TODAY = "None today."
DEMO = "Demo: the stand-in wrote this by counting words. No model was asked."
NO_REASON = "no reason known"
UNREAD_SHOWN = 20

# Not strftime: its names follow the machine's locale.


def long_day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def weekday(day: date) -> str:
    return f"{day:%a}"


def short_day(day: date) -> str:
    return f"{day:%a %e %b}"


def number(value: float) -> str:
    """1234 -> "1,234"; a small mean keeps one decimal, for 2.5 is not 2."""
    if value < 10 and round(value, 1) != round(value):
        return f"{value:.1f}"
    return f"{value:,.0f}"


def noun(count: int, one: str) -> str:
    return one if count == 1 else f"{one}s"


def share(part: int, whole: int) -> str:
    """(128, 714) -> "18 %"; never "0 %" of something or "100 %" of not quite all; "" of nothing."""
    if whole <= 0 or part <= 0:
        return ""
    percent = round(100 * part / whole)
    if percent == 0:
        return "under 1 %"
    return "over 99 %" if percent >= 100 and part < whole else f"{percent} %"


def weight(entry: Entry) -> str:
    """How many records show it."""
    return counted(entry.records, "record") if entry.records else "no record named"


def heights(counts: Sequence[int]) -> list[float]:
    """Each count as a part (0 to 1) of the largest one."""
    largest = max(counts, default=0)
    return [count / largest if largest else 0.0 for count in counts]


def section_name(name: str) -> str:
    """ "action_items" -> "Action items"."""
    words = plain(name.replace("_", " "), WORD)
    return words[:1].upper() + words[1:] if words else "Untitled"


def hour_name(label: str) -> str:
    words = plain(label, HOUR)
    return f"{words}:00" if words.isdigit() else words


def all_days(report: DayReport) -> list[tuple[date, int]]:
    """The previous days and this one, oldest first; empty where there is nothing to compare."""
    return [*report.previous, (report.day, report.records)] if report.previous else []


def compared(report: DayReport) -> str:
    """This day against the previous ones: "12 % more than the average of …"; "" without any."""
    days = len(report.previous)
    if not days:
        return ""
    mean = sum(count for _, count in report.previous) / days
    if days > 1:
        other = f"the average of the previous {days} days"
    elif (report.day - report.previous[0][0]).days == 1:
        other = "the day before"
    else:
        other = f"on {long_day(report.previous[0][0])}"
    known = f"{other} ({number(mean)})"
    if mean == 0 and report.records:
        return (
            "after none on the day before"
            if days == 1
            else f"after none in the previous {days} days"
        )
    if report.records == mean:
        return f"as many as {known}"
    if report.records == 0:
        return f"against {known}"
    change = report.records / mean - 1
    if change >= 2:
        return f"{number(round(change + 1, 1))} times {known}"
    percent = round(abs(change) * 100)
    if percent == 0:
        return f"about as many as {known}"
    return f"{percent} % {'more' if change > 0 else 'fewer'} than {known}"


def hours_said(report: DayReport) -> list[str]:
    """What the chart by hour cannot say by itself, as sentences."""
    said = []
    if report.by_hour and report.records:
        label, count = max(report.by_hour, key=lambda hour: hour[1])
        said.append(f"Busiest hour: {hour_name(label)}, with {counted(count, 'record')}.")
    if len(report.by_hour) in (23, 25):
        said.append(f"The clocks changed: this day had {len(report.by_hour)} hours.")
    return said


def unread_said(report: DayReport) -> str:
    """The line above the list of unread records; "" where there are none."""
    count = len(report.unread)
    if not count:
        return ""
    them = "it" if count == 1 else "them"
    return f"{counted(count, 'record')} of this day could not be read, so no theme counts {them}:"


def unread_more(report: DayReport) -> str:
    """ "and 5 more", where the list of unread records is not shown whole."""
    more = len(report.unread) - UNREAD_SHOWN
    return f"and {number(more)} more" if more > 0 else ""


def also_missing(report: DayReport) -> list[str]:
    """What is missing beside the unread records, as sentences."""
    said = []
    if report.ids_removed:
        were = "it was" if report.ids_removed == 1 else "they were"
        ids = counted(report.ids_removed, "record id")
        said.append(f"The model named {ids} that it was not shown; {were} removed.")
    if report.findings_removed:
        were = "it is" if report.findings_removed == 1 else "they are"
        findings = counted(report.findings_removed, "finding")
        said.append(
            f"The model made {findings} about no record that it was shown; {were} left out."
        )
    if report.undated:
        have, they = ("has", "it belongs") if report.undated == 1 else ("have", "they belong")
        records = counted(report.undated, "record")
        said.append(f"{records} of the source {have} no readable time, so {they} to no day.")
    return said


def cost(footer: Footer) -> str:
    return usd(footer.usd, f"cost unknown: no price for {plain(footer.model, WORD)}")


def tokens(footer: Footer) -> str:
    return f"{counted(footer.input_tokens, 'token')} in, {number(footer.output_tokens)} out"
