"""A week's report as one HTML page, in the form of a day's: no script, no request for anything.

Every text of a model goes through `inline` or `block`, which escape it; all else in here is ours.
Its style is that of a day's page.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from common.html_document import document
from common.process.words import counted
from common.publish.page_facts import PageFacts, first_sentence, meta, nav
from common.report import phrases, report_page
from common.report.day_report import Section
from common.report.digests import is_theme
from common.report.page_entries import block, inline, titled
from common.report.plain_text import DETAIL, SUMMARY, TITLE, WORD, plain
from common.report.report_page import chart, footer_of, matters, section_of
from common.report.trend import trend_words
from common.weeks import week_phrases
from common.weeks.week_report import Course, WeekEntry, WeekReport, entries_of_week


def html(report: WeekReport) -> str:
    """Return the report as a whole HTML document, ending in a newline."""
    title = escape(f"{plain(report.title, TITLE)}, {report.period_in_words}", quote=True)
    facts = PageFacts(
        title=plain(report.title, TITLE),
        records=report.records,
        sentence=first_sentence(plain(report.summary, SUMMARY)) or phrases.no_summary(report),
        actions=len(phrases.actions(report)),
        demo=report.footer.demo,
    )
    body = ["<main>", nav(facts), *_body(report), "</main>", footer_of(report)]
    style = Path(report_page.__file__).with_name("report_page.css")
    return document(title, style, body, [meta(facts)])


def _body(report: WeekReport) -> Iterator[str]:
    comma = '<span class="comma">, </span>'
    title = f'<span class="name">{inline(report.title, TITLE)}{comma}</span>'
    week, _, days = report.period_in_words.partition(", ")
    lacks = escape(report.lacks, quote=True)
    so_far = f'<span class="so-far">{comma}{lacks}</span>' if lacks else ""
    yield f'<header><h1>{title}{week.capitalize()}, <span class="date">{days}</span>{so_far}</h1>'
    if report.footer.demo:
        yield f'<p class="demo">{phrases.DEMO}</p>'
    yield "</header>"
    yield from section_of("What matters", "matters", matters(report))
    for section in report.sections:
        name = inline(phrases.section_name(section.name), WORD)
        kind = "actions" if section.name == phrases.ACTION_ITEMS else "entries"
        yield from section_of(name, kind, _entries(section, report))
    yield from section_of("In figures", "glance", _glance(report))
    if report.lacks:
        yield from section_of(week_phrases.MISSING, "missing", _missing(report))


def _entries(section: Section, report: WeekReport) -> Iterator[str]:
    if not section.entries:
        yield f'<p class="none">{week_phrases.NONE_THIS_WEEK}</p>'
    entries = entries_of_week(section)
    shown = phrases.shown(entries, week_phrases.SHOWN)
    for entry in entries[:shown]:
        yield from _entry(section, report, entry)
    if folded := entries[shown:]:
        yield f'<details class="more"><summary>{phrases.folded(folded)}</summary>'
        for entry in folded:
            yield from _entry(section, report, entry)
        yield "</details>"
    titles = [inline(one.title, TITLE) for one in trend_words.gone_shown(section)]
    if gone := week_phrases.gone(section, titles):
        yield f'<p class="gone">{gone}</p>'


def _entry(section: Section, report: WeekReport, entry: WeekEntry) -> Iterator[str]:
    is_action = section.name == phrases.ACTION_ITEMS
    yield f'<article class="{"action" if is_action else "entry"}">'
    if is_action:
        yield '<span class="box" role="img" aria-label="To do"></span>'
    yield from titled(entry)
    detail, weight = plain(entry.detail, DETAIL), phrases.weight(entry)
    if share := week_phrases.share_of(entry, section.name, report):
        weight = f"<strong>{share}</strong> · {weight}"
    weight = f'<span class="weight">{weight}</span>'
    if is_theme(section.name):
        weight += _trend(entry.course, report)
    if detail and not is_action:
        yield block("p", detail, DETAIL)
    elif detail:
        weight += f' <span class="why">{inline(detail, DETAIL)}</span>'
    yield f"<details><summary>{weight}</summary>{_days(entry.course, report)}</details>"
    if went_on := week_phrases.went_on(entry.went_on, entry.course):
        yield block("p", went_on, DETAIL)
    yield "</article>"


def _trend(course: Course, report: WeekReport) -> str:
    """How a theme stands against the week before, and its seven days as a small drawing."""
    change, sign = week_phrases.change(course), trend_words.ARROWS.get(course.change, "")
    arrow = f'<span aria-hidden="true">{sign} </span>' if sign else ""
    words = f'<span class="comma">, </span>{arrow}{change}' if change else ""
    drawing = trend_words.drawing_of(week_phrases.days_of(course, report))
    return f' <span class="trend {course.change}">{words}{drawing}</span>'


def _days(course: Course, report: WeekReport) -> str:
    """The days of a finding, each with a link to the report that quotes its records."""
    found = []
    for day, count in zip(report.days, course.by_day, strict=True):
        if count:
            name = week_phrases.short(day.day)
            if day.page:
                name = f'<a href="{escape(day.page, quote=True)}">{name}</a>'
            found.append(f"<span>{name}: {counted(count, 'record')}</span>")
    table = phrases.table_name(report)
    ids = f'their ids: <a href="{table}">{table}</a>'
    return f'<p class="again">{"; ".join([*found, ids])}</p>'


def _glance(report: WeekReport) -> Iterator[str]:
    records = phrases.number(report.records)
    total = f"<strong>{records}</strong> {phrases.noun(report.records, 'record')}"
    if compared := week_phrases.compared(report):
        total += f'<span class="comma">, </span><span class="compared">{compared}</span>'
    yield f'<p class="total">{total}</p>'
    ours = f"This report: {counted(report.footer.requests, 'request')}, "
    cost = escape(phrases.cost(report.footer), quote=True)
    zone = f"Days are those of {inline(report.timezone, WORD)}."
    yield f'<p class="times">{week_phrases.of_daily(report)} {ours}{cost}. {zone}</p>'
    counts = [day.records for day in report.days]
    labels = [f"{day.day:%a}<br>{day.day.day}" for day in report.days]
    names = [
        phrases.long_day(day.day)
        + (f", {week_phrases.day_figures(day)}" if day.records is not None else "")
        for day in report.days
    ]
    marked = max(range(7), key=lambda place: counts[place] or 0)
    yield '<div class="charts">'
    yield from chart("Records by day", "days", labels, names, counts, marked)
    yield "</div>"


def _missing(report: WeekReport) -> Iterator[str]:
    yield f"<p>{report.lacks}</p><ul>"
    yield from (f"<li><code>{escape(command)}</code></li>" for command in report.commands)
    yield f"</ul><p>{week_phrases.THEN}</p>"
