"""Tables of a user's PostgreSQL, and the source database on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg

from common.source.postgres_source import PostgresDatabase

EVENTS = "select id as record_id, content, created_at from events order by id"
WINDOW = {"start": "2026-11-21 00:00:00", "end": "2026-11-22 00:00:00"}


def change(url: str, *statements: str) -> None:
    """Do something as the user's application does it."""
    with psycopg.connect(url, autocommit=True) as db:
        for statement in statements:
            db.execute(statement.encode())


def rows(url: str, sql: str) -> list[Any]:
    """What the user's application sees."""
    with psycopg.connect(url) as db:
        return db.execute(sql.encode()).fetchall()


def make(url: str, kinds: str, *values: Sequence[Any], name: str = "events") -> str:
    """Make a table of these columns with these rows; returns the URL."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(f"create table {name} ({kinds})".encode())
        if values:
            marks = ", ".join(["%s"] * len(values[0]))
            insert = f"insert into {name} values ({marks})".encode()
            db.cursor().executemany(insert, values)
    return url


def login(url: str, role: str, password: str = "hunter22") -> str:
    """The URL for another role."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}").geturl()


@contextmanager
def source(url: str, *, writable: bool = False, **options: Any) -> Iterator[PostgresDatabase]:
    """The source database on it."""
    with closing(PostgresDatabase(url, writable=writable, **options)) as db:
        yield db


def read(url: str, select: str = EVENTS, **options: Any) -> list[Any]:
    """The records of a SELECT."""
    with source(url, **options) as db:
        return list(db.select(select, WINDOW))
