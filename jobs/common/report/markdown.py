"""A day's report as Markdown, to be read in a terminal as well as in a preview.

Every text of a record or of the model goes through `text_of`; all else in here is ours. Blocks are
joined by blank lines; each is one line, or a list or a code fence made here, so that no text can
begin a line that belongs to another's block.
"""

from __future__ import annotations

from collections.abc import Iterator

from common.process.words import counted
from common.report import phrases
from common.report.day_report import DayReport, Entry, Footer, Quote, Report, Section
from common.report.markdown_escape import escaped
from common.report.plain_text import DETAIL, HOUR, QUOTE, SUMMARY, TITLE, WORD, plain
from common.report.trend import trend_words

_WIDTH = 32  # characters of the longest bar
_QUOTES = 3  # of an entry; the page and the table have them all
_BRACKET = "\\]"  # one that does not end the text of a link
_EIGHTHS = " ▏▎▍▌▋▊▉"


def markdown(report: DayReport) -> str:
    """Return the report as Markdown, ending in a newline."""
    return "\n\n".join(_blocks(report)) + "\n"


def _blocks(report: DayReport) -> Iterator[str]:
    yield f"# {text_of(report.title, TITLE)}, {phrases.whole_day(report)}"
    yield from what_matters(report)
    for section in report.sections if report.records else ():
        yield from _section(section, report)
    yield from _glance(report)
    yield from _missing(report)
    yield "---"
    yield f"Every finding with all of its records: {phrases.table_name(report)}"
    yield footer_of(report.footer)


def what_matters(report: Report) -> Iterator[str]:
    """The summary of a report of any time, or why it has none."""
    if report.footer.demo:
        yield f"**{phrases.DEMO}**"
    yield "## What matters"
    if summary := text_of(report.summary, SUMMARY):
        yield summary
    else:
        reason = text_of(report.summary_missing, DETAIL)
        yield f"No summary: {reason}" if reason else "No summary."


def _glance(report: DayReport) -> Iterator[str]:
    compared = phrases.compared(report)
    first = f"**{counted(report.records, 'record')}**" + (f", {compared}" if compared else "")
    hours = [escaped(sentence) for sentence in phrases.hours_said(report)]
    said = [f"{first}.", *hours, f"Times are in {text_of(report.timezone, WORD)}."]
    yield "## In figures"
    yield " ".join(said)
    if report.records and report.by_hour:
        yield "Records by hour:"
        yield chart([(_label(label), count, "") for label, count in report.by_hour])
    if days := phrases.all_days(report):
        yield "Records by day:"
        yield chart(
            [
                (phrases.short_day(day), count, "← this day" if day == report.day else "")
                for day, count in days
            ]
        )


def chart(lines: list[tuple[str, int, str]]) -> str:
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


def _section(section: Section, report: DayReport) -> Iterator[str]:
    yield f"## {escaped(phrases.section_name(section.name))}"
    if not section.entries:
        yield phrases.NONE_TODAY
    shown, folded = phrases.parted(section.entries)
    is_list = section.name == phrases.ACTION_ITEMS
    for entry, first, _again in list(phrases.once(section))[: len(shown)]:
        if is_list:
            yield _check_box(entry, first, report)
            continue
        share = (
            "" if section.name in phrases.NO_SHARE else phrases.share(entry.records, report.records)
        )
        yield f"### {title_of(entry)}"
        weight = phrases.weight(entry)
        said = (f"**{share}**, {weight}" if share else f"**{weight}**") + urgency_of(entry, ", ")
        yield said + _trend(entry, report)
        yield from _body(entry, first, report)
    if folded:
        titles = "; ".join(title_of(entry) for entry in folded)
        yield f"{phrases.folded(folded)}: {titles}"
    names = [text_of(one.title, TITLE) for one in trend_words.gone_shown(section)]
    if gone := trend_words.gone_said(section, report, names):
        yield gone


def _trend(entry: Entry, report: DayReport) -> str:
    """How a theme stands, and its days as a line of characters."""
    if not entry.trend:
        return ""
    line = trend_words.line(entry, report.day)
    drawn = f" `{line}`" if line else ""
    arrow = trend_words.arrow(entry.trend)
    return f", {arrow}{' ' if arrow else ''}{trend_words.said(entry.trend, report.day)}{drawn}"


def urgency_of(entry: Entry, before: str) -> str:
    """How urgent it is, behind `before`; "" where nobody has said."""
    urgency = phrases.URGENCY.get(entry.urgency, "")
    return f"{before}{urgency.lower()}" if urgency else ""


def _check_box(entry: Entry, quotes: list[Quote], report: DayReport) -> str:
    """A list element; what belongs to it is indented by two."""
    first = f"- [ ] **{title_of(entry)}** ({phrases.weight(entry)}{urgency_of(entry, ', ')})"
    return "\n\n".join([first, *("  " + block for block in _body(entry, quotes, report))])


def _body(entry: Entry, quotes: list[Quote], report: DayReport) -> Iterator[str]:
    """The detail, and a few of the quotes that stand nowhere before it, spread over the day."""
    if detail := text_of(entry.detail, DETAIL):
        yield detail
    step = max(1, len(quotes) // _QUOTES)
    yield from (_quote(quote, report) for quote in quotes[::step][:_QUOTES])


def _quote(quote: Quote, report: DayReport) -> str:
    """A quote with time and id first, so that the line runs left to right in any script."""
    text = text_of(quote.text, QUOTE) or "(no text)"
    name = text_of(quote.record_id, WORD)
    if address := phrases.address(report, quote.record_id):
        name = f"[{name.replace(']', _BRACKET)}](<{address}>)"
    return f"> {quote.at:%H:%M}, record {name} — “{text}”"


def _missing(report: DayReport) -> Iterator[str]:
    also = phrases.also_missing(report)
    if not report.unread and not also:
        return
    yield "## What could not be read, and why"
    if report.unread:
        lines = [
            f"- record {text_of(unread.record_id, WORD)} — "
            f"{text_of(unread.reason, QUOTE) or phrases.NO_REASON}"
            for unread in report.unread[: phrases.UNREAD_SHOWN]
        ]
        if more := phrases.unread_more(report):
            lines.append(f"- {more}")
        yield phrases.unread_said(report)
        yield "\n".join(lines)
    yield from also


def footer_of(footer: Footer) -> str:
    """Where a report comes from, and what it cost."""
    facts = [
        f"Model {text_of(footer.model, WORD)}",
        counted(footer.requests, "request"),
        phrases.tokens(footer),
        escaped(phrases.cost(footer)),
        f"run {text_of(footer.run_id, WORD)}",
    ]
    return " · ".join(facts) + (f"\n\n{phrases.DEMO_MADE}" if footer.demo else "")


def title_of(entry: Entry) -> str:
    """A finding's heading."""
    return text_of(entry.title, TITLE) or "(untitled)"


def text_of(text: str, limit: int) -> str:
    """A text of a record or a model as one that means nothing to Markdown."""
    return escaped(plain(text, limit))
