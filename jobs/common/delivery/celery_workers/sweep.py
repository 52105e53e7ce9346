"""The sweep: what is due is published, what dead workers had is freed, what Redis lost is found.

Runs and workers do it, whoever comes first in each second: so the queue moves as long as anybody
lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Protocol, TypeVar

from common.delivery.celery_workers.redis_messages import Publisher
from common.ledger.for_workers import work_queue
from common.ledger.ledger_database import Statements
from common.process.log import log

T = TypeVar("T")

LEASE = 60.0  # seconds without a heartbeat after which a worker is dead


class Transact(Protocol):
    """Does some work in one transaction, and gives what it gives. Raises JobExit."""

    def __call__(self, work: Callable[[Statements], T], /) -> T: ...


class Sweep:
    """Sweeps one queue."""

    def __init__(self, transact: Transact, publisher: Publisher, queue: str, lease: float) -> None:
        """`lease`: seconds without a heartbeat after which a worker is dead."""
        self._transact = transact
        self._publisher = publisher
        self._queue = queue
        self._lease = lease
        self._unreachable = False
        self._steady_since = self._last = -inf

    def sweep(self, *, at_once: bool = False) -> None:
        """Sweep, unless somebody just has; `at_once`: all the same.

        Raises JobExit where PostgreSQL is to blame. Without Redis all waits in PostgreSQL.
        """
        due = self._transact(lambda db: work_queue.is_due(db, self._queue))
        steady = self._is_steady()
        if not due and not at_once:
            return
        for request_id, worker in self._transact(work_queue.expire) if steady else ():
            log.warning("%s: worker %s died with it in flight: sent again", request_id, worker)
        if self._transact(lambda db: work_queue.doubtful(db, self._queue)):
            none_left = self._publisher.waiting() == 0
            self._transact(
                lambda db: work_queue.forget_messages(db, self._queue, none_left=none_left)
            )
        self._publish()

    def _is_steady(self) -> bool:
        """Whether the database was there for a while: else workers could not say that they live."""
        now = time.monotonic()
        if now - self._last > max(5.0, self._lease / 4):
            self._steady_since = now
        self._last = now
        return now - self._steady_since >= self._lease / 2

    def _publish(self) -> None:
        due = self._transact(lambda db: work_queue.take_due(db, self._queue))
        if not due:
            return
        done, why = self._publisher.publish(due)
        if why:
            self._transact(lambda db: work_queue.unpublish(db, due[done:]))
            if not self._unreachable:
                waits = "PostgreSQL keeps what waits, and it is published once Redis is back"
                log.warning("Redis could not be reached (%s): %s", why, waits)
        elif self._unreachable:
            log.info("Redis is back")
        self._unreachable = bool(why)
