"""Which rows of the user's own tables a record's outputs went to, as far as its script says."""

from __future__ import annotations

import re

from common.process.exits import JobExit
from common.settings import Settings
from ops.examination.scripts import Unusable, job_of

_MADE = re.compile(r"create\s+table\s+(?:if\s+not\s+exists\s+)?([\w.\"]+)", re.IGNORECASE)


def own_rows(found: Settings, record_id: str) -> list[str]:
    """What is left for the user to clean, in lines."""
    path = found.root / "jobs" / f"{found.job}.py"
    try:
        job = job_of(path) if path.exists() else None
    except (Unusable, JobExit):
        job = None
    if job is None:
        return [f"its outputs went where save() of {path.name} put them: those rows are yours"]
    if job.reports_of:
        return []
    reads = f"yours, too: the row that the SELECT of jobs/{path.name} reads"
    reads += " (a job that has not asked about it yet would send it)"
    if job.per_day:
        return [reads]
    where = "RECORDS_DB" if not found.demo else "state/demo/_records.db"
    key = f"record_id = {_quoted(record_id)}"
    tables = _MADE.findall(job.tables or "")
    lines = [f"yours to delete, in {where}: table {table}, {key}" for table in tables]
    if not lines:
        lines = [f"yours to delete: what save() of jobs/{path.name} wrote for {_quoted(record_id)}"]
    return [*lines, reads]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
