"""The states of many records at once, and which of a great many are not done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from common.ledger.ledger_database import LedgerDatabase, Statements
from common.ledger.states import RecordState, RecordStatus
from common.row import SEPARATOR

_TOGETHER = 500  # records
_MANY = 20_000
# Takes ids in lists; gives those whose records are not done, and perhaps some of others.
NotDone = Callable[[Iterable[list[str]]], Iterator[str]]
_STATUS = {str(status): status for status in RecordStatus}


def looked_up(db: Statements, job: str, record_ids: Sequence[str]) -> dict[str, RecordState]:
    """What a ledger holds of these records, by id; a fresh record is not in the answer."""
    states = {}
    for first in range(0, len(record_ids), _TOGETHER):
        group = record_ids[first : first + _TOGETHER]
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


def not_done(file: LedgerDatabase, job: str, versions: Collection[str] = ()) -> NotDone | None:
    """What finds those of many ids whose records are not done; None where few are done.

    Where there are `versions`, those count as done that are done by one of these.
    """
    done = "from records where job = ? and status in ('done', 'corrected')"
    if versions:
        done += f" and (version in {marks(versions)} or status = 'corrected')"
    values = (job, *versions)
    if file.db.execute(f"select 1 {done} limit 1 offset {_MANY}", values).fetchone() is None:
        return None
    sql = (
        f"select given.record_id from {file.given}"
        f" where not exists (select 1 {done} and record_id = given.record_id)"
    )

    def ask(texts: list[str]) -> Iterator[str]:
        given = file.as_given(SEPARATOR.join(texts))
        return (record_id for (record_id,) in file.db.execute(sql, (given, *values)))

    def found(lists: Iterable[list[str]]) -> Iterator[str]:
        texts, size = [], 0
        for ids in lists:
            text = SEPARATOR.join(ids)
            if text.count(SEPARATOR) >= len(ids):  # these few may be done or not
                yield from (one for one in ids if SEPARATOR in one)
                text = SEPARATOR.join(one for one in ids if SEPARATOR not in one)
            texts += [text] if text else []
            size += len(text)
            if size >= file.given_at_once:
                yield from ask(texts)
                texts, size = [], 0
        if texts:
            yield from ask(texts)

    return found


def marks(values: Collection[object]) -> str:
    """Placeholders for as many values."""
    return f"({','.join('?' * len(values))})"
