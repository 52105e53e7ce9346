"""Who works on what right now, as a ledger that several machines share knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """The requests of a job that wait for Celery's workers. Instants as the ledger writes them."""

    queue: str
    waiting: int  # for a worker, be it that none may ask yet
    claimed: int
    oldest_since: str  # since when the oldest one could have been claimed; "" where none could
    age_seconds: float | None  # of that one
    last_claim: str  # of any request in this queue; "" for none that is known of
    unclaimed_since: str  # where requests have waited for long, and none was claimed


@dataclass(frozen=True)
class Worker:
    """A Celery worker."""

    worker: str
    host: str
    pid: int
    queue: str
    concurrency: int
    started_at: str
    heartbeat_at: str
    claimed_at: str  # last; "" for never
    answered: int
    alive: bool


@dataclass(frozen=True)
class Holder:
    """The run that holds the lease of a job, wherever it runs."""

    holder: str  # HOST pid N
    since: str  # "" where that is not known yet
    until: str  # if it is not renewed
