"""A column for each of a job's last thirty days, as SVG that needs no script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from common.process.words import counted, duration
from ops.overview import sentences
from ops.overview.model import Day

_HEIGHT, _STEP, _BAR = 48, 10, 7.2


def charts(days: Sequence[Day]) -> str:
    """Records, cost and duration, side by side."""
    return (
        '<div class="charts">'
        + _chart("Records done", days, lambda day: day.records, lambda value: f"{value:,.0f}")
        + _chart("Cost", days, lambda day: day.usd, sentences.usd)
        + _chart("Time running", days, lambda day: day.seconds, _seconds)
        + "</div>"
    )


def _seconds(value: float) -> str:
    return duration(round(value)).replace(".0s", "s")


def _chart(
    name: str, days: Sequence[Day], value: Callable[[Day], float], shown: Callable[[float], str]
) -> str:
    largest = max((value(day) for day in days), default=0.0)
    most = next((day for day in days if largest and value(day) == largest), None)
    said = f"most: {shown(largest)} on {_date(most.day)}" if most else "none in thirty days"
    bad = any(day.bad_runs for day in days)
    if not most and not bad:
        return (
            f"<figure><figcaption><b>{escape(name)}</b> <span>{said}</span></figcaption></figure>"
        )
    columns = "".join(
        _column(place, day, value(day), largest, shown) for place, day in enumerate(days)
    )
    width = len(days) * _STEP
    return (
        f"<figure><figcaption><b>{escape(name)}</b> <span>{escape(said)}</span></figcaption>"
        f'<svg viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(name)} by day, {escape(said)}">{columns}</svg>'
        f'<p class="axis"><span>{_date(days[0].day)}</span><span>today</span></p></figure>'
    )


def _column(
    place: int, day: Day, value: float, largest: float, shown: Callable[[float], str]
) -> str:
    height = max(2.0, _HEIGHT * value / largest) if value and largest else 0.8
    looks = "bad" if day.bad_runs else "some" if value else "none"
    if day.bad_runs and not value:
        height = 2.0
    said = f"{day.day}: {shown(value)}"
    if day.runs:
        said += f", {counted(day.runs, 'run')}"
    if day.bad_runs:
        said += f", {day.bad_runs} failed"
    return (
        f"<g><title>{escape(said)}</title>"
        f'<rect class="all" x="{place * _STEP}" y="0" width="{_STEP}" height="{_HEIGHT}"/>'
        f'<rect class="{looks}" x="{place * _STEP + (_STEP - _BAR) / 2:.1f}" '
        f'y="{_HEIGHT - height:.2f}"'
        f' width="{_BAR}" height="{height:.2f}"/></g>'
    )


def _date(day: str) -> str:
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f"{int(day[8:])} {months[int(day[5:7]) - 1]}"
