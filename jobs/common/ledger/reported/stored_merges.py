"""Merges of a report that were paid for before, found again by what they were about."""

from __future__ import annotations

from common.ledger.ledger_database import Statements


def newest_merge(db: Statements, beginning: str) -> str:
    """The id of the newest request with an answer whose id begins like that, "" for none.

    `beginning` is ASCII. Raises JobExit where the database is to blame.
    """
    row = db.execute(
        "select request_id from requests where request_id >= ? and request_id < ?"
        " and status in ('answered', 'done') and answer is not null"
        " order by created_at desc, request_id desc limit 1",
        (beginning, f"{beginning}~"),
    ).fetchone()
    return row[0] if row else ""
