"""Calls save() to see whether it works, and takes back all that it wrote.

All calls stand in one transaction of the source database, which is rolled back at the end. save()
may commit what it writes: here that does nothing, so that nothing of a rehearsal can stay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from common.claude.code_faults import ends_the_run
from common.source.source_database import SourceDatabase

Save = Callable[[], object]


class _OverError(Exception):
    """Ends the transaction of a rehearsal: whatever leaves `write` by an exception is undone."""


def rehearse(source: SourceDatabase, saves: Sequence[Save]) -> list[BaseException | None]:
    """Call each of these: what it raised, or its commit would have raised; None where it works.

    The connection is another one afterwards. Raises JobExit where the database is to blame.
    """
    raised: list[BaseException | None] = []

    def all_of_them() -> None:
        raised.clear()  # a server that was lost meanwhile calls for all of them again
        db = source.connection
        in_place = _in_sqlite if isinstance(db, sqlite3.Connection) else _in_postgres
        with in_place(db) as attempt:
            raised.extend(_raised(attempt, save) for save in saves)
        raise _OverError

    with suppress(_OverError):
        source.write(all_of_them)
    return raised


def _raised(attempt: Callable[[Save], object], save: Save) -> BaseException | None:
    try:
        attempt(save)
    except BaseException as error:
        if ends_the_run(error):
            raise
        return error
    return None


@contextmanager
def _in_sqlite(db: sqlite3.Connection) -> Iterator[Callable[[Save], object]]:
    ended: list[str | None] = []

    def keep_open(action: int, what: str | None, *_: object) -> int:
        if action != sqlite3.SQLITE_TRANSACTION:
            return sqlite3.SQLITE_OK
        ended.append(what)
        return sqlite3.SQLITE_IGNORE  # the statement does nothing

    def attempt(save: Save) -> None:
        ended.clear()
        save()
        if ended[:1] == ["ROLLBACK"]:
            raise sqlite3.ProgrammingError("what was written has been rolled back")
        db.total_changes  # noqa: B018  # raises where save() has closed the connection

    db.set_authorizer(keep_open)
    try:
        yield attempt
    finally:
        # It rolls back. And the statements that it keeps compiled, `commit` among them, would go on
        # doing nothing.
        db.close()


@contextmanager
def _in_postgres(handle: Any) -> Iterator[Callable[[Save], object]]:
    yield handle.rehearse
