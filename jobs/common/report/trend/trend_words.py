"""How the trend of a theme is said and drawn: by words beside each arrow, so that a page can be
read in black and white, and aloud.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from common.process.words import counted
from common.report import phrases
from common.report.day_report import DayReport, Entry, Gone, Section, Trend

Days = Sequence[tuple[date, int | None]]
ARROWS = {"up": "↑", "down": "↓"}
_GONE_SHOWN = 5
_LEVELS = "▁▂▃▄▅▆▇█"
_NONE, _UNKNOWN = "·", " "
# The drawing: so many pixels from day to day, and from the smallest count to the largest one.
_STEP, _HEIGHT, _EDGE = 8, 14, 3


def arrow(trend: Trend) -> str:
    """What stands before the words of a trend, "" for none."""
    return ARROWS.get(trend.kind, "")


def said(trend: Trend, day: date) -> str:
    """ "up from 5 a day": against the days before on which the theme was there."""
    if trend.kind == "new":
        return "new"
    number, when = phrases.number(trend.usual), "a day"
    if len(trend.compared) == 1:
        when = _since(trend.compared[0], day, "on ")
    if trend.kind == "usual":
        return f"as usual ({number} {when})"
    return f"{trend.kind} from {number} {when}"


def _since(seen: date, day: date, before: str = "") -> str:
    """A day before another one: "the day before", or "Thu 19 Nov" behind `before`."""
    is_yesterday = day - seen == timedelta(days=1)
    return "the day before" if is_yesterday else f"{before}{seen:%a} {seen.day} {seen:%b}"


def in_a_table(trend: Trend | None) -> str:
    """The same as one word or two, for a column of them."""
    if trend is None:
        return ""
    return "as usual" if trend.kind == "usual" else trend.kind


def gone_said(section: Section, report: DayReport, titles: Sequence[str]) -> str:
    """The line about the themes of a section that are gone; "" where none is.

    `titles`: those of `gone_shown`, escaped for where the line stands.
    """
    if not titles:
        return ""
    since = _since(section.gone[0].seen, report.day)
    shown = [
        f"{title} ({counted(one.records, 'record')})"
        for title, one in zip(titles, section.gone, strict=False)
    ]
    more = len(section.gone) - len(shown)
    rest = [f"{phrases.number(more)} smaller {phrases.noun(more, 'one')}"] if more > 0 else []
    return f"Gone since {since}: {'; '.join(shown + rest)}."


def gone_shown(section: Section) -> tuple[Gone, ...]:
    """The themes that the line names: the heaviest of those that are gone."""
    return section.gone[:_GONE_SHOWN]


def _days(entry: Entry, day: date) -> list[tuple[date, int | None]]:
    """The days before, and this one; none where the theme is new and has no days before it."""
    if entry.trend is None or entry.trend.kind == "new":
        return []
    return [*entry.trend.days, (day, entry.records)]


def line(entry: Entry, day: date) -> str:
    """The theme's days as a line of characters, "··▁▃▂▁▅█": a blank where no report has told."""
    return line_of(_days(entry, day))


def line_of(days: Days) -> str:
    """The same of any days, each with its records; None: no report has told."""
    largest = max((count or 0 for _, count in days), default=0)
    signs = []
    for _, count in days:
        if count is None:
            signs.append(_UNKNOWN)
        elif count == 0:
            signs.append(_NONE)
        else:
            signs.append(_LEVELS[round((count / largest) * (len(_LEVELS) - 1))])
    return "".join(signs).lstrip(_UNKNOWN)


def drawing(entry: Entry, day: date) -> str:
    """The same as an inline SVG with its numbers for those who cannot see it; no text of others is
    in it.
    """
    return drawing_of(_days(entry, day))


def drawing_of(days: Days) -> str:
    """The same of any days, each with its records; None: no report has told."""
    days = [*days]
    while days and days[0][1] is None:
        days.pop(0)
    while days and days[-1][1] is None:
        days.pop()
    if len(days) < 2:
        return ""
    largest = max(count or 0 for _, count in days) or 1
    width, height = _STEP * (len(days) - 1) + 2 * _EDGE, _HEIGHT + 2 * _EDGE
    points = [
        None
        if count is None
        else f"{_EDGE + _STEP * place},{_EDGE + _HEIGHT * (1 - count / largest):.1f}"
        for place, (_, count) in enumerate(days)
    ]
    lines: list[list[str]] = [[]]
    for point in points:
        if point is None:
            lines.append([])
        else:
            lines[-1].append(point)
    drawn = "".join(f'<polyline points="{" ".join(one)}"/>' for one in lines if one)
    x, y = (points[-1] or "0,0").split(",")
    label = ", ".join(
        f"{phrases.weekday(one)} {phrases.number(count) if count is not None else 'not known'}"
        for one, count in days
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="Records by day: {label}"><title>{label}</title>{drawn}'
        f'<circle cx="{x}" cy="{y}" r="2.5"/></svg>'
    )
