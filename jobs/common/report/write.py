"""A day's report on disk, as three files: Markdown, HTML, and a table of all its evidence."""

from __future__ import annotations

from pathlib import Path

from common.process.files import make_folder, write_whole
from common.report.day_report import DayReport


def write(report: DayReport, folder: Path) -> Path:
    """Write `2026-11-21.html`, `.csv` and `.md` into the folder, each whole or not at all; return
    the `.md`.

    The Markdown comes last: where a new one is, the others are there already. The folder is made
    where it is missing. Raise OSError as `write_whole` does.
    """
    from common.report.findings_sheet import findings_sheet
    from common.report.markdown import markdown
    from common.report.report_page import html

    # All are made before any is written.
    page, sheet, text = html(report), findings_sheet(report), markdown(report)
    return write_files(folder, report.stem, page=page, sheet=sheet, text=text)


def write_files(folder: Path, stem: str, *, page: str, sheet: str, text: str) -> Path:
    """Write the three files of a report; return the `.md`, which comes last. Raise OSError."""
    make_folder(folder)
    path = folder / f"{stem}.md"
    write_whole(path.with_suffix(".html"), page)
    write_whole(path.with_suffix(".csv"), sheet)
    write_whole(path, text)
    return path
