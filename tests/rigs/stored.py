"""What the ledger of a site keeps of its reports."""

from __future__ import annotations

from contextlib import closing

from common.ledger.reported.stored_reports import StoredReport, stored_reports
from rigs.harness import Site


def stored_reports_of(site: Site, job: str = "daily_report") -> list[StoredReport]:
    """All reports of November 2026, in order."""
    with closing(site.databases.open_ledger(job, read_only=True)) as file:
        return stored_reports(file.db, job, "2026-11-01", "2026-11-30")
