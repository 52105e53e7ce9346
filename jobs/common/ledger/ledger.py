"""What has been done to which record. Every change of a state that states.py draws happens here.

Three promises. A request is committed before it is sent. An answer is committed before anything is
done with it. Whatever follows an answer can be repeated. So a process killed at any instant loses
no record, and pays twice at most for what was in flight. One process at a time writes a ledger,
under the job's lock; all the rest open it read-only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence

from common import times
from common.claude.pricing import Tokens
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import NotDone, looked_up, marks, not_done
from common.ledger.set_aside import Answer, set_aside
from common.ledger.states import (
    Ending,
    Intent,
    RecordState,
    RecordStatus,
    RequestStatus,
    StoredRequest,
)

_ANSWERS = 20  # answers that are in memory at once


class Ledger:
    """The tables `records` and `requests`: the state of every record and request of one job."""

    def __init__(self, file: LedgerDatabase, job: str, run_id: str) -> None:
        self._file = file
        self._db = file.db
        self.aside = file.answers
        self._select = (
            f"select request_id, run_id, record_ids, {file.answer_as_bytes} from requests"
        )
        self.database = file
        self.job = job
        self.run_id = run_id
        # Commits everything inside together; see LedgerDatabase.
        self.transaction = file.transaction
        # Room for answers: made sure of before they are paid for, given back on a full disk.
        self.ready, self.release_ballast = file.ready, file.release_ballast

    def states(self, record_ids: Sequence[str]) -> dict[str, RecordState]:
        """What it holds of these records, by id; a fresh record is not in the answer."""
        return looked_up(self._db, self.job, record_ids)

    def not_done(self) -> NotDone | None:
        """What finds those of many ids whose records are not done; None where few are done."""
        return not_done(self._file, self.job)

    def in_flight(self) -> Iterator[StoredRequest]:
        """The live requests without an answer: of runs that died, as long as this one sends none.

        What is in a message batch is not lost: it is collected.
        """
        return self._stored(RequestStatus.SUBMITTED, "and delivery = 'live'")

    # Each of the following happens inside a transaction of the caller's: one commit is one fsync.

    def intend(self, intents: Iterable[Intent]) -> None:
        """Note that these requests are about to be sent."""
        for intent in intents:
            self._intend(intent)

    def _intend(self, intent: Intent) -> None:
        now = times.stamp()
        if not intent.record_ids:
            # A request named after its content is made again under the same id. What the one
            # before can have cost stays.
            self._db.execute(
                "update requests set request_id = ?"
                " where request_id = ? and status in ('lost', 'failed')",
                (f"{intent.request_id}-{secrets.token_hex(4)}", intent.request_id),
            )
        self._db.execute(
            "insert into requests (request_id, job, run_id, delivery, status, record_ids, attempts,"
            " model, unsettled_usd, message_batch_id, created_at)"
            " values (?, ?, ?, ?, 'submitted', ?, 1, ?, ?, ?, ?)",
            (
                intent.request_id,
                self.job,
                self.run_id,
                intent.delivery,
                json.dumps(list(intent.record_ids)),
                intent.model,
                intent.most_usd,
                intent.message_batch_id,
                now,
            ),
        )
        self._db.executemany(
            "insert into records (job, record_id, status, request_id, updated_at)"
            " values (?, ?, 'submitted', ?, ?) on conflict (job, record_id) do update set"
            " status = 'submitted', request_id = excluded.request_id,"
            " updated_at = excluded.updated_at",
            [(self.job, record_id, intent.request_id, now) for record_id in intent.record_ids],
        )

    def attempted(self, request_id: str, attempts: int, most_usd: float) -> None:
        """Note one more attempt; `most_usd`: the most that all attempts together can have cost."""
        self._db.execute(
            "update requests set attempts = ?, unsettled_usd = ? where request_id = ?",
            (attempts, most_usd, request_id),
        )

    def answered(
        self,
        request_id: str,
        record_ids: Iterable[str],
        answer: str,
        api_request_id: str,
        tokens: Tokens,
        usd: float | None,
        unsettled_usd: float,
    ) -> None:
        """Keep an answer as it came. `unsettled_usd`: what attempts of unknown outcome can cost."""
        now = times.stamp()
        self._db.execute(
            "update requests set status = 'answered', answer = ?, api_request_id = ?,"
            " input_tokens = ?, output_tokens = ?, cache_write_tokens = ?, cache_read_tokens = ?,"
            " usd = ?, unsettled_usd = ?, ended_at = ? where request_id = ?",
            (
                answer,
                api_request_id,
                tokens.input,
                tokens.output,
                tokens.cache_write_5m + tokens.cache_write_1h,
                tokens.cache_read,
                usd,
                unsettled_usd,
                now,
                request_id,
            ),
        )
        self._db.executemany(
            "update records set status = 'answered', crashes = 0, updated_at = ?"
            " where job = ? and record_id = ?",
            [(now, self.job, record_id) for record_id in record_ids],
        )

    def set_aside(self, answers: Sequence[Answer]) -> None:
        """Keep answers that could not be committed in a file, if there is one, for the next run.

        Raises OSError, or JobExit (73), where that cannot be written either.
        """
        if self.aside:
            set_aside(self.aside, answers)

    def apply(self, endings: Iterable[Ending]) -> None:
        """Note how requests ended, and where that leaves each of their records."""
        for ending in endings:
            if ending.attempts is not None:
                self.attempted(ending.request_id, ending.attempts, ending.unsettled_usd)
            if ending.status is RequestStatus.LOST:
                self.lost(ending.request_id, ending.waiting, ending.reason)
            elif ending.status is not RequestStatus.ANSWERED:
                self.closed(ending.request_id, ending.status, ending.reason)
            self._done(ending)
            self._judged(RecordStatus.FAILED, ending.failed.items(), ending.alone)
            self._judged(RecordStatus.DEAD, ending.dead.items(), ending.alone)
            self._forgive(ending.forgiven)

    def closed(self, request_id: str, status: RequestStatus, error: str = "") -> None:
        """A request came to its end: DONE, or FAILED with the reason."""
        self._db.execute(
            "update requests set status = ?, error = ?, ended_at = coalesce(ended_at, ?)"
            " where request_id = ?",
            (status, error or None, times.stamp(), request_id),
        )

    def reopen(self, record_id: str) -> bool:
        """Let an answer be used about a record that it was closed without; whether it was.

        Where the answer is forgotten meanwhile, the record waits to be asked.
        """
        key = (self.job, record_id)
        own = "(select request_id from records where job = ? and record_id = ?)"
        opened = self._db.execute(
            "update requests set status = 'answered', error = null"
            f" where request_id = {own} and status = 'done' and answer is not null",
            key,
        )
        forgotten = self._db.execute(
            "update records set status = 'waiting' where job = ? and record_id = ?"
            " and status = 'answered' and not exists (select 1 from requests q"
            " where q.request_id = records.request_id and q.answer is not null)",
            key,
        )
        return bool(opened.rowcount + forgotten.rowcount)

    def lost(self, request_id: str, record_ids: Iterable[str], error: str = "") -> None:
        """No answer to a request will come: its run was stopped in order, or died, or `error`."""
        now = times.stamp()
        self._db.execute(
            "update requests set status = 'lost', error = ?, ended_at = ? where request_id = ?",
            (error or None, now, request_id),
        )
        self._db.executemany(
            "update records set status = 'waiting', updated_at = ?"
            " where job = ? and record_id = ? and status = 'submitted'",
            [(now, self.job, record_id) for record_id in record_ids],
        )

    def _done(self, ending: Ending) -> None:
        now = times.stamp()
        self._db.executemany(
            "update records set status = 'done', output = ?, error = null, request_id = ?,"
            " updated_at = ? where job = ? and record_id = ?",
            [
                (output, ending.request_id, now, self.job, record_id)
                for record_id, output in ending.done.items()
            ],
        )

    def _judged(
        self, status: RecordStatus, reasons: Collection[tuple[str, str]], alone: bool
    ) -> None:
        now = times.stamp()
        self._db.executemany(
            "update records set status = ?, error = ?, failures = failures + ?, updated_at = ?"
            " where job = ? and record_id = ?",
            [
                (status, reason, int(alone), now, self.job, record_id)
                for record_id, reason in reasons
            ],
        )

    def _forgive(self, record_ids: Sequence[str]) -> None:
        """Forget failures and crashes of records, so that they are asked like fresh ones."""
        self._db.executemany(
            "update records set status = 'waiting', error = null, failures = 0, crashes = 0"
            " where job = ? and record_id = ? and status in ('failed', 'dead')",
            [(self.job, record_id) for record_id in record_ids],
        )

    def request(self, request_id: str) -> StoredRequest | None:
        """A request with its answer, if it has one that can be used."""
        row = self._db.execute(
            f"{self._select} where request_id = ? and status in ('answered', 'done')"
            " and answer is not null",
            (request_id,),
        ).fetchone()
        return _stored(row) if row else None

    def requests_of_run(self) -> int:
        """How many requests this run has made: it may be tried again under the same id."""
        row = self._db.execute(
            "select count(*) from requests where job = ? and run_id = ?", (self.job, self.run_id)
        ).fetchone()
        return int(row[0])

    def unsaved(self) -> Iterator[StoredRequest]:
        """The requests about records whose answer is here and whose outputs are not saved yet."""
        # An answer about no record is a merge's: it is found by its id when its report is written.
        return self._stored(RequestStatus.ANSWERED, "and record_ids <> '[]'")

    def answered_records(self) -> Iterator[dict[str, str]]:
        """The ids of the records of these requests, each as a record of nothing else."""
        for request in self.unsaved():
            for record_id in request.record_ids:
                yield {"record_id": record_id}

    def _stored(self, status: RequestStatus, condition: str) -> Iterator[StoredRequest]:
        # The first condition is the partial index's own: so SQLite knows that it can use it.
        where = f"status in ('submitted', 'answered') and status = ? and job = ? {condition}"
        ids = self._db.execute(
            f"select request_id from requests where {where}", (status, self.job)
        ).fetchall()
        for first in range(0, len(ids), _ANSWERS):
            group = [row[0] for row in ids[first : first + _ANSWERS]]
            rows = self._db.execute(
                f"{self._select} where request_id in {marks(group)} and status = ?",
                (*group, status),
            ).fetchall()
            found = {row[0]: row for row in rows}
            yield from (_stored(found[one]) for one in group if one in found)


def _stored(row: tuple[str, str, str, bytes | None]) -> StoredRequest:
    request_id, run_id, record_ids, answer = row
    return StoredRequest(request_id, run_id, json.loads(record_ids), answer or b"")
