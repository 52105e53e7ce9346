"""The source database, whichever it is: where records come from, and where outputs go."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Protocol, cast

from common.job import Record
from common.process import exits
from common.process.exits import JobExit
from common.process.meanwhile import Meanwhile
from common.process.postgres import check_installed, in_words, is_postgres
from common.source import sqlite_source
from common.source.times_seen import TimesSeen


class SourceDatabase(Protocol):
    """An open database that holds the records. sqlite_source.Database says what each one does."""

    zone: tzinfo
    # Why rows may be hidden from the SELECT whose columns were asked for; "" where none are.
    hidden: str

    @property
    def rows(self) -> int:
        """How many rows of the last SELECT had a record_id."""

    @property
    def without_id(self) -> int:
        """How many had none."""

    @property
    def connection(self) -> Any:
        """What save() and note() get."""

    @property
    def seen(self) -> TimesSeen:
        """Of the last SELECT: the times that within() has read."""

    def select(
        self,
        select: str,
        parameters: Mapping[str, object],
        not_done: Callable[[Iterable[list[str]]], Iterator[str]] | None = None,
    ) -> Iterator[Record]:
        """Stream the records of a SELECT. `not_done` takes ids in lists, and gives those of records
        that are not done: others may be left out.
        """

    def columns(self, select: str) -> list[str]:
        """The names of a SELECT's columns; no row is read."""

    def create(self, tables: str) -> None:
        """Run the SQL that creates a job's own tables, before anything is sent."""

    def lacking(self, tables: str) -> str:
        """What columns the job's own tables lack, with the statement that adds them."""

    def unwritable(self, tables: str) -> str:
        """Why the job's own tables cannot be made or written; "" where they can."""

    def write(self, save: Callable[[], object], meanwhile: Meanwhile = ..., /) -> None:
        """Call `save` in one transaction, which it may commit itself.

        `meanwhile` is called with what commits, and may call it in another thread.
        """

    def close(self) -> None:
        """Let go of it."""


class _NoRecords:
    """In the place of a database, for a job that is made from another's reports: nothing of it is
    ever asked for.
    """


NO_RECORDS = cast("SourceDatabase", _NoRecords())


def open_source(url: str, *, writable: bool, zone: tzinfo = UTC, job: str = "") -> SourceDatabase:
    """The source database that RECORDS_DB names.

    Raises JobExit: 78 where it cannot be used, 69 where it cannot be reached.
    """
    if is_postgres(url):
        check_installed(f"RECORDS_DB {in_words(url)}")
        from common.source.postgres_source import PostgresDatabase

        return PostgresDatabase(url, writable=writable, zone=zone, purpose=job or "records")
    scheme, is_url, _ = url.partition("://")
    if is_url or re.search(r"\b(?:host|dbname|password)\s*=", url):
        given = f"{scheme}://…" if is_url else "…"
        one = "give the path of a SQLite file, or postgresql://USER@HOST/DATABASE"
        raise JobExit(exits.SETTINGS, f"RECORDS_DB={given}: {one}")
    return sqlite_source.Database(Path(url).expanduser(), writable=writable, zone=zone)
