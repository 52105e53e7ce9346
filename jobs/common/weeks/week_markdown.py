"""A week's report as Markdown, in the form of a day's."""

from __future__ import annotations

from collections.abc import Iterator

from common.process.words import counted
from common.report import phrases
from common.report.day_report import Section
from common.report.digests import is_theme
from common.report.markdown import (
    chart,
    footer_of,
    text_of,
    title_of,
    urgency_of,
    what_matters,
)
from common.report.markdown_escape import escaped
from common.report.plain_text import DETAIL, TITLE, WORD
from common.report.trend import trend_words
from common.weeks import week_phrases
from common.weeks.week_report import Course, WeekEntry, WeekReport, entries_of_week


def markdown(report: WeekReport) -> str:
    """Return the report as Markdown, ending in a newline."""
    return "\n\n".join(_blocks(report)) + "\n"


def _blocks(report: WeekReport) -> Iterator[str]:
    yield f"# {text_of(report.title, TITLE)}, {report.period_in_words}"
    if report.lacks:
        yield f"**{report.lacks}**"
    yield from what_matters(report)
    for section in report.sections:
        yield from _section(section, report)
    yield from _glance(report)
    if report.lacks:
        yield f"## {week_phrases.MISSING}"
        yield report.lacks
        yield "\n".join(["```console", *(f"$ {command}" for command in report.commands), "```"])
        yield week_phrases.THEN
    yield "---"
    yield f"Every finding with the ids of its records: {phrases.table_name(report)}"
    yield footer_of(report.footer)


def _section(section: Section, report: WeekReport) -> Iterator[str]:
    yield f"## {escaped(phrases.section_name(section.name))}"
    if not section.entries:
        yield week_phrases.NONE_THIS_WEEK
    entries = entries_of_week(section)
    shown = phrases.shown(entries, week_phrases.SHOWN)
    for entry in entries[:shown]:
        yield from _entry(section, report, entry)
    if folded := entries[shown:]:
        titles = "; ".join(title_of(entry) for entry in folded)
        yield f"{phrases.folded(folded)}: {titles}"
    names = [text_of(one.title, TITLE) for one in trend_words.gone_shown(section)]
    if gone := week_phrases.gone(section, names):
        yield gone


def _entry(section: Section, report: WeekReport, entry: WeekEntry) -> Iterator[str]:
    weight = f"{phrases.weight(entry)}{urgency_of(entry, ', ')}"
    detail = text_of(entry.detail, DETAIL)
    if section.name == phrases.ACTION_ITEMS:
        blocks = [f"- [ ] **{title_of(entry)}** ({weight})", detail, _went_on(entry)]
        yield "\n\n  ".join(filter(None, blocks))
        return
    yield f"### {title_of(entry)}"
    share = week_phrases.share_of(entry, section.name, report)
    facts = [f"**{share}**", weight] if share else [f"**{weight}**"]
    if is_theme(section.name):
        facts += _trend(entry.course, report)
    yield ", ".join(facts)
    if detail:
        yield detail


def _trend(course: Course, report: WeekReport) -> Iterator[str]:
    """How a theme stands against the week before, and its days as a line of characters."""
    if change := week_phrases.change(course):
        yield f"{trend_words.ARROWS.get(course.change, '')} {change}".strip()
    yield f"`{trend_words.line_of(week_phrases.days_of(course, report))}`"


def _went_on(entry: WeekEntry) -> str:
    return text_of(week_phrases.went_on(entry.went_on, entry.course), DETAIL)


def _glance(report: WeekReport) -> Iterator[str]:
    compared = week_phrases.compared(report)
    first = f"**{counted(report.records, 'record')}**" + (f", {compared}" if compared else "")
    footer = report.footer
    ours = f"This report: {counted(footer.requests, 'request')}, {escaped(phrases.cost(footer))}."
    zone = f"Days are those of {text_of(report.timezone, WORD)}."
    yield "## In figures"
    yield f"{first}. {escaped(week_phrases.of_daily(report))} {ours} {zone}"
    yield chart(
        [
            (phrases.short_day(day.day), day.records or 0, week_phrases.day_figures(day))
            for day in report.days
        ]
    )
