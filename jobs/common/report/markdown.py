"""A day's report as Markdown, to be read in a terminal as well as in a preview.

Every text of a record or of the model goes through `_text`; all else in here is ours. Blocks are
joined by blank lines; each is one line, or a list or a code fence made here, so that no text can
begin a line that belongs to another's block.
"""

from __future__ import annotations

from collections.abc import Iterator

from common.process.words import counted
from common.report import phrases
from common.report.day_report import DayReport, Entry, Footer, Quote, Section
from common.report.markdown_escape import escaped
from common.report.plain_text import DETAIL, HOUR, QUOTE, SUMMARY, TITLE, WORD, plain

_WIDTH = 32  # characters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉"


def markdown(report: DayReport) -> str:
    """Return the report as Markdown, ending in a newline."""
    return "\n\n".join(_blocks(report)) + "\n"


def _blocks(report: DayReport) -> Iterator[str]:
    yield f"# {_text(report.title, TITLE)}, {phrases.long_day(report.day)}"
    if report.footer.demo:
        yield f"**{phrases.DEMO}**"
    yield from _glance(report)
    yield "## What matters"
    if summary := _text(report.summary, SUMMARY):
        yield summary
    else:
        reason = _text(report.summary_missing, DETAIL)
        yield f"No summary: {reason}" if reason else "No summary."
    for section in report.sections:
        yield from _section(section, report.records)
    yield from _missing(report)
    yield "---"
    yield _footer(report.footer)


def _glance(report: DayReport) -> Iterator[str]:
    compared = phrases.compared(report)
    first = f"**{counted(report.records, 'record')}**" + (f", {compared}" if compared else "")
    hours = [escaped(sentence) for sentence in phrases.hours_said(report)]
    said = [f"{first}.", *hours, f"Times are in {_text(report.timezone, WORD)}."]
    yield "## At a glance"
    yield " ".join(said)
    if report.records and report.by_hour:
        yield "Records by hour:"
        yield _chart([(_label(label), count, "") for label, count in report.by_hour])
    if days := phrases.all_days(report):
        yield "Records by day:"
        yield _chart(
            [
                (phrases.short_day(day), count, "← this day" if day == report.day else "")
                for day, count in days
            ]
        )


def _chart(lines: list[tuple[str, int, str]]) -> str:
    """A code fence with a bar for each line; numbers come before the bars, to align in any font."""
    labels = max(len(label) for label, _, _ in lines)
    counts = max(len(phrases.number(count)) for _, count, _ in lines)
    drawn = []
    for (label, count, note), height in zip(
        lines, phrases.heights([c for _, c, _ in lines]), strict=True
    ):
        shown = phrases.number(count) if count else "·"
        drawn.append(f"{label:<{labels}}  {shown:>{counts}}  {_bar(height)}  {note}".rstrip())
    return "\n".join(["```text", *drawn, "```"])


def _bar(height: float) -> str:
    eighths = round(height * _WIDTH * 8)
    if height > 0:
        eighths = max(1, eighths)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def _label(label: str) -> str:
    """An hour's name inside a code fence, where nothing can be escaped."""
    return "".join(
        character if character.isalnum() or character in ":+ …" else "?"
        for character in plain(label, HOUR)
    )


def _section(section: Section, records: int) -> Iterator[str]:
    yield f"## {escaped(phrases.section_name(section.name))}"
    if not section.entries:
        yield phrases.NONE_TODAY
    elif section.name == phrases.ACTION_ITEMS:
        yield "\n\n".join(_check_box(entry) for entry in section.entries)
    else:
        for entry in section.entries:
            share = (
                "" if section.name in phrases.NO_SHARE else phrases.share(entry.records, records)
            )
            yield f"### {_title(entry)}"
            yield (
                f"**{share}**, {phrases.weight(entry)}" if share else f"**{phrases.weight(entry)}**"
            )
            yield from _body(entry)


def _check_box(entry: Entry) -> str:
    """A list element; what belongs to it is indented by two."""
    first = f"- [ ] **{_title(entry)}** ({phrases.weight(entry)})"
    return "\n\n".join([first, *("  " + block for block in _body(entry))])


def _body(entry: Entry) -> Iterator[str]:
    if detail := _text(entry.detail, DETAIL):
        yield detail
    yield from (_quote(quote) for quote in entry.quotes)


def _quote(quote: Quote) -> str:
    """A quote with time and id first, so that the line runs left to right in any script."""
    text = _text(quote.text, QUOTE) or "(no text)"
    return f"> {quote.at:%H:%M}, record {_text(quote.record_id, WORD)} — “{text}”"


def _missing(report: DayReport) -> Iterator[str]:
    also = phrases.also_missing(report)
    if not report.unread and not also:
        return
    yield "## What could not be read, and why"
    if report.unread:
        lines = [
            f"- record {_text(unread.record_id, WORD)} — "
            f"{_text(unread.reason, QUOTE) or phrases.NO_REASON}"
            for unread in report.unread[: phrases.UNREAD_SHOWN]
        ]
        if more := phrases.unread_more(report):
            lines.append(f"- {more}")
        yield phrases.unread_said(report)
        yield "\n".join(lines)
    yield from also


def _footer(footer: Footer) -> str:
    facts = [
        f"Model {_text(footer.model, WORD)}",
        counted(footer.requests, "request"),
        phrases.tokens(footer),
        escaped(phrases.cost(footer)),
        f"run {_text(footer.run_id, WORD)}",
    ]
    return " · ".join(facts) + (f"\n\n{phrases.DEMO}" if footer.demo else "")


def _title(entry: Entry) -> str:
    return _text(entry.title, TITLE) or "(untitled)"


def _text(text: str, limit: int) -> str:
    return escaped(plain(text, limit))
