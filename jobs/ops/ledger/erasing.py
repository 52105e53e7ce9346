"""What a ledger holds about one record, and how it forgets that: text and answers go, while the
key, the tokens and the USD stay.

The record becomes a dead letter with the reason ERASED, under the job's name and under every one
under which answers stand apart. All of it is one transaction, so that a kill in the middle leaves
the ledger as it was, and to do it again changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from common import times
from common.ledger.apart import names
from common.ledger.erasure.erased_records import ErasedRecords
from common.ledger.erasure.other_parts import ERASED, shared_findings, without
from common.ledger.ledger_database import LedgerDatabase, Statements
from common.ledger.lookup import marks
from common.ledger.sqlite_ledger import LedgerFile
from ops.ledger.erased_reports import forget_report, naming_windows

_SHARED = "one of its records was erased"
_NOT_ERASED = "not (status = 'dead' and coalesce(error, '') = ?)"
_DAY_OF_MERGE = re.compile(r"merge-(\d{4}-\d\d-\d\d)-").match


@dataclass(frozen=True)
class NamingRequest:
    """A request that was, or is to be, sent about the record, perhaps with others."""

    request_id: str
    name: str  # the job's, or one under which answers stand apart
    status: str
    record_ids: list[str]
    created_at: str
    message_batch_id: str
    has_answer: bool


@dataclass(frozen=True)
class NamedMessageBatch:
    """A message batch that the record travelled in."""

    message_batch_id: str
    status: str
    created_at: str
    expires_at: str


@dataclass
class Held:
    """What the ledger of one job holds about a record."""

    record_id: str
    names: list[str]
    rows: int = 0  # under these names
    left: int = 0  # of them, those that are not erased yet
    outputs: int = 0
    windows: set[str] = field(default_factory=set)  # whose stored reports name it
    requests: list[NamingRequest] = field(default_factory=list)
    message_batches: list[NamedMessageBatch] = field(default_factory=list)
    with_workers: int = 0  # requests that Celery's workers have not ended

    @property
    def known(self) -> bool:
        """Whether the ledger knows the record at all."""
        return bool(self.rows or self.requests)

    @property
    def answers(self) -> list[NamingRequest]:
        """The requests with an answer."""
        return [one for one in self.requests if one.has_answer]

    @property
    def shared(self) -> list[NamingRequest]:
        """Those of them whose answer is about other records, too."""
        return [one for one in self.answers if {*one.record_ids} != {self.record_id}]


def held(file: LedgerDatabase, job: str, record_id: str) -> Held:
    """What a ledger holds about a record of the job."""
    db = file.db
    found = Held(record_id, names(db, job))
    row = db.execute(
        f"select count(*), count(case when {_NOT_ERASED} then 1 end), count(output) from records"
        f" where job in {marks(found.names)} and record_id = ?",
        (ERASED, *found.names, record_id),
    ).fetchone()
    found.rows, found.left, found.outputs = row
    found.windows = naming_windows(db, job, record_id)
    found.requests = [*_naming(db, found.names, record_id)]
    ids = {one.message_batch_id for one in found.requests if one.message_batch_id} or {""}
    rows = db.execute(
        "select message_batch_id, status, created_at, coalesce(expires_at, '') from message_batches"
        f" where message_batch_id in {marks(ids)} order by created_at, message_batch_id",
        (*ids,),
    )
    found.message_batches = [NamedMessageBatch(*row) for row in rows.fetchall()]
    if found.requests and not isinstance(file, LedgerFile) and _has_queue(db):
        found.with_workers = _with_workers(db, [one.request_id for one in found.requests])
    return found


def others_like(db: Statements, job: str, record_id: str) -> list[str]:
    """The ids of records that look like other versions of the same row: ID@ and something."""
    rows = db.execute(
        "select record_id from records where job = ? and record_id >= ? and record_id < ?"
        f" and {_NOT_ERASED} order by record_id",
        (job, f"{record_id}@", f"{record_id}A", ERASED),
    )
    return [one for (one,) in rows.fetchall()]


def _naming(db: Statements, jobs: Sequence[str], record_id: str) -> Iterator[NamingRequest]:
    # Ids stand in the array as JSON: those that hold the same text are looked into.
    text = re.sub(r"([\\%_])", r"\\\1", json.dumps(record_id))
    rows = db.execute(
        "select request_id, job, status, record_ids, created_at, coalesce(message_batch_id, ''),"
        f" answer is not null from requests where job in {marks(jobs)}"
        " and record_ids like ? escape '\\' order by created_at, request_id",
        (*jobs, f"%{text}%"),
    )
    for row in rows.fetchall():
        if record_id in (ids := json.loads(row[3])):
            yield NamingRequest(row[0], row[1], row[2], ids, row[4], row[5], bool(row[6]))


def merged_days(db: Statements, job: str, found: Held) -> set[str]:
    """The days whose report was first merged after the record was digested.

    A run that merged several days digested all of these, and the ledger does not say which one the
    record is of.
    """
    rows = db.execute(
        "select request_id, run_id, created_at from requests where job = ? and record_ids = '[]'"
        " and request_id like 'merge-%' order by created_at, request_id",
        (job,),
    ).fetchall()
    merges = [(day[1], row[1], row[2]) for row in rows if (day := _DAY_OF_MERGE(row[0]))]
    days: set[str] = set()
    for request in found.requests:
        later = [one for one in merges if one[2] >= request.created_at]
        if request.name == job and later:
            days |= {day for day, run_id, _ in later if run_id == later[0][1]}
    return days


def reported(db: Statements, job: str) -> bool:
    """Whether the job writes a report for each day."""
    sql = "select 1 from windows where job = ? limit 1"
    return db.execute(sql, (job,)).fetchone() is not None


def unwritten(db: Statements, job: str) -> set[str]:
    """The days whose report is to be written again."""
    sql = "select \"window\" from windows where job = ? and made_from = ''"
    return {day for (day,) in db.execute(sql, (job,)).fetchall()}


def erase(file: LedgerDatabase, job: str, found: Held, days: Collection[str]) -> int:
    """Forget the record, and what was merged of the days that its text may stand in.

    Returns how many findings it shares with other records: these stay. Raises JobExit.
    """
    db, findings, now = file.db, 0, times.stamp()
    with file.transaction():
        if found.known:  # a job that was told of it by another one's reports never asks about it
            db.execute(
                "insert into records (job, record_id, status, error, updated_at)"
                " values (?, ?, 'dead', ?, ?) on conflict do nothing",
                (job, found.record_id, ERASED, now),
            )
        db.execute(
            "update records set status = 'dead', error = ?, output = null, request_id = null,"
            " version = null, failures = 0, crashes = 0, updated_at = ?"
            f" where job in {marks(found.names)} and record_id = ? and {_NOT_ERASED}",
            (ERASED, now, *found.names, found.record_id, ERASED),
        )
        erased = {found.record_id} | ErasedRecords(db, job).ids
        for request in found.requests:
            findings += _erase_answer(file, request, erased)
        for day in days:
            forget_report(db, job, day, now)
        if found.requests and not isinstance(file, LedgerFile) and _has_queue(db):
            ids = [one.request_id for one in found.requests]
            db.execute(
                f"update queue set body = null, reason = null where request_id in {marks(ids)}"
                " and ended is not null and (body is not null or reason is not null)",
                ids,
            )
    return findings


def _erase_answer(file: LedgerDatabase, request: NamingRequest, erased: set[str]) -> int:
    db, ids = file.db, request.record_ids
    alone = erased.issuperset(ids)
    db.execute(
        "update requests set error = ? where request_id = ? and error is not null",
        (ERASED if alone else _SHARED, request.request_id),
    )
    # Nobody waits for the rest of it any more, where the record was the last one that did.
    closes = (
        "update requests set status = 'done' where request_id = ? and status = 'answered'"
        " and not exists (select 1 from records where request_id = ? and status = 'answered')"
    )
    db.execute(closes, (request.request_id, request.request_id))
    if not request.has_answer:
        return 0
    if alone:
        db.execute("update requests set answer = null where request_id = ?", (request.request_id,))
        return 0
    (answer,) = db.execute(
        f"select {file.answer_as_bytes} from requests where request_id = ?", (request.request_id,)
    ).fetchone()
    db.execute(
        "update requests set answer = ? where request_id = ?",
        (without(answer, ids, erased), request.request_id),
    )
    return shared_findings(answer, ids, erased)


def _has_queue(db: Statements) -> bool:
    (found,) = db.execute("select to_regclass('queue') is not null").fetchone()
    return bool(found)


def _with_workers(db: Statements, request_ids: Sequence[str]) -> int:
    (count,) = db.execute(
        f"select count(*) from queue where request_id in {marks(request_ids)} and ended is null",
        request_ids,
    ).fetchone()
    return int(count)
