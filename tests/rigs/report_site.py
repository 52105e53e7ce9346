"""A site with a nightly report: its days, its records, and what a run of it sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import daily_report
from rigs.harness import Result, Site

# Runs start at two in the morning of this day, so the last finished one is 2026-11-21.
TONIGHT = datetime(2026, 11, 22, 2, tzinfo=UTC)


def night(day: int, hour: int = 2) -> datetime:
    """That hour (UTC) of a day in November 2026."""
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def events(day: str, count: int, first: int = 1) -> list[tuple[int, str, str]]:
    """Some records of a day, at ten in the morning (UTC), with ids from `first`."""
    return [
        (n, f"Where is my parcel number {n}?", f"{day} 10:{n % 60:02}:00")
        for n in range(first, first + count)
    ]


def report(site: Site, *arguments: str, today: datetime = TONIGHT, **environ: Any) -> Result:
    """Run the daily report, on a night of the test's choice."""
    site.today = today
    return site.run(daily_report.JOB, *arguments, retry=None, **environ)


def days_reported(site: Site) -> list[str]:
    """The days that have a report on disk."""
    folder = site.root / "reports" / "daily_report"
    return sorted(path.stem for path in folder.glob("*.md"))


def digested(site: Site) -> list[str]:
    """The ids of all records that were ever billed for, once for each time."""
    return sorted((record for bill in site.billed() for record in bill["records"]), key=_by_number)


def requests_sent(site: Site) -> int:
    """How many messages the stand-in was asked for, billed or not."""
    assert site.standin is not None
    counts: dict[str, Any] = site.standin.counts
    return int(counts["requests"].get("/v1/messages", 0))


def _by_number(record_id: str) -> tuple[int, str]:
    return len(record_id), record_id
