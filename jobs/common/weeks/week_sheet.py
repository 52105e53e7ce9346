"""All findings of a week's report as a table for spreadsheets: a row for each record of each."""

from __future__ import annotations

from collections.abc import Iterator

from common.process.sheet import table
from common.weeks.week_report import WeekReport, entries_of_week

COLUMNS = ("section", "finding", "record_id", "day")


def week_sheet(report: WeekReport) -> str:
    """The text of a CSV file: the findings in the report's order, each with the ids of all its
    records and the days of these. No cell is taken for a formula.
    """
    return table(COLUMNS, _rows(report))


def _rows(report: WeekReport) -> Iterator[tuple[str, ...]]:
    for section in report.sections:
        for entry in entries_of_week(section):
            for day, record_ids in zip(report.days, entry.course.record_ids, strict=True):
                for record_id in record_ids:
                    yield section.name, entry.title, record_id, day.day.isoformat()
