"""A Celery worker around a crew: its consumer, its threads, and how it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import warnings
from collections import deque
from contextlib import suppress
from types import FrameType
from typing import Any

from common.delivery.celery_workers.redis_messages import TASK, Publisher, application
from common.delivery.celery_workers.sweep import Sweep
from common.ledger.for_workers import work_queue
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log, shortened
from common.process.words import counted
from common.settings import Settings
from ops.crew.crew import Crew
from ops.crew.patient_database import PatientDatabase

_ONE_REQUEST = 1.0  # seconds in which a second signal counts as the first
# Seconds without a message while there are some: Celery does not listen any more. First it is told
# to connect anew, and in the end started anew.
_SILENT, _GIVEN_UP = 10.0, 120.0
_LOST_ACK = "Couldn't ack"


class _OneLine(logging.Handler):
    """What Celery has to say, on one line of our log."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING and not str(record.msg).startswith(_LOST_ACK):
            level = min(record.levelno, logging.ERROR)
            log.log(level, "celery: %s", shortened(record.getMessage(), 300))


class Acknowledgements:
    """Those that Celery's loop was asked to send to Redis.

    Celery waits for ever for one that Redis did not take, and lets in one request less from then
    on; without any left it listens no more, and says nothing.
    """

    def __init__(self) -> None:
        self._asked: deque[tuple[float, Any]] = deque()

    def add(self, message: Any, at: float) -> None:
        """Watch a message of kombu's that is to be acknowledged, from `at` on, in seconds."""
        self._asked.append((at, message))

    def lost(self, before: float) -> bool:
        """Whether one of those added before an instant has not been taken."""
        while self._asked and self._asked[0][1].acknowledged:
            self._asked.popleft()
        return bool(self._asked) and self._asked[0][0] < before

    def forget(self) -> None:
        """Watch none of them any more: their connection is given up."""
        self._asked.clear()


class WorkerProcess:
    """One worker, from its start to the exit code."""

    def __init__(
        self, settings: Settings, url: str, queue: str, concurrency: int, lease: float
    ) -> None:
        """Connect to PostgreSQL. Raises JobExit: 69, 78."""
        self._database = PatientDatabase(str(settings.ledger()))
        mark = self._database.transact(lambda db: work_queue.mark_of(db, queue))
        self._app = application(url, queue, mark)
        self._queue = queue
        self._concurrency = concurrency
        self.crew = Crew(self._database, settings, queue, concurrency, lease)
        self._publisher = Publisher(self._app, queue)
        self._sweep = Sweep(self._database.transact, self._publisher, queue, lease)
        self._ended = threading.Event()
        self._acknowledgements = Acknowledgements()
        self._stopped_at = 0.0
        self._code = exits.DONE
        self._worker: Any = None

    def run(self) -> int:
        """Work until a signal comes: the exit code. Raises JobExit where it cannot begin."""
        from celery import signals
        from celery.worker.request import Request

        acknowledgements = self._acknowledgements

        class Noticing(Request):  # type: ignore[misc]
            """A message whose acknowledgement is watched."""

            def acknowledge(self) -> None:
                super().acknowledge()
                acknowledgements.add(self.message, time.monotonic())

        self._app.task(name=TASK, ignore_result=True, Request=Noticing)(self.crew.work)
        signals.setup_logging.connect(_leave_it, weak=False)
        for name in ("celery", "kombu"):
            logging.getLogger(name).handlers[:] = [_OneLine()]
            logging.getLogger(name).propagate = False
        self.crew.begin()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._handle)
        sweeps = threading.Thread(target=self._sweep_on, daemon=True, name="sweep")
        sweeps.start()
        log.info(
            "worker %s: up to %d requests at a time of queue %s",
            self.crew.name,
            self._concurrency,
            self._queue,
        )
        try:
            self._consume()
        finally:
            self._ended.set()
            self.crew.end()
            self._database.close()
        return self._code

    def _consume(self) -> None:
        from celery.exceptions import SecurityWarning

        # It says on several lines what is of no consequence where no message runs code.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        base: Any = self._app.Worker

        class Tame(base):  # type: ignore[misc]
            """A worker that leaves signals to us."""

            def install_platform_tweaks(self, worker: object) -> None:
                """None."""

        self._worker = worker = Tame(
            app=self._app,
            pool="threads",
            concurrency=self._concurrency,
            queues=[self._queue],
            hostname=f"worker@{self.crew.name}",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        worker.start()
        if worker.exitcode and not self._code:
            self._code = exits.BUG

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.crew.stopping:
            if time.monotonic() - self._stopped_at > _ONE_REQUEST:
                log.warning("stopped at once by a second signal")
                os._exit(exits.NOT_NOW)
            return
        name = signal.Signals(number).name.removeprefix("SIG")
        log.warning("%s: finishing what is in flight, then stopping", name)
        self._stop()

    def _stop(self) -> None:
        from celery.worker import state

        self._stopped_at = time.monotonic()
        self.crew.stop()
        state.should_stop = exits.DONE

    def _sweep_on(self) -> None:
        """Sweep each second, and see to it that Celery listens."""
        looked = time.monotonic()
        while not self._ended.wait(1.0):
            with suppress(JobExit):  # the heartbeat tells of it
                self._sweep.sweep()
            if time.monotonic() - looked > _SILENT:
                looked = time.monotonic()
                self._watch()

    def _watch(self) -> None:
        lost = self._acknowledgements.lost(time.monotonic() - _SILENT)
        if lost and self._publisher.waiting() is not None:
            self._acknowledgements.forget()
            log.warning("Redis did not take every acknowledgement: connecting anew")
            self._worker.hub.call_soon(_connect_anew)
            return
        silent = time.monotonic() - self.crew.last_message
        if self.crew.stopping or not self.crew.idle or silent < _SILENT:
            return
        if not (waiting := self._publisher.waiting()):
            return
        what = f"{counted(waiting, 'message')} wait in Redis, and none came for {silent:.0f} s"
        if silent < _GIVEN_UP:
            log.warning("%s: connecting anew", what)
            self._worker.hub.call_soon(_connect_anew)
            return
        log.error("%s: stopped, to be started again", what)
        self._code = exits.UNREACHABLE
        self._stop()


def _connect_anew() -> None:
    """What Celery's loop does at once where this is called in it."""
    raise ConnectionError("no messages came")


def _leave_it(**_: object) -> None:
    """The log is set up already."""
