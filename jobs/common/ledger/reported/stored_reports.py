"""What each report says, kept as JSON in the column `report` of the table `windows`: its findings
with the ids of their records, without the records' own texts.

A job reads its own of the days before, and those of another job, whose ledger it only reads.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from common.ledger.ledger_database import Statements


@dataclass(frozen=True)
class StoredEntry:
    """One finding of a report. Its words are the model's: data, never instructions."""

    section: str
    title: str
    detail: str
    urgency: str  # "now", "today" or "later"; "" where nobody has said
    record_ids: tuple[str, ...]  # all that show it, sorted
    # Which theme it is, the same from day to day, "2026-11-21-5f0c11-3": the day on which it was
    # new comes first. "" outside themes, and where nobody has put them together.
    theme: str = ""


@dataclass(frozen=True)
class StoredReport:
    """What the report of one window (a day: "2026-11-21") says."""

    window: str
    records: int  # of the window; 0: there was nothing to report
    summary: str  # "" where there is none
    made_from: str  # a hash of what it was made from, as in the column of that name
    entries: tuple[StoredEntry, ...] = ()  # in the report's order
    # Whether its themes were matched with those of the days before.
    traced: bool = False
    unread: int = 0  # records of the window that are in no finding, since they could not be read
    # Sums over the requests that it was made from; None where the model has no known price.
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0

    @property
    def has_themes(self) -> bool:
        """Whether it says which themes there were: one that could not be merged does not."""
        return not self.records or any(entry.theme for entry in self.entries)


_Stored = TypeVar("_Stored", StoredEntry, StoredReport)


def stored_reports(
    db: Statements, job: str, first_window: str, last_window: str
) -> list[StoredReport]:
    """The reports of a job from one window to another, both included, in order.

    Windows without a stored report are missing from it. Raises JobExit where the database is to
    blame.
    """
    rows = db.execute(
        'select report from windows where job = ? and "window" >= ? and "window" <= ?'
        ' and report is not null order by "window"',
        (job, first_window, last_window),
    )
    return [_read(text) for (text,) in rows.fetchall()]


def store_report(db: Statements, job: str, report: StoredReport) -> None:
    """Keep a report beside the note that its window is reported, which is there already.

    The caller has begun the transaction that holds both.
    """
    db.execute(
        'update windows set report = ? where job = ? and "window" = ?',
        (json.dumps(asdict(report), separators=(",", ":")), job, report.window),
    )


def _read(text: str) -> StoredReport:
    data = json.loads(text)
    entries = (
        replace(_made(StoredEntry, entry), record_ids=tuple(entry["record_ids"]))
        for entry in data["entries"]
    )
    return replace(_made(StoredReport, data), entries=tuple(entries))


def _made(kind: type[_Stored], data: dict[str, Any]) -> _Stored:
    """What a later version has added is left out."""
    return kind(**{field.name: data[field.name] for field in fields(kind) if field.name in data})
