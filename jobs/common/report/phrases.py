"""The words and figures of a report that its Markdown and its HTML have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from urllib.parse import quote as escaped_in_address

from common.process.words import counted, usd
from common.report.day_report import DayReport, Entry, Footer, Quote, Report, Section
from common.report.plain_text import DETAIL, HOUR, WORD, plain

ACTION_ITEMS = "action_items"  # the section shown as check boxes
# Sections that say how many records, not what part of the day.
NO_SHARE = ("anomalies", ACTION_ITEMS)
URGENCY = {"now": "Now", "today": "Today", "later": "Later"}
SHOWN = 12  # entries of a section that stand open; the others are folded into one line
EVIDENCE_SHOWN = 1_000  # records of one finding on the page; the table has them all
NONE_TODAY = "None today."
DEMO = "Demo: no model was asked."  # at the top; at the end, how it was made instead
DEMO_MADE = (
    "Demo: the stand-in grouped the messages by notes that come with the sample, and by counting"
    " words. No model was asked."
)
NO_REASON = "no reason known"
UNREAD_SHOWN = 20

# Not strftime: its names follow the machine's locale.


def long_day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def so_far(report: Report) -> str:
    """ "so far: what was there at 14:05"; "" for a day that is over."""
    return f"so far: what was there at {report.until:%H:%M}" if report.until else ""


def whole_day(report: Report) -> str:
    """The report's day, and that it is not over where it is not."""
    return ", ".join(filter(None, (report.period_in_words, so_far(report))))


def actions(report: Report) -> tuple[Entry, ...]:
    """What somebody should do, in the report's order."""
    return tuple(
        entry
        for section in report.sections
        if section.name == ACTION_ITEMS
        for entry in section.entries
    )


def no_summary(report: Report) -> str:
    """Why there is no summary, as one sentence."""
    if not report.records:
        return "No records so far." if report.until else "No records."
    reason = plain(report.summary_missing, DETAIL)
    return f"No summary: {reason}" if reason else "No summary."


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


def parted(entries: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The entries that stand open, and those that are folded."""
    return entries[: shown(entries)], entries[shown(entries) :]


def shown(entries: Sequence[Entry], most: int = SHOWN) -> int:
    """How many entries of a section stand open: never is one alone folded."""
    return len(entries) if len(entries) <= most + 1 else most


def folded(entries: Sequence[Entry]) -> str:
    """The line that folded entries stand behind."""
    return f"{number(len(entries))} more"


def once(section: Section) -> Iterator[tuple[Entry, list[Quote], list[Quote]]]:
    """Each entry with the quotes that no entry of the section before it has, and with the others.

    So a text stands in a section once, however many of its findings it shows.
    """
    seen = set[str]()
    for entry in section.entries:
        first = [quote for quote in entry.quotes if quote.record_id not in seen]
        again = [quote for quote in entry.quotes if quote.record_id in seen]
        seen.update(quote.record_id for quote in first)
        yield entry, first, again


def gone(entry: Entry) -> str:
    """What is said of an entry's records that the source no longer has; "" where it has all."""
    count = entry.records - len(entry.quotes)
    if count <= 0:
        return ""
    return f"{counted(count, 'record')} {'is' if count == 1 else 'are'} no longer in the source."


def address(report: Report, record_id: str) -> str:
    """Where a record can be looked at; "" where the job does not say."""
    return report.link.replace("{id}", escaped_in_address(record_id, safe="", errors="replace"))


def table_name(report: Report) -> str:
    """The file beside the page that has all records of all findings."""
    return f"{report.stem}.csv"


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
    """This day against those before and against its weekday; "" without any, and where the day is
    not over.

    "12 % more than the average of …, and 3 % fewer than on the Saturday before (736)".
    """
    if report.until:
        return ""
    days, weekdays = report.previous, report.same_weekday
    said = []
    if days:
        said.append(against(report.records, [count for _, count in days], _those(report, days)))
    if weekdays and weekdays != days:
        name = f"{report.day:%A}"
        if len(weekdays) > 1:
            other = f"the average of the last {len(weekdays)} {name}s"
        elif (report.day - weekdays[0][0]).days == 7:
            other = f"on the {name} before"
        else:
            other = f"on {long_day(weekdays[0][0])}"
        said.append(against(report.records, [count for _, count in weekdays], other))
    return ", and ".join(said)


def _those(report: DayReport, days: Sequence[tuple[date, int]]) -> str:
    if len(days) > 1:
        return f"the average of the previous {len(days)} days"
    if (report.day - days[0][0]).days == 1:
        return "the day before"
    return f"on {long_day(days[0][0])}"


def against(records: int, counts: Sequence[int], other: str) -> str:
    """A day's records against some others' mean, which is called `other`."""
    mean = sum(counts) / len(counts)
    known = f"{other} ({number(mean)})"
    if mean == 0 and records:
        return f"after none {_on(other)}"
    if records == mean:
        return f"as many as {known}"
    if records == 0:
        return f"against {known}"
    change = records / mean - 1
    if change >= 2:
        return f"{number(round(change + 1, 1))} times {known}"
    percent = round(abs(change) * 100)
    if percent == 0:
        return f"about as many as {known}"
    return f"{percent} % {'more' if change > 0 else 'fewer'} than {known}"


def _on(other: str) -> str:
    """ "the average of the previous 7 days" -> "in the previous 7 days"; "on the day before"."""
    days = other.removeprefix("the average of ").removeprefix("on ")
    return f"in {days}" if days.startswith("the previous") else f"on {days}"


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
