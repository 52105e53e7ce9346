"""The stored reports of a job: which of them say something of a record, how one is forgotten."""

from __future__ import annotations

import json
import re

from common.ledger.ledger_database import Statements
from common.ledger.reported.stored_reports import StoredReport, stored_reports


def naming_windows(db: Statements, job: str, record_id: str) -> set[str]:
    """The windows (days, weeks) whose stored report has the record in one of its findings.

    With them those that go on with a theme which was the record's alone, in the same words: its
    heading has travelled to their merge.
    """
    named = _with(db, job, json.dumps(record_id))
    naming = {
        one.window: [entry for entry in one.entries if record_id in entry.record_ids]
        for one in named
    }
    windows = {window for window, entries in naming.items() if entries}
    own = {
        (entry.theme, entry.title)
        for entries in naming.values()
        for entry in entries
        if entry.theme and set(entry.record_ids) == {record_id}
    }
    for theme, title in own:
        windows |= {
            one.window
            for one in _with(db, job, json.dumps(theme))
            if any((entry.theme, entry.title) == (theme, title) for entry in one.entries)
        }
    return windows


def forget_report(db: Statements, job: str, window: str, now: str) -> None:
    """What a window's report says goes, with its merge; the next run writes it again.

    The caller has begun a transaction.
    """
    db.execute(
        "update requests set answer = null, error = ?,"
        " status = case when status in ('done', 'answered') then 'failed' else status end"
        " where job = ? and record_ids = '[]' and request_id like ? and answer is not null",
        ("a record of its time was erased", job, f"merge-{window}-%"),
    )
    db.execute(
        "update windows set made_from = '', report = null, updated_at = ?"
        ' where job = ? and "window" = ?',
        (now, job, window),
    )


def _with(db: Statements, job: str, text: str) -> list[StoredReport]:
    """The stored reports that hold a piece of JSON."""
    pattern = re.sub(r"([\\%_])", r"\\\1", text)
    rows = db.execute(
        "select \"window\" from windows where job = ? and report like ? escape '\\'",
        (job, f"%{pattern}%"),
    )
    found = [window for (window,) in rows.fetchall()]
    return [one for window in found for one in stored_reports(db, job, window, window)]
