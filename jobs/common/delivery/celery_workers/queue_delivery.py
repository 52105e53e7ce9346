"""Delivery by Celery, the run's side: requests into the queue, and out what becomes of them.

The queue is a part of the ledger: each request is in it with its intent, in one commit, and each
answer is in the ledger before the run hears of it. So a run can be killed, the workers go on, and
the next run takes over what has ended by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import TypeVar

from common.claude.request import Request
from common.context import Context
from common.delivery.celery_workers.redis_messages import Publisher, application, queue_of, url_of
from common.delivery.celery_workers.sweep import LEASE, Sweep
from common.delivery.held import Held
from common.delivery.near_a_cap.affordable import Affordable
from common.delivery.request_maker import intent_of
from common.delivery.spending import Spending
from common.ledger.for_workers import work_queue
from common.ledger.for_workers.work_queue import Ended, Standing, Work
from common.ledger.ledger_database import Statements
from common.ledger.postgres.postgres_ledger import PostgresLedger
from common.ledger.states import Ending, RequestStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted, duration

T = TypeVar("T")

_TOGETHER = 200  # requests in one commit
_EACH = 1.0  # seconds between two looks
_LOGGED_EVERY = 60.0
_SHARED_EVERY = 600.0  # seconds after which what has come so far is used
_SILENCE = 300.0  # seconds without a claim


class CeleryDelivery:
    """Queues requests for the workers, and takes over what they have brought to an end."""

    def __init__(self, context: Context, spending: Spending) -> None:
        self._context = context
        self._spending = spending
        self._ledger = context.ledger
        self._job = context.job.name
        self._affordable = Affordable(context, spending)
        self._answered = 0  # by workers, since this run began
        self._deadline: float | None = None
        self._logged = 0.0
        self._end: JobExit | None = None  # with which the run has to end

    @cached_property
    def _has_queue(self) -> bool:
        return isinstance(self._ledger.database, PostgresLedger) and not (
            self._context.options.dry_run
        )

    def _transact(self, work: Callable[[Statements], T]) -> T:
        with self._ledger.transaction():
            return work(self._ledger.database.db)

    @cached_property
    def _queue(self) -> str:
        return queue_of(self._context.settings)

    @cached_property
    def _sweep(self) -> Sweep:
        """Raises JobExit (78) where Celery is not installed, or its settings are wrong."""
        mark = self._transact(lambda db: work_queue.mark_of(db, self._queue))
        app = application(url_of(self._context.settings), self._queue, mark)
        return Sweep(self._transact, Publisher(app, self._queue), self._queue, LEASE)

    def check(self) -> None:
        """Raises JobExit (78) where a run by Celery cannot begin."""
        if not self._has_queue:
            raise JobExit(
                exits.SETTINGS,
                "Celery's workers need the ledger in PostgreSQL: set"
                " LEDGER_DB=postgresql://USER@HOST/DATABASE (./run_job.sh --setup --with celery"
                " --with postgres), or run with --live",
            )
        _ = self._sweep

    def submit(self, requests: Iterator[Request]) -> int:
        """Queue requests up to a cost cap: how many. Raises JobExit."""
        affordable, sent = self._affordable.of(requests, "celery"), 0
        while group := list(islice(affordable, _TOGETHER)):
            work = [self._work(request) for request in group]
            with self._ledger.transaction():
                self._ledger.intend(intent_of(request, self._context.model) for request in group)
                work_queue.add(self._ledger.database.db, self._job, self._queue, work)
            sent += len(group)
            self._context.tally.sent(len(group), sum(one.new_records for one in group))
            self._sweep.sweep(at_once=True)
            if self._context.stop.by:
                break  # what is queued is answered without us; collect() says so
        if sent:
            log.info("%s queued for workers (queue %s)", counted(sent, "request"), self._queue)
        return sent

    def _work(self, request: Request) -> Work:
        return Work(
            request.request_id,
            request.label,
            str(request.params["model"]),
            request.body.decode(),
            request.most_usd,
            self._spending.budget.capped,
        )

    def collect(self, wait: float) -> bool:
        """Take over what has ended, until nothing of this job is in the queue.

        False: some of it has come, and there is more: it is time to use it, and to call again.
        Raises Held (75) where some is under way after `wait` seconds; JobExit: 69 where no worker
        claims anything, 75 when stopped, 77, 78, and the codes that the workers met.
        """
        if not self._has_queue or not work_queue.left(self._ledger.database.db, self._job):
            return True
        clock = self._context.clock
        began = self._logged = clock.now()
        if self._deadline is None:
            self._deadline = began + wait
        answered = self._answered
        while standing := self._left():
            if self._context.delivery == "celery":
                self._wait(standing, began, self._deadline)
            else:
                self._leave(standing)
            if clock.now() - began > _SHARED_EVERY and self._answered > answered:
                return False
        self._deadline = None
        if self._affordable.reserved:
            self._affordable.settle("celery")
        return True

    def _left(self) -> Standing | None:
        """How what is left stands, once all that has ended is taken over; None for nothing."""
        while self._take_over():
            pass
        if self._end:
            raise self._end
        standing = work_queue.standing(self._ledger.database.db, self._job, self._queue)
        if not standing.left:
            return None
        if by := self._context.stop.by:
            state = self._in_words(standing)
            raise JobExit(exits.NOT_NOW, f"stopped by {by}: {state}: the next run collects")
        return standing

    def _wait(self, standing: Standing, began: float, deadline: float) -> None:
        """Sweep, and wait a little. Raises JobExit where that is of no use any more."""
        clock, state = self._context.clock, self._in_words(standing)
        self._sweep.sweep()
        if min(standing.waited, clock.now() - began) >= _SILENCE:
            raise JobExit(exits.UNREACHABLE, f"{_nobody(standing)}; {state}")
        if clock.now() + _EACH > deadline:
            raise Held(exits.NOT_NOW, f"{state}: the next run collects")
        if clock.now() - self._logged >= _LOGGED_EVERY:
            log.info("%s", state)
            self._logged = clock.now()
        self._context.progress.message_batch(state)
        self._context.claude.sleep(_EACH)

    def _leave(self, standing: Standing) -> None:
        """A run by another delivery waits for no worker, and takes back what nobody works on."""
        nobody = not standing.workers and not standing.in_flight
        if nobody and (unsent := self._transact(self._withdraw)):
            log.warning("no worker is there: %s taken back", counted(unsent, "queued request"))
            return
        state = self._in_words(standing)
        raise Held(exits.NOT_NOW, f"{state}: a run with --celery collects")

    def _withdraw(self, db: Statements) -> int:
        return work_queue.withdraw(db, self._job)

    def _in_words(self, standing: Standing) -> str:
        left = counted(standing.left, "request")
        by = counted(standing.workers, "worker")
        return f"{left} of {self._job} with Celery, {self._answered:,} answered, {by}"

    def _take_over(self) -> int:
        """Take over some that have ended: how many."""
        with self._ledger.transaction():
            found = work_queue.ended(self._ledger.database.db, self._job, _TOGETHER)
            over = [one for one in found if one.how != "asks" or not self._goes_on(one)]
            endings = [_ending(one) for one in over if one.how != "answered"]
            self._ledger.apply(endings)
            if over:
                ids = [one.request_id for one in over]
                work_queue.remove(self._ledger.database.db, ids)
        tally = self._context.tally
        tally.apply(endings)
        for one in over:
            if one.how == "answered":
                self._answered += 1
                tally.answered(one.attempts, one.prompt_tokens, one.output_tokens, one.usd)
                continue
            tally.unanswered(one.attempts)
            if one.how == "failed":
                log.warning("%s: %s: asked live", one.request_id, one.reason)
            elif one.code is not None:
                self._stopped_by(one)
        return len(found)

    def _stopped_by(self, one: Ended) -> None:
        """A worker met what has to end the run. What ended a run before may be mended by now."""
        end = JobExit(one.code or exits.BUG, f"{one.reason}; the rest waits")
        if one.request_id.startswith(self._context.run_id):
            self._end = self._end or end
        else:
            log.warning("%s, of a run before: %s", one.request_id, end.message)

    def _goes_on(self, one: Ended) -> bool:
        """Let one be sent once more that may have been billed, where a cap allows it."""
        if not self._spending.reserve_more(one.most_usd):
            capped = self._spending.cap_reached()
            self._end = self._end or JobExit(capped.code, f"{capped.reason}; the rest waits")
            return False
        self._affordable.reserved += one.most_usd
        db = self._ledger.database.db
        self._ledger.attempted(one.request_id, one.attempts + 1, one.unsettled_usd + one.most_usd)
        work_queue.go_on(db, one.request_id)
        return True


def _ending(one: Ended) -> Ending:
    failed = one.how == "failed"
    return Ending(
        request_id=one.request_id,
        status=RequestStatus.FAILED if failed else RequestStatus.LOST,
        reason=one.reason,
        failed=dict.fromkeys(one.record_ids, one.reason) if failed else {},
        waiting=() if failed else one.record_ids,
        attempts=max(1, one.attempts),
        unsettled_usd=one.unsettled_usd,
    )


def _nobody(standing: Standing) -> str:
    if not standing.last_claim:
        since = f"for {duration(standing.waited)}"
    else:
        since = f"since {standing.last_claim}"
    said = f"no worker has claimed anything {since}"
    if standing.workers:
        alive = counted(standing.workers, "worker")
        return f"{said}, though there is {alive}: is Redis (CELERY_BROKER_URL) within their reach?"
    return f"{said}: start one: ./run_job.sh worker"
