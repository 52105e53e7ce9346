"""Which records --try took before; and what was answered about records, for whoever looks at it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from common import times
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import groups, marks
from common.ledger.states import NOT_SENT, RecordStatus

_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"  # two tries of one second have an order, too


@dataclass(frozen=True)
class Sample:
    """The records that --try took for a version of the job."""

    version: str
    chosen_for: str  # the version for which they were chosen
    record_ids: list[str]


@dataclass(frozen=True)
class AnsweredRecord:
    """A record with what it got. `output` is JSON, "" for none; `error` says why there is none."""

    record_id: str
    status: RecordStatus
    request_id: str
    version: str
    output: str
    error: str


@dataclass(frozen=True)
class AskedRequest:
    """A request with what it was billed for, and its answer."""

    request_id: str
    run_id: str
    record_ids: list[str]
    input_tokens: int  # the whole prompt, cached or not
    output_tokens: int
    usd: float | None
    answer: bytes


class Tries:
    """The table `tries` of one job; and what stands in its ledger about some records."""

    def __init__(self, file: LedgerDatabase, job: str) -> None:
        self._file = file
        self._db = file.db
        self._job = job

    def newest_first(self) -> list[Sample]:
        """The last sample of each version that was tried."""
        rows = self._db.execute(
            "select version, chosen_for, record_ids from tries where job = ?"
            " order by tried_at desc, version",
            (self._job,),
        ).fetchall()
        return [Sample(row[0], row[1], json.loads(row[2])) for row in rows]

    def note(self, sample: Sample) -> None:
        """Keep a sample as the last one of its version."""
        with self._file.transaction():
            self._db.execute(
                "insert into tries (job, version, chosen_for, record_ids, tried_at)"
                " values (?, ?, ?, ?, ?) on conflict (job, version) do update set"
                " chosen_for = excluded.chosen_for, record_ids = excluded.record_ids,"
                " tried_at = excluded.tried_at",
                (
                    self._job,
                    sample.version,
                    sample.chosen_for,
                    json.dumps(sample.record_ids),
                    times.now().strftime(_STAMP),
                ),
            )

    def records(self, name: str, record_ids: Sequence[str]) -> dict[str, AnsweredRecord]:
        """What the ledger holds of these records under a name: the job's, or one of those apart."""
        found: dict[str, AnsweredRecord] = {}
        for group in groups(record_ids):
            rows = self._db.execute(
                "select record_id, status, coalesce(request_id, ''), coalesce(version, ''),"
                " coalesce(output, ''), coalesce(error, '') from records"
                f" where job = ? and record_id in {marks(group)}",
                (name, *group),
            )
            for row in rows:
                found[row[0]] = AnsweredRecord(row[0], RecordStatus(row[1]), *tuple(row)[2:])
        return found

    def requests_about(self, name: str, record_ids: Iterable[str]) -> Iterator[AskedRequest]:
        """The requests under a name that were answered and are about some of these records."""
        wanted = {*record_ids}
        rows = self._db.execute(
            "select request_id, record_ids from requests"
            " where job = ? and answer is not null and delivery <> ? order by created_at",
            (name, NOT_SENT),
        ).fetchall()
        for request_id, text in rows:
            about = json.loads(text)
            if wanted.isdisjoint(about):
                continue
            row = self._db.execute(
                "select run_id, input_tokens + cache_write_tokens + cache_read_tokens,"
                f" output_tokens, usd, {self._file.answer_as_bytes} from requests"
                " where request_id = ?",
                (request_id,),
            ).fetchone()
            yield AskedRequest(request_id, row[0], about, row[1], row[2], row[3], row[4] or b"")
