"""The findings on a report's page: each unfolds to all of its records, without a script."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from common.process.words import counted
from common.report import phrases
from common.report.day_report import DayReport, Entry, Quote, Section
from common.report.plain_text import DETAIL, EVIDENCE, TITLE, WORD, plain
from common.report.trend import trend_words


def entries_of(section: Section, report: DayReport) -> Iterator[str]:
    """What stands under the heading of a section, as HTML."""
    if not section.entries:
        yield f'<p class="none">{phrases.NONE_TODAY}</p>'
    quoted = list(phrases.once(section))
    shown, folded = phrases.parted(section.entries)
    for entry, first, again in quoted[: len(shown)]:
        yield from _entry(section, report, entry, first, again)
    if folded:
        yield f'<details class="more"><summary>{phrases.folded(folded)}</summary>'
        for entry, first, again in quoted[len(shown) :]:
            yield from _entry(section, report, entry, first, again)
        yield "</details>"
    titles = [inline(one.title, TITLE) for one in trend_words.gone_shown(section)]
    if gone := trend_words.gone_said(section, report, titles):
        yield f'<p class="gone">{gone}</p>'


def _entry(
    section: Section, report: DayReport, entry: Entry, first: list[Quote], again: list[Quote]
) -> Iterator[str]:
    is_action = section.name == phrases.ACTION_ITEMS
    yield f'<article class="{"action" if is_action else "entry"}">'
    if is_action:
        yield '<span class="box" role="img" aria-label="To do"></span>'
    yield from titled(entry)
    share = "" if section.name in phrases.NO_SHARE else phrases.share(entry.records, report.records)
    if share:
        part = min(1.0, entry.records / report.records)
        yield f'<div class="share" style="--part:{part:.4f}"><i></i></div>'
    detail, weight = plain(entry.detail, DETAIL), phrases.weight(entry)
    if share:
        weight = f"<strong>{share}</strong> · {weight}"
    weight = f'<span class="weight">{weight}</span>{_trend(entry, report)}'
    if detail and not is_action:
        yield block("p", detail, DETAIL)
    elif detail:  # beside the weight: so a screen has room for more of what is to be done
        weight += f' <span class="why">{inline(detail, DETAIL)}</span>'
    if entry.records:
        yield f"<details><summary>{weight}</summary>"
        yield from _evidence(report, entry, first, again)
        yield "</details>"
    else:
        yield f"<p>{weight}</p>"
    yield "</article>"


def titled(entry: Entry) -> Iterator[str]:
    """How urgent an entry is, and its title."""
    if urgency := phrases.URGENCY.get(entry.urgency):
        yield f'<p class="urgency {entry.urgency}">{urgency}</p>'
    yield block("h3", entry.title, TITLE, "(untitled)")


def _trend(entry: Entry, report: DayReport) -> str:
    """How the theme stands, beside its weight: arrow, words, and its days as a small drawing."""
    if not (trend := entry.trend):
        return ""
    sign = trend_words.arrow(trend)
    arrow = f'<span aria-hidden="true">{sign} </span>' if sign else ""
    drawing = trend_words.drawing(entry, report.day)
    return (
        f' <span class="trend {trend.kind}"><span class="comma">, </span>'
        f"{arrow}{trend_words.said(trend, report.day)}{drawing}</span>"
    )


def _evidence(
    report: DayReport, entry: Entry, first: list[Quote], again: list[Quote]
) -> Iterator[str]:
    """All records of an entry: those that are quoted here, then those that are quoted before."""
    left = phrases.EVIDENCE_SHOWN
    if first:
        yield "<ol>"
        for quote in first[:left]:
            yield f"<li>{block('blockquote', quote.text, EVIDENCE, '(no text)')}"
            yield f'<p class="source">{_source(report, quote)}</p></li>'
        yield "</ol>"
    left = max(0, left - len(first))
    if again[:left]:
        sources = "; ".join(f"<span>{_source(report, quote)}</span>" for quote in again[:left])
        yield f'<p class="again">Quoted above: {sources}.</p>'
    if (more := len(entry.quotes) - phrases.EVIDENCE_SHOWN) > 0:
        table = phrases.table_name(report)
        yield f'<p class="again">{counted(more, "record")} more: <a href="{table}">{table}</a></p>'
    if gone := phrases.gone(entry):
        yield f'<p class="again">{gone}</p>'


def _source(report: DayReport, quote: Quote) -> str:
    """When a record came, and its id: a link where the job says to what."""
    name = inline(quote.record_id, WORD)
    if address := phrases.address(report, quote.record_id):
        name = f'<a href="{escape(address, quote=True)}" rel="noreferrer">{name}</a>'
    return f"<time>{quote.at:%H:%M}</time>, record {name}"


def inline(text: str, limit: int) -> str:
    """A text inside a line of ours; `bdi` keeps an Arabic one from turning the words around it."""
    line = plain(text, limit)
    return f"<bdi>{escape(line, quote=True)}</bdi>" if line else ""


def block(tag: str, text: str, limit: int, empty: str = "") -> str:
    """A text that has a block of its own, which runs in the direction of its first letter."""
    return f'<{tag} dir="auto">{escape(plain(text, limit) or empty, quote=True)}</{tag}>'
