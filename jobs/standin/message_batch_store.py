"""Keeps message batches in SQLite: on disk, where they outlive the stand-in, or in memory."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TABLES = """
create table if not exists message_batches (
    number integer primary key autoincrement,
    message_batch_id text not null unique,
    requests integer not null,
    duration real not null,      -- seconds that processing takes
    created_at real not null,
    expires_at real not null,
    cancel_initiated_at real,
    ended_at real
);
create table if not exists requests (
    message_batch_id text not null,
    number integer not null,     -- place in the request that made the message batch
    place integer not null,      -- place in its results: shuffled
    custom_id text not null,
    params text not null,
    outcome text,                -- succeeded, errored, canceled, expired; null while processing
    line text,                   -- of the results, without its line feed
    primary key (message_batch_id, number)
);
create index if not exists requests_waiting on requests (message_batch_id, number)
    where outcome is null;
"""
COLUMNS = (
    "message_batch_id, requests, duration, created_at, expires_at, cancel_initiated_at, ended_at"
)


@dataclass(frozen=True)
class StoredMessageBatch:
    """A row about a message batch. Times are seconds since 1970."""

    message_batch_id: str
    requests: int
    duration: float
    created_at: float
    expires_at: float
    cancel_initiated_at: float | None
    ended_at: float | None


class MessageBatchStore:
    """All message batches of one stand-in. Each method that changes something commits it.

    Without a `folder` the store is in memory, and gone with the process.
    """

    def __init__(self, folder: Path | None) -> None:
        path = ":memory:"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = folder / "message_batches.db"
            file.touch(mode=0o600)  # requests carry customers' texts
            path = str(file)
        self.db = sqlite3.connect(path)
        self.db.execute("pragma synchronous = full")
        self.db.executescript(TABLES)

    def close(self) -> None:
        self.db.close()

    def add(self, added: StoredMessageBatch, requests: Iterable[tuple[int, int, str, str]]) -> None:
        """Store a message batch and its requests: (number, place, custom_id, params as JSON)."""
        with self.db:
            self.db.execute(
                f"insert into message_batches ({COLUMNS}) values (?, ?, ?, ?, ?, ?, ?)",
                (
                    added.message_batch_id,
                    added.requests,
                    added.duration,
                    added.created_at,
                    added.expires_at,
                    added.cancel_initiated_at,
                    added.ended_at,
                ),
            )
            self.db.executemany(
                "insert into requests (message_batch_id, number, place, custom_id, params)"
                " values (?, ?, ?, ?, ?)",
                ((added.message_batch_id, *request) for request in requests),
            )

    def get(self, message_batch_id: str) -> StoredMessageBatch | None:
        row = self.db.execute(
            f"select {COLUMNS} from message_batches where message_batch_id = ?", (message_batch_id,)
        ).fetchone()
        return StoredMessageBatch(*row) if row else None

    def newest_first(self) -> list[StoredMessageBatch]:
        rows = self.db.execute(f"select {COLUMNS} from message_batches order by number desc")
        return [StoredMessageBatch(*row) for row in rows]

    def unended(self) -> list[str]:
        rows = self.db.execute(
            "select message_batch_id from message_batches where ended_at is null"
        )
        return [row[0] for row in rows]

    def left(self, message_batch_id: str) -> int:
        """How many requests have no outcome yet."""
        row = self.db.execute(
            "select count(*) from requests where message_batch_id = ? and outcome is null",
            (message_batch_id,),
        ).fetchone()
        return int(row[0])

    def waiting(self, message_batch_id: str, most: int) -> Iterator[tuple[int, str, str]]:
        """The next `most` requests without an outcome: (number, custom_id, params)."""
        rows = self.db.execute(
            "select number, custom_id, params from requests"
            " where message_batch_id = ? and outcome is null order by number limit ?",
            (message_batch_id, max(0, most)),
        )
        try:
            yield from rows
        finally:
            rows.close()

    def settle(self, message_batch_id: str, outcomes: list[tuple[int, str, str]]) -> None:
        """Store the outcomes of requests: (number, outcome, line of the results)."""
        if not outcomes:
            return
        with self.db:
            self.db.executemany(
                "update requests set outcome = ?, line = ?"
                " where message_batch_id = ? and number = ?",
                [(outcome, line, message_batch_id, n) for n, outcome, line in outcomes],
            )

    def counts(self, message_batch_id: str) -> dict[str, int]:
        """The number of requests per outcome; `processing` are those without one."""
        rows = self.db.execute(
            "select coalesce(outcome, 'processing'), count(*) from requests"
            " where message_batch_id = ? group by 1",
            (message_batch_id,),
        )
        return dict(rows.fetchall())

    def cancel(self, message_batch_id: str, now: float) -> None:
        with self.db:
            self.db.execute(
                "update message_batches set cancel_initiated_at = ? where message_batch_id = ?",
                (now, message_batch_id),
            )

    def end(self, message_batch_id: str, now: float) -> None:
        with self.db:
            self.db.execute(
                "update message_batches set ended_at = ? where message_batch_id = ?",
                (now, message_batch_id),
            )

    def delete(self, message_batch_id: str) -> None:
        with self.db:
            for table in ("requests", "message_batches"):
                self.db.execute(
                    f"delete from {table} where message_batch_id = ?", (message_batch_id,)
                )

    def results_length(self, message_batch_id: str) -> int:
        row = self.db.execute(
            "select coalesce(sum(length(cast(line as blob)) + 1), 0) from requests"
            " where message_batch_id = ?",
            (message_batch_id,),
        ).fetchone()
        return int(row[0])

    def results(self, message_batch_id: str) -> Iterator[bytes]:
        """The lines of the results, in shuffled order."""
        rows = self.db.execute(
            "select line from requests where message_batch_id = ? order by place",
            (message_batch_id,),
        )
        for (line,) in rows:
            yield line.encode() + b"\n"
