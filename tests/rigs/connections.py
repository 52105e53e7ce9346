"""Connections to a real PostgreSQL for tests to look through, which are used again and again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

Raw = psycopg.Connection[tuple[Any, ...]]
_idle: dict[tuple[int, str], Raw] = {}  # by process and address


@contextmanager
def connected(url: str) -> Iterator[Raw]:
    """A connection that nobody else has meanwhile. One that is left as it was is used again.

    A server works longer for a new connection than for all that a test asks of it.
    """
    own = (os.getpid(), url)  # a process that was forked has none yet
    db = _idle.pop(own, None)
    if db is None or not _is_alive(db):
        db = psycopg.connect(url, autocommit=True, prepare_threshold=None)
    try:
        yield db
    finally:
        if db.info.transaction_status is TransactionStatus.IDLE and _is_alive(db):
            let_go(url)
            _idle[own] = db
        else:
            db.close()


def _is_alive(db: Raw) -> bool:
    """Whether the server still has it: it is as new then, without what was set or locked."""
    try:
        db.execute("discard all")
    except psycopg.Error:
        db.close()
        return False
    return True


def let_go(url: str) -> None:
    """Close the connection that waits to be used again."""
    if db := _idle.pop((os.getpid(), url), None):
        db.close()
