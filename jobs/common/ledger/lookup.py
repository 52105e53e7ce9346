"""The states of many records at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from common.ledger.ledger_database import Statements
from common.ledger.states import RecordState, RecordStatus

_TOGETHER = 500  # records
_STATUS = {str(status): status for status in RecordStatus}


def looked_up(db: Statements, job: str, record_ids: Sequence[str]) -> dict[str, RecordState]:
    """What a ledger holds of these records, by id; a fresh record is not in the answer."""
    states = {}
    for group in groups(record_ids):
        rows = db.execute(
            "select record_id, status, coalesce(request_id, ''), failures, crashes,"
            " coalesce(error, ''), coalesce(version, '') from records"
            f" where job = ? and record_id in {marks(group)}",
            (job, *group),
        ).fetchall()
        if not rows:
            continue
        # Many records share a request: a join would look up its run for each of them.
        requests = {row[2] for row in rows}
        run_of = dict(
            db.execute(
                f"select request_id, run_id from requests where request_id in {marks(requests)}",
                (*requests,),
            ).fetchall()
        )
        for record_id, status, request_id, failures, crashes, error, version in rows:
            run_id = run_of.get(request_id, "")
            states[record_id] = RecordState(
                record_id, _STATUS[status], request_id, run_id, failures, crashes, error, version
            )
    return states


def groups(record_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The same ids, as many at a time as one statement asks about."""
    return (record_ids[first : first + _TOGETHER] for first in range(0, len(record_ids), _TOGETHER))


def marks(values: Collection[object]) -> str:
    """Placeholders for as many values."""
    return f"({','.join('?' * len(values))})"
