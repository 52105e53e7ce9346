"""What a worker does with the messages it gets: claim, send once, commit what came of it.

Celery's threads wait for the database; one event loop, in a thread of its own, sends all requests.
Two more threads keep the claims alive, and sweep.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import time
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from threading import Event, Lock, Thread, Timer

from common.claude.faults import Fault, Kind
from common.claude.retries import Clock, Retry
from common.claude.send import SECONDS_TO_DRAIN
from common.delivery.celery_workers.sweep import LEASE
from common.ledger.for_workers import work_queue
from common.ledger.ledger_database import Statements
from common.process import exits
from common.process.event_loop import PatientLoop
from common.process.exits import JobExit
from common.process.log import log, shortened
from common.process.words import counted, duration
from common.settings import Settings
from ops.crew.attempt import Account, Accounts, Attempt, next_after
from ops.crew.kept_answers import KeptAnswers
from ops.crew.patient_database import PatientDatabase
from ops.ledger import work_claims
from ops.ledger.work_claims import Answer, Claim


class Crew:
    """One worker's threads, and what they have in flight."""

    def __init__(
        self,
        database: PatientDatabase,
        settings: Settings,
        queue: str,
        concurrency: int,
        lease: float = LEASE,
        retry: Retry | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(2)}"
        self._transact = database.transact
        self._queue = queue
        self._concurrency = concurrency
        self._lease = lease
        self._retry = retry or Retry()
        self._clock = Clock()
        self._kept = KeptAnswers(settings.state / "answers")
        self._accounts = Accounts(settings, concurrency)
        self._lock = Lock()
        self._in_flight: dict[str, Future[Fault | None] | None] = {}
        self._mine: set[str] = set()  # requests whose answers we keep
        self._claimed = self._answered = 0
        self._last_claim: float | None = None
        self.last_message = time.monotonic()
        self.stopping = False
        self._closed = Event()
        self._loop = PatientLoop()
        self._stopped = asyncio.Event()
        self._threads = [
            Thread(target=self._loop.run_forever, daemon=True, name="sends"),
            Thread(target=self._live, daemon=True, name="heartbeat"),
        ]

    def begin(self) -> None:
        """Check in. Raises JobExit where the database is to blame."""
        self._store_kept()
        values = (self.name, socket.gethostname(), os.getpid(), self._queue, self._concurrency)
        self._transact(lambda db: work_claims.check_in(db, *values))
        for thread in self._threads:
            thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight."""
        return not self._in_flight

    def stop(self) -> None:
        """Claim nothing more; what is in flight has some seconds. Callable by a signal handler."""
        self.stopping = True
        self._loop.call_soon_threadsafe(self._stopped.set)
        late = Timer(SECONDS_TO_DRAIN, self._give_up)
        late.daemon = True
        late.start()

    def end(self) -> None:
        """Check out, once all threads of Celery's have come back."""
        self._closed.set()
        self._threads[1].join(timeout=5)
        try:
            self._transact(lambda db: work_claims.check_out(db, self.name))
        except JobExit as end:
            log.warning("%s", end.message)
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._accounts.close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._threads[0].join(timeout=5)
        if not self._loop.is_running():
            self._loop.close()
        log.info("%s answered", counted(self._answered, "request"))

    def _give_up(self) -> None:
        for future in [*self._in_flight.values()]:
            if future:
                future.cancel()

    def work(self, request_id: str) -> None:
        """Do what a message asks for. Whatever goes wrong is in the log, and in the ledger."""
        self.last_message = time.monotonic()
        try:
            if self.stopping:
                self._transact(lambda db: work_queue.unpublish(db, [request_id]))
            elif claimed := self._claim(request_id):
                self._send_once(claimed)
        except JobExit as end:
            log.error("%s: %s", request_id, end.message)
        except Exception:
            log.exception("%s: a bug", request_id)

    def _claim(self, request_id: str) -> Claim | None:
        """None: somebody else has it, or had it, or it has to wait."""
        work = partial(
            work_claims.claim, worker=self.name, request_id=request_id, lease=self._lease
        )
        claimed = self._transact(work)
        if claimed:
            with self._lock:
                self._claimed += 1
                self._last_claim = time.monotonic()
        return claimed

    def _send_once(self, claimed: Claim) -> None:
        with self._lock:
            self._in_flight[claimed.request_id] = None
        try:
            self._make(claimed)
        finally:
            with self._lock:
                self._in_flight.pop(claimed.request_id)

    def _make(self, claimed: Claim) -> None:
        try:
            account = self._accounts.of(claimed.job)
        except JobExit as end:
            self._refuse(claimed, end.message, end.code)
            return
        if wait := claimed.wait(account.name):
            # A little apart, or all of them would be sent in the same instant.
            wait += random.uniform(0, min(1.0, wait))
            self._transact(lambda db: work_claims.unclaim(db, claimed, wait))
            return
        attempt = Attempt(claimed)
        making = attempt.make(account, self._clock, self._stopped)
        future = asyncio.run_coroutine_threadsafe(making, self._loop)
        with self._lock:
            self._in_flight[claimed.request_id] = future
        try:
            fault = future.result()
        except CancelledError:
            log.warning("%s: no answer before the stop: sent again", claimed.request_id)
            self._transact(partial(_again, claimed=claimed, wait=0.0, billed=attempt.sent))
        except Exception as error:
            log.exception("%s: a bug", claimed.request_id)
            self._refuse(claimed, f"a bug: {type(error).__name__}", exits.BUG, billed=True)
        else:
            self._commit(attempt, account, fault)

    def _commit(self, attempt: Attempt, account: Account, fault: Fault | None) -> None:
        claimed = attempt.claimed
        if fault is None:
            self._store(attempt)
            return
        if fault.kind is Kind.STOPPED:
            self._transact(lambda db: work_claims.unclaim(db, claimed, 0.0))
            return
        then = next_after(fault, claimed, self._retry, claimed.seconds + attempt.outcome.seconds)
        name = f"{claimed.job} {claimed.label}, {claimed.request_id}"
        if then.wait is None:
            log.warning(
                "%s: %s: %s", name, then.reason, "asked live" if then.failed else "given up"
            )
            if then.failed:
                self._end(claimed, "failed", then.reason, None, billed=then.billed)
            else:
                self._refuse(claimed, then.reason, then.code, billed=then.billed)
            return
        log.warning(
            "%s: attempt %d failed (%s): sent again in %s",
            name,
            claimed.attempts,
            then.reason,
            duration(then.wait),
        )
        if then.slow_down:
            pace = (account.name, claimed.model, then.wait)
            self._transact(lambda db: work_claims.slow_down(db, *pace))
        self._transact(
            partial(_again, claimed=claimed, wait=then.wait, billed=then.billed, wasted=then.wasted)
        )

    def _refuse(
        self, claimed: Claim, reason: str, code: int | None, *, billed: bool = False
    ) -> None:
        """The run has to end, and nothing more of its job is sent."""
        named = f"worker {self.name}: {reason}"
        self._end(claimed, "lost", named, code, billed=billed)
        waits = self._transact(lambda db: work_queue.withdraw(db, claimed.job))
        log.error("%s: %s; %s wait", claimed.job, reason, counted(waits, "request"))

    def _end(
        self, claimed: Claim, how: str, reason: str, code: int | None, *, billed: bool
    ) -> None:
        values = (claimed, how, reason, code)
        self._transact(lambda db: work_claims.end(db, *values, billed=billed))

    def _store(self, attempt: Attempt) -> None:
        claimed, outcome = attempt.claimed, attempt.outcome
        answer = attempt.answer()
        try:
            first = self._transact(partial(_store, answer=answer))
        except JobExit as end:
            self._kept.keep(answer)
            self._mine.add(claimed.request_id)
            kept = f"kept in {self._kept.folder}, and stored as soon as that is possible"
            log.error("%s: its answer is %s: %s", claimed.request_id, kept, end.message)
            return
        self._answered += 1
        records = counted(len(claimed.record_ids), "record")
        log.info(
            "%s %s, %s: %s answered, %s in %s out tokens, %s, %s%s",
            claimed.job,
            claimed.label,
            claimed.request_id,
            records,
            f"{answer.tokens.prompt:,}",
            f"{answer.tokens.output:,}",
            "cost unknown" if outcome.usd is None else f"${outcome.usd:.4f}",
            duration(outcome.seconds),
            "" if first else "; another worker's answer was here first",
        )

    def _store_kept(self) -> None:
        """Store what an outage of the database has left in our file. Raises JobExit."""
        for answer in self._kept.left():
            self._transact(partial(_store, answer=answer))
            self._kept.stored(answer)
            self._mine.discard(answer.request_id)
            log.info("%s: its answer, kept in %s, is stored", answer.request_id, self._kept.folder)

    def _live(self) -> None:
        """Say that this worker lives, and keep its claims, until it ends."""
        while not self._closed.wait(min(5.0, self._lease / 6)):
            try:
                self._transact(self._beat)
                self._store_kept()
            except JobExit as end:
                log.error("%s", end.message)
            except Exception as error:
                log.error("heartbeat: %s", shortened(f"{type(error).__name__}: {error}"))

    def _beat(self, db: Statements) -> None:
        now, last = time.monotonic(), self._last_claim
        since = None if last is None else now - last
        work_claims.heartbeat(db, self.name, self._claimed, self._answered, since=since)
        if mine := sorted({*self._in_flight, *self._mine}):
            work_claims.renew(db, self.name, mine, self._lease)


def _again(db: Statements, *, claimed: Claim, wait: float, billed: bool, wasted: int = 0) -> None:
    work_claims.again(db, claimed, wait, billed=billed, wasted=wasted)


def _store(db: Statements, *, answer: Answer) -> bool:
    return work_claims.store(db, answer)
