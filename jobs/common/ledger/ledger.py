"""What has been done to which record. Every change of a state that states.py draws happens here.

Three promises. A request is committed before it is sent. An answer is committed before anything is
done with it. Whatever follows an answer can be repeated. So a process killed at any instant loses
no record, and pays twice at most for what was in flight. One process at a time writes a ledger,
under the job's lock; all the rest open it read-only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence

from common import times
from common.ledger.erasure.erased_records import ErasedRecords
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import looked_up
from common.ledger.not_done import NotDone, has_stale, not_done
from common.ledger.second_answers import SecondAnswers
from common.ledger.set_aside import Answer, set_aside
from common.ledger.states import Ending, Intent, Purpose, RecordState, RecordStatus, RequestStatus
from common.ledger.stored_requests import StoredRequests


class Ledger(StoredRequests):
    """The tables `records` and `requests`: the state of every record and request of one job."""

    def __init__(
        self,
        file: LedgerDatabase,
        job: str,
        run_id: str,
        version: str = "",
        purpose: Purpose = Purpose.RUN,
        second: str = "",
    ) -> None:
        """`version` is that of the job's requests in this run; `purpose` what they are sent for.

        `second` is the version of a model that gives a second opinion, "" where none does.
        """
        super().__init__(file, job, run_id)
        self._file = self.database = file
        self.aside = file.answers
        self.version = version
        self.purpose = purpose
        self._erased = ErasedRecords(file.db, job)
        self.second_answers = SecondAnswers(file.db, job, run_id, version, second)
        # Commits everything inside together; see LedgerDatabase.
        self.transaction = file.transaction
        # Room for answers: made sure of before they are paid for, given back on a full disk.
        self.ready, self.release_ballast = file.ready, file.release_ballast

    def states(self, record_ids: Sequence[str]) -> dict[str, RecordState]:
        """What it holds of these records, by id; a fresh record is not in the answer."""
        return looked_up(self._db, self.job, record_ids) | self._erased.apart(record_ids)

    def not_done(self, versions: Collection[str] = (), room: int | None = None) -> NotDone | None:
        """What finds those of many ids whose records are not done; None where few are done.

        Where there are `versions`, what other versions have done is not done: at most `room` of it,
        the last ones of the ids.
        """
        return not_done(self._file, self.job, versions, room)

    def has_stale(self, versions: Collection[str]) -> bool:
        """Whether any record is done by another version than these."""
        return has_stale(self._db, self.job, versions)

    # Each of the following happens inside a transaction of the caller's: one commit is one fsync.

    def intend(self, intents: Iterable[Intent]) -> None:
        """Note that these requests are about to be sent."""
        now, intents = times.stamp(), [*intents]
        # A request named after its content is made again under the same id. What the one before
        # can have cost stays.
        self._db.executemany(
            "update requests set request_id = ?"
            " where request_id = ? and status in ('lost', 'failed')",
            [
                (f"{intent.request_id}-{secrets.token_hex(4)}", intent.request_id)
                for intent in intents
                if not intent.record_ids
            ],
        )
        self._db.executemany(
            "insert into requests (request_id, job, run_id, delivery, purpose, version, status,"
            " record_ids, attempts, model, unsettled_usd, message_batch_id, created_at)"
            " values (?, ?, ?, ?, ?, ?, 'submitted', ?, 1, ?, ?, ?, ?)",
            [
                (
                    intent.request_id,
                    self.job,
                    self.run_id,
                    intent.delivery,
                    self.purpose,
                    self.version,
                    json.dumps(list(intent.record_ids)),
                    intent.model,
                    intent.most_usd,
                    intent.message_batch_id,
                    now,
                )
                for intent in intents
            ],
        )
        self._db.executemany(
            "insert into records (job, record_id, status, request_id, updated_at)"
            " values (?, ?, 'submitted', ?, ?) on conflict (job, record_id) do update set"
            " status = 'submitted', request_id = excluded.request_id,"
            " updated_at = excluded.updated_at",
            [
                (self.job, record_id, intent.request_id, now)
                for intent in intents
                for record_id in intent.record_ids
            ],
        )

    def attempted(self, request_id: str, attempts: int, most_usd: float) -> None:
        """Note one more attempt; `most_usd`: the most that all attempts together can have cost."""
        self._db.execute(
            "update requests set attempts = ?, unsettled_usd = ? where request_id = ?",
            (attempts, most_usd, request_id),
        )

    def answered(self, answers: Sequence[Answer]) -> None:
        """Keep answers as they came, without what they say about records that were erased."""
        now, answers = times.stamp(), self._erased.left_of(answers)
        self._db.executemany(
            "update requests set status = 'answered', answer = ?, api_request_id = ?,"
            " input_tokens = ?, output_tokens = ?, cache_write_tokens = ?, cache_read_tokens = ?,"
            " usd = ?, unsettled_usd = ?, ended_at = ? where request_id = ?",
            [(*answer.columns(), now, answer.request_id) for answer in answers],
        )
        self._db.executemany(
            "update records set status = 'answered', crashes = 0, updated_at = ?"
            " where job = ? and record_id = ?",
            [(now, self.job, record_id) for one in answers for record_id in one.record_ids],
        )

    def set_aside(self, answers: Sequence[Answer]) -> None:
        """Keep answers that could not be committed in a file, if there is one, for the next run.

        Raises OSError, or JobExit (73), where that cannot be written either.
        """
        if self.aside:
            set_aside(self.aside, answers)

    def apply(self, endings: Iterable[Ending]) -> None:
        """Note how requests ended, and where that leaves each of their records."""
        together: list[Ending] = []
        for ending in endings:
            together.append(ending)
            if ending.forgiven:  # what was noted before it, and not what is noted after it
                self._apply(together)
                together.clear()
        self._apply(together)

    def _apply(self, endings: Sequence[Ending]) -> None:
        """The same for endings that are about different records."""
        closed: dict[tuple[RequestStatus, str], list[str]] = {}
        for ending in endings:
            if ending.attempts is not None:
                self.attempted(ending.request_id, ending.attempts, ending.unsettled_usd)
            if ending.status is RequestStatus.LOST:
                self.lost(ending.request_id, ending.waiting, ending.reason)
            elif ending.status is not RequestStatus.ANSWERED:
                closed.setdefault((ending.status, ending.reason), []).append(ending.request_id)
            self.second_answers.hand_over(ending)
        for (status, reason), request_ids in closed.items():
            self.closed(request_ids, status, reason)
        self._done(endings)
        for ending in endings:
            self.second_answers.choose(ending)
        self._judged(RecordStatus.FAILED, ((one, one.failed) for one in endings))
        self._judged(RecordStatus.DEAD, ((one, one.dead) for one in endings))
        self._forgive([record_id for ending in endings for record_id in ending.forgiven])

    def closed(self, request_ids: Iterable[str], status: RequestStatus, error: str = "") -> None:
        """Requests of this job came to their end: DONE, or FAILED with the reason.

        One that stands apart stays as it is there.
        """
        now = times.stamp()
        self._db.executemany(
            "update requests set status = ?, error = ?, ended_at = coalesce(ended_at, ?)"
            " where request_id = ? and job = ?",
            [(status, error or None, now, request_id, self.job) for request_id in request_ids],
        )

    def reopen(self, record_id: str) -> bool:
        """Let an answer be used about a record that waits for it; whether there is anything to use.

        It may be closed already, without that record. One that stands apart stays as it is there.
        Where the answer is forgotten meanwhile, the record waits to be asked.
        """
        key = (self.job, record_id)
        own = "(select request_id from records where job = ? and record_id = ?)"
        # It may be open already, where a run was killed before it was used.
        opened = self._db.execute(
            "update requests set status = 'answered', error = null"
            f" where request_id = {own} and job = ? and status in ('answered', 'done')"
            " and answer is not null",
            (*key, self.job),
        )
        apart = self._db.execute(
            f"select 1 from requests where request_id = {own} and job <> ? and answer is not null",
            (*key, self.job),
        )
        forgotten = self._db.execute(
            "update records set status = 'waiting' where job = ? and record_id = ?"
            " and status = 'answered' and not exists (select 1 from requests q"
            " where q.request_id = records.request_id and q.answer is not null)",
            key,
        )
        return bool(opened.rowcount + forgotten.rowcount) or apart.fetchone() is not None

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

    def left_as_done(self, record_ids: Iterable[str]) -> None:
        """Those of these records that are done stay so: this version has nothing to ask of them."""
        self._db.executemany(
            "update records set version = ? where job = ? and record_id = ? and status = 'done'",
            [(self.version or None, self.job, record_id) for record_id in record_ids],
        )

    def _done(self, endings: Iterable[Ending]) -> None:
        now, done, corrected = times.stamp(), RecordStatus.DONE, RecordStatus.CORRECTED
        self._db.executemany(
            "update records set status = ?, output = ?, error = null, request_id = ?, version = ?,"
            " updated_at = ? where job = ? and record_id = ?",
            [
                (
                    corrected if ending.corrected else done,
                    output,
                    ending.request_id,
                    (self.version if ending.version is None else ending.version) or None,
                    now,
                    self.job,
                    record_id,
                )
                for ending in endings
                for record_id, output in ending.done.items()
            ],
        )

    def _judged(
        self, status: RecordStatus, judged: Iterable[tuple[Ending, Mapping[str, str]]]
    ) -> None:
        now = times.stamp()
        self._db.executemany(
            "update records set status = ?, error = ?, failures = failures + ?, updated_at = ?"
            " where job = ? and record_id = ?",
            [
                (status, reason, int(ending.alone), now, self.job, record_id)
                for ending, reasons in judged
                for record_id, reason in reasons.items()
            ],
        )

    def _forgive(self, record_ids: Sequence[str]) -> None:
        """Forget failures and crashes of records, so that they are asked like fresh ones."""
        self._db.executemany(
            "update records set status = 'waiting', error = null, failures = 0, crashes = 0"
            " where job = ? and record_id = ? and status in ('failed', 'dead')",
            [(self.job, record_id) for record_id in record_ids],
        )
