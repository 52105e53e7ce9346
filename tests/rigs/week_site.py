"""A site whose daily reports are stored, as a weekly report reads them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import weekly_report
from common.ledger.reported.stored_reports import StoredEntry, StoredReport, store_report
from common.ledger.runs import Runs
from rigs.harness import Result, Site

MONDAY = datetime(2026, 11, 23, 6, 47, tzinfo=UTC)  # after 2026-W47
FIRST = date(2026, 11, 9)  # of 2026-W46


def weekly(site: Site, *arguments: str, today: datetime = MONDAY, **environ: Any) -> Result:
    """Run the weekly report, by default on the Monday after 2026-W47."""
    site.today = today
    return site.run(weekly_report.JOB, *arguments, **environ)


def entry(title: str, *ids: object, section: str = "themes", **more: Any) -> StoredEntry:
    """A finding of a day."""
    words = {"detail": f"{title}, in a sentence.", "urgency": "", "theme": "", **more}
    return StoredEntry(section=section, title=title, record_ids=tuple(map(str, ids)), **words)


def store(site: Site, day: date, *entries: StoredEntry, records: int | None = None) -> None:
    """Let the ledger of daily_report keep a report of that day."""
    ids = {one for finding in entries for one in finding.record_ids}
    window, count = str(day), len(ids) if records is None else records
    made_from = f"{window}-{count}"
    told = StoredReport(window, count, "All quiet.", made_from, entries, requests=2, usd=0.01)
    with closing(site.databases.open_ledger("daily_report")) as file, file.transaction():
        Runs(file, "daily_report", "20261123T061700Z-1").set_reported(window, count, told.made_from)
        store_report(file.db, "daily_report", told)


def parcels(day: date, count: int) -> StoredEntry:
    """The theme of late parcels on a day: so many records, whose ids begin with the day."""
    ids = [f"{day:%d}{n:02}" for n in range(count)]
    return entry("Late parcels", *ids, theme="2026-11-09-aaaaaa-1")


def store_days(site: Site, *days: str) -> None:
    """Let these days have a report: two parcels on each of 2026-W46, four on each of 2026-W47."""
    for name in days:
        day = date.fromisoformat(name)
        store(site, day, parcels(day, 2 if day < MONDAY.date() - timedelta(days=7) else 4))


def two_weeks(site: Site, *without: str) -> None:
    """All days of these two weeks have a report, but for those that are named."""
    days = (str(FIRST + timedelta(days=number)) for number in range(14))
    store_days(site, *(day for day in days if day not in without))


def weeks_written(site: Site) -> list[str]:
    """The weeks that have a report on disk."""
    return sorted(path.stem for path in (site.root / "reports/weekly_report").glob("*.md"))


def week(site: Site, name: str = "2026-W47") -> str:
    """A week's report, as Markdown."""
    return site.report(name, "weekly_report")
