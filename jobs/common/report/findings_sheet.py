"""All findings of a day's report as a table for spreadsheets: a row for each record of each."""

from __future__ import annotations

from collections.abc import Iterator

from common.process.sheet import table
from common.report.day_report import DayReport
from common.report.trend.trend_words import in_a_table

COLUMNS = ("section", "finding", "record_id", "created_at", "text", "trend")


def findings_sheet(report: DayReport) -> str:
    """The text of a CSV file: the findings in the report's order, each with all of its records.

    `created_at` is local, with its offset from UTC. A finding whose records are gone from the
    source has one row, without a record. `trend` of a theme: new, up, down or as usual. No cell is
    taken for a formula.
    """
    return table(COLUMNS, _rows(report))


def _rows(report: DayReport) -> Iterator[tuple[str, ...]]:
    for section in report.sections:
        for entry in section.entries:
            trend = in_a_table(entry.trend)
            if not entry.quotes:
                yield section.name, entry.title, "", "", "", trend
            for quote in entry.quotes:
                at = quote.at.isoformat(timespec="seconds")
                yield section.name, entry.title, quote.record_id, at, quote.text, trend
