"""What has been done to which record: every change of state goes through here.

    records   (no row: fresh) -> submitted -> answered -> done;  failed -> dead
    requests  submitted -> answered -> done | failed;  lost: in flight in a run that died

Three promises. A request is committed before it is sent. An answer is committed before anything is done with it.
Whatever follows an answer can be repeated. So a process killed at any instant loses no record, and pays twice at most
for what was in flight. One process at a time writes a ledger, under the job's lock; all the rest open it read-only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from common import times
from common.claude.pricing import Tokens
from common.ledger.sqlite_ledger import LedgerFile

CRASHES_TO_DEAD = 3  # runs that died with a record in flight before it is given up on
_LOOKED_UP = 500  # records whose state is asked for at once


@dataclass(frozen=True)
class Known:
    """What the ledger holds of one record."""

    record_id: str
    status: str
    request_id: str
    failures: int
    crashes: int
    error: str


@dataclass(frozen=True)
class Sent:
    """A request as the ledger holds it. `answer` is the raw message that came back, "" before."""

    request_id: str
    record_ids: list[str]
    answer: str


class Ledger:
    """The tables `records` and `requests`: the state of every record and of every request of one job."""

    def __init__(self, file: LedgerFile, job: str, run_id: str) -> None:
        self._file = file
        self._db = file.db
        self.job = job
        self.run_id = run_id

    def transaction(self) -> AbstractContextManager[None]:
        """Everything inside is committed together, on disk when the block ends. Raises JobExit (74) where it cannot be."""
        return self._file.transaction()

    def release_ballast(self) -> None:
        """Give back the disk space that was kept for a full disk, so that answers on their way still find a place."""
        self._file.release_ballast()

    def known(self, record_ids: Sequence[str]) -> dict[str, Known]:
        """What it holds of these records; a fresh one is not in the answer."""
        known = {}
        for first in range(0, len(record_ids), _LOOKED_UP):
            some = record_ids[first : first + _LOOKED_UP]
            marks = ",".join("?" * len(some))
            for row in self._db.execute(
                "select record_id, status, request_id, failures, crashes, error from records"
                f" where job = ? and record_id in ({marks})",
                (self.job, *some),
            ):
                known[row["record_id"]] = Known(
                    row["record_id"],
                    row["status"],
                    row["request_id"] or "",
                    row["failures"],
                    row["crashes"],
                    row["error"] or "",
                )
        return known

    def recover(self) -> tuple[int, list[Known]]:
        """Take up what dead runs left in flight, under the lock: (requests lost, records that are dead letters now).

        Their records count a crash each: a record that takes the process down with it must not do so for ever.
        """
        with self.transaction():
            # What is in a message batch is not lost: it is collected.
            requests = list(self._sent("submitted", "and delivery = 'live'"))
            for sent in requests:
                self.lost(sent.request_id, sent.record_ids, crash=1)
        ids = [record_id for sent in requests for record_id in sent.record_ids]
        return len(requests), [
            known for known in self.known(ids).values() if known.status == "dead"
        ]

    # Requests, each inside a transaction of the caller's, who groups them: one commit is one fsync

    def submitted(
        self,
        request_id: str,
        record_ids: Iterable[str],
        delivery: str,
        model: str,
        most_usd: float,
        message_batch_id: str | None = None,
    ) -> None:
        """The intent to send a request, which can cost `most_usd`."""
        record_ids = list(record_ids)
        now = times.stamp()
        if not record_ids:
            # A request named after its content is made again under the same id. What the one before can have cost stays.
            self._db.execute(
                "update requests set request_id = ? where request_id = ? and status in ('lost', 'failed')",
                (f"{request_id}-{secrets.token_hex(4)}", request_id),
            )
        self._db.execute(
            "insert into requests (request_id, job, run_id, delivery, status, record_ids, attempts, model,"
            " unsettled_usd, message_batch_id, created_at) values (?, ?, ?, ?, 'submitted', ?, 1, ?, ?, ?, ?)",
            (
                request_id,
                self.job,
                self.run_id,
                delivery,
                json.dumps(record_ids),
                model,
                most_usd,
                message_batch_id,
                now,
            ),
        )
        self._db.executemany(
            "insert into records (job, record_id, status, request_id, updated_at) values (?, ?, 'submitted', ?, ?)"
            " on conflict (job, record_id) do update set status = 'submitted', request_id = excluded.request_id,"
            " updated_at = excluded.updated_at",
            [(self.job, record_id, request_id, now) for record_id in record_ids],
        )

    def attempted(self, request_id: str, attempts: int, most_usd: float) -> None:
        """The intent to send it once more; the outcome of the attempt before is unknown or was free."""
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
        """An answer, as it came. `unsettled_usd`: what earlier attempts of unknown outcome can have cost."""
        now = times.stamp()
        self._db.execute(
            "update requests set status = 'answered', answer = ?, api_request_id = ?, input_tokens = ?,"
            " output_tokens = ?, cache_write_tokens = ?, cache_read_tokens = ?, usd = ?, unsettled_usd = ?,"
            " ended_at = ? where request_id = ?",
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
            "update records set status = 'answered', updated_at = ? where job = ? and record_id = ?",
            [(now, self.job, record_id) for record_id in record_ids],
        )

    def closed(self, request_id: str, status: str, error: str = "") -> None:
        """A request has come to its end: `done`, or `failed` with the reason."""
        self._db.execute(
            "update requests set status = ?, error = ?, ended_at = coalesce(ended_at, ?) where request_id = ?",
            (status, error or None, times.stamp(), request_id),
        )

    def lost(self, request_id: str, record_ids: Iterable[str], *, crash: int = 0) -> None:
        """A request whose answer will not come: the run was stopped in order, or (`crash=1`) died."""
        now = times.stamp()
        self._db.execute(
            "update requests set status = 'lost', ended_at = ? where request_id = ?",
            (now, request_id),
        )
        self._db.executemany(
            "update records set crashes = crashes + :crash, updated_at = :now,"
            " status = iif(crashes + :crash >= :limit, 'dead', 'failed'),"
            " error = iif(crashes + :crash >= :limit, 'in flight in ' || :limit || ' runs that died', error)"
            " where job = :job and record_id = :record_id and status = 'submitted'",
            [
                {
                    "crash": crash,
                    "limit": CRASHES_TO_DEAD,
                    "now": now,
                    "job": self.job,
                    "record_id": record_id,
                }
                for record_id in record_ids
            ],
        )

    def done(self, request_id: str, outputs: dict[str, str | None]) -> None:
        """Records whose outputs are saved, each with its output as JSON (None: it stands in the request's answer)."""
        now = times.stamp()
        self._db.executemany(
            "update records set status = 'done', output = ?, error = null, request_id = ?, updated_at = ?"
            " where job = ? and record_id = ?",
            [
                (output, request_id, now, self.job, record_id)
                for record_id, output in outputs.items()
            ],
        )

    def failed(
        self, record_ids: Iterable[str], error: str, *, failures: int = 0, dead: bool = False
    ) -> None:
        """Records without an output: `failures` more on their count; dead letters where `dead`, asked again otherwise."""
        status = "dead" if dead else "failed"
        now = times.stamp()
        self._db.executemany(
            "update records set status = ?, error = ?, failures = failures + ?, updated_at = ?"
            " where job = ? and record_id = ?",
            [(status, error, failures, now, self.job, record_id) for record_id in record_ids],
        )

    def revive(self, record_ids: Iterable[str]) -> None:
        """Forget the failures and crashes of dead letters, so that they are asked like fresh records."""
        self._db.executemany(
            "update records set status = 'failed', failures = 0, crashes = 0"
            " where job = ? and record_id = ? and status in ('failed', 'dead')",
            [(self.job, record_id) for record_id in record_ids],
        )

    def request(self, request_id: str) -> Sent | None:
        """A request with its answer, if it has one that can be used."""
        row = self._db.execute(
            "select request_id, record_ids, answer from requests"
            " where request_id = ? and status in ('answered', 'done') and answer is not null",
            (request_id,),
        ).fetchone()
        return (
            Sent(row["request_id"], json.loads(row["record_ids"]), row["answer"]) if row else None
        )

    def requests_of_run(self) -> int:
        """How many requests are numbered after this run: it is tried again under the same id."""
        row = self._db.execute(
            "select count(*) from requests where request_id > ? || '-' and request_id < ? || '.'",
            (self.run_id, self.run_id),
        ).fetchone()
        return int(row[0])

    def unsaved(self) -> Iterator[Sent]:
        """The requests about records whose answer is here and whose outputs are not saved yet, one at a time."""
        # An answer about no record is a merge's: it is found by its id when its report is written.
        return self._sent("answered", "and record_ids <> '[]'")

    def answered_records(self) -> Iterator[dict[str, str]]:
        """The ids of the records of these requests, each as a record of nothing else."""
        for sent in self.unsaved():
            for record_id in sent.record_ids:
                yield {"record_id": record_id}

    def _sent(self, status: str, condition: str) -> Iterator[Sent]:
        rows = self._db.execute(
            "select request_id, record_ids, answer from requests"
            # The first condition is the partial index's own, which is how SQLite knows to use it.
            f" where status in ('submitted', 'answered') and status = ? and job = ? {condition}",
            (status, self.job),
        )
        for row in rows:
            yield Sent(row["request_id"], json.loads(row["record_ids"]), row["answer"] or "")
