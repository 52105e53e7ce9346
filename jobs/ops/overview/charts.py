"""Charts as SVG that needs no script, all of the same days, so that they stand in line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ops.overview.job_tables import Chart, Column

_HEIGHT, _STEP, _BAR = 48, 10, 7.2


def drawn(charts: Sequence[Chart]) -> Iterator[str]:
    """The charts side by side, as HTML."""
    yield '<div class="charts">'
    yield from map(_drawn, charts)
    yield "</div>"


def _drawn(chart: Chart) -> str:
    name, said = escape(chart.name), escape(chart.said)
    columns = "".join(_column(place, column) for place, column in enumerate(chart.columns))
    dates = "".join(f"<span>{date}</span>" for date in chart.dates)
    return (
        f"<figure><figcaption><b>{name}</b> <span>{said}</span></figcaption>"
        f'<svg viewBox="0 0 {len(chart.columns) * _STEP} {_HEIGHT}" preserveAspectRatio="none"'
        f' role="img" aria-label="{name} by day, {said}">{columns}</svg>'
        f'<p class="axis">{dates}</p></figure>'
    )


def _column(place: int, column: Column) -> str:
    height = max(2.0, _HEIGHT * column.height) if column.height else 0.8
    if not column.height and column.tone == "bad":
        height = 2.0  # a day on which all failed is seen, too
    return (
        f"<g><title>{escape(column.said)}</title>"
        f'<rect class="all" x="{place * _STEP}" y="0" width="{_STEP}" height="{_HEIGHT}"/>'
        f'<rect class="{column.tone if height > 1 else "nothing"}"'
        f' x="{place * _STEP + (_STEP - _BAR) / 2:.1f}" y="{_HEIGHT - height:.2f}"'
        f' width="{_BAR}" height="{height:.2f}"/></g>'
    )
