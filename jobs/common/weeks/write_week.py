"""A week's report on disk, as three files: Markdown, HTML, and a table of all its records."""

from __future__ import annotations

from pathlib import Path

from common.report.write import write_files
from common.weeks.week_report import WeekReport


def write(report: WeekReport, folder: Path) -> Path:
    """Write `2026-W47.html`, `.csv` and `.md` into the folder, each whole or not at all; return the
    `.md`.

    The Markdown comes last: where a new one is, the others are there already. The folder is made
    where it is missing. Raise OSError as `write_whole` does.
    """
    from common.weeks.week_markdown import markdown
    from common.weeks.week_page import html
    from common.weeks.week_sheet import week_sheet

    # All are made before any is written.
    page, sheet, text = html(report), week_sheet(report), markdown(report)
    return write_files(folder, report.stem, page=page, sheet=sheet, text=text)
