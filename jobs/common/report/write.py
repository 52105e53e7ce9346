"""A day's report on disk, as two files: Markdown and HTML."""

from __future__ import annotations

from pathlib import Path

from common.process.files import make_folder, write_whole
from common.report.day_report import DayReport


def write(report: DayReport, folder: Path) -> Path:
    """Write `2026-11-21.html` and `.md` into the folder, each whole or not at all; return the
    `.md`.

    The Markdown comes last: where a new one is, its page is there already. The folder is made where
    it is missing. Raise OSError as `write_whole` does.
    """
    from common.report.markdown import markdown
    from common.report.report_page import html

    page, text = html(report), markdown(report)  # both made before either is written
    make_folder(folder)
    path = folder / f"{report.day.isoformat()}.md"
    write_whole(path.with_suffix(".html"), page)
    write_whole(path, text)
    return path
