"""A day's report as one HTML page: no script, no request for anything, fit to be forwarded and
printed.

Every text of a record or of the model goes through `inline` or `block`, which escape it and let it
run in the direction of its own script; all else in here is ours. Its style is report_page.css.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from common.html_document import document
from common.process.words import counted
from common.publish.page_facts import PageFacts, first_sentence, meta, nav
from common.report import phrases
from common.report.day_report import DayReport, Report
from common.report.page_entries import block, entries_of, inline
from common.report.plain_text import DETAIL, HOUR, QUOTE, SUMMARY, TITLE, WORD, plain


def html(report: DayReport) -> str:
    """Return the report as a whole HTML document, ending in a newline."""
    title = escape(f"{plain(report.title, TITLE)}, {phrases.whole_day(report)}", quote=True)
    facts = _facts(report)
    body = ["<main>", nav(facts), *_body(report), "</main>", footer_of(report)]
    return document(title, Path(__file__).with_name("report_page.css"), body, [meta(facts)])


def _facts(report: DayReport) -> PageFacts:
    """What the list of all reports says of this one."""
    summary = plain(report.summary, SUMMARY)
    return PageFacts(
        title=plain(report.title, TITLE),
        records=report.records,
        sentence=first_sentence(summary) or phrases.no_summary(report),
        actions=len(phrases.actions(report)),
        demo=report.footer.demo,
        until=f"{report.until:%H:%M}" if report.until else "",
    )


def _body(report: DayReport) -> Iterator[str]:
    comma = '<span class="comma">, </span>'
    title = f'<span class="name">{inline(report.title, TITLE)}{comma}</span>'
    weekday, _, day = phrases.long_day(report.day).partition(" ")
    so_far = f'<span class="so-far">{comma}{phrases.so_far(report)}</span>' if report.until else ""
    yield f'<header><h1>{title}{weekday} <span class="date">{day}</span>{so_far}</h1>'
    if report.footer.demo:
        yield f'<p class="demo">{phrases.DEMO}</p>'
    yield "</header>"
    yield from section_of("What matters", "matters", matters(report))
    for section in report.sections if report.records else ():
        name = inline(phrases.section_name(section.name), WORD)
        kind = "actions" if section.name == phrases.ACTION_ITEMS else "entries"
        yield from section_of(name, kind, entries_of(section, report))
    yield from section_of("In figures", "glance", _glance(report))
    if report.unread or phrases.also_missing(report):
        yield from section_of("What could not be read, and why", "missing", _missing(report))


def section_of(heading: str, kind: str, content: Iterator[str]) -> Iterator[str]:
    """A heading and what stands beside it; the heading is escaped already."""
    yield f'<section class="{kind}"><h2>{heading}</h2>'
    yield "<div>"
    yield from content
    yield "</div></section>"


def _glance(report: DayReport) -> Iterator[str]:
    total = (
        f"<strong>{phrases.number(report.records)}</strong> "
        f"{phrases.noun(report.records, 'record')}"
    )
    if compared := phrases.compared(report):
        total += f'<span class="comma">, </span><span class="compared">{compared}</span>'
    yield f'<p class="total">{total}</p>'
    hours = [escape(sentence, quote=True) for sentence in phrases.hours_said(report)]
    said = [*hours, f"Times are in {inline(report.timezone, WORD)}."]
    yield f'<p class="times">{" ".join(said)}</p>'
    days = phrases.all_days(report)
    yield f'<div class="charts{" both" if days and report.records else ""}">'
    if report.records and report.by_hour:
        labels = [escape(plain(label, HOUR), quote=True) for label, _ in report.by_hour]
        names = [escape(phrases.hour_name(label), quote=True) for label, _ in report.by_hour]
        counts = [count for _, count in report.by_hour]
        yield from chart(
            "Records by hour", "hours", labels, names, counts, counts.index(max(counts))
        )
    if days:
        labels = [f"{phrases.weekday(day)}<br>{day.day}" for day, _ in days]
        names = [phrases.long_day(day) for day, _ in days]
        yield from chart(
            "Records by day", "days", labels, names, [count for _, count in days], len(days) - 1
        )
    yield "</div>"


def chart(
    caption: str,
    kind: str,
    labels: list[str],
    names: list[str],
    counts: Sequence[int | None],
    marked: int,
) -> Iterator[str]:
    """A column for each count (None: not known), one in the stronger colour; labels and names are
    escaped already.
    """
    yield f'<figure class="chart {kind}"><figcaption>{caption}</figcaption><ol>'
    for place, (label, name, count) in enumerate(zip(labels, names, counts, strict=True)):
        looks = " ".join(
            look for look, holds in (("marked", place == marked), ("none", not count)) if holds
        )
        height = phrases.heights([one or 0 for one in counts])[place]
        said = "not known" if count is None else counted(count, "record")
        number = "–" if count is None else phrases.number(count)
        yield (
            f'<li class="{looks}" title="{name}: {said}" '
            f'style="--height:{height:.4f}"><span '
            f'class="count">{number}</span><i></i>'
            f'<span class="label">{label}</span></li>'
        )
    yield "</ol></figure>"


def matters(report: Report) -> Iterator[str]:
    """The summary, or why there is none."""
    if plain(report.summary, SUMMARY):
        yield block("p", report.summary, SUMMARY)
    else:
        reason = inline(report.summary_missing, DETAIL)
        yield (
            f'<p class="none">No summary: {reason}</p>'
            if reason
            else '<p class="none">No summary.</p>'
        )


def _missing(report: DayReport) -> Iterator[str]:
    if report.unread:
        yield f"<p>{phrases.unread_said(report)}</p>"
        yield "<ul>"
        for unread in report.unread[: phrases.UNREAD_SHOWN]:
            reason = inline(unread.reason, QUOTE) or phrases.NO_REASON
            yield f"<li>record {inline(unread.record_id, WORD)} — {reason}</li>"
        if more := phrases.unread_more(report):
            yield f"<li>{more}</li>"
        yield "</ul>"
    for sentence in phrases.also_missing(report):
        yield f"<p>{sentence}</p>"


def footer_of(report: Report) -> str:
    """Where the report comes from, and what it cost."""
    footer, table = report.footer, phrases.table_name(report)
    said = f'<p>Every finding with all of its records: <a href="{table}">{table}</a></p>'
    facts = [
        f"Model {inline(footer.model, WORD)}",
        counted(footer.requests, "request"),
        phrases.tokens(footer),
        escape(phrases.cost(footer), quote=True),
        f"run {inline(footer.run_id, WORD)}",
    ]
    demo = f"<p>{phrases.DEMO_MADE}</p>" if footer.demo else ""
    made = " · ".join(f"<span>{fact}</span>" for fact in facts)
    return f"<footer>{said}<p>{made}</p>{demo}</footer>"
