"""What the classes of this room need of the database that holds a ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from common.process.meanwhile import Meanwhile

Values = Sequence[Any] | Mapping[str, Any]


class Rows(Protocol):
    """What a statement found or did. A row gives its columns by place and by name."""

    @property
    def rowcount(self) -> int:
        """How many rows a statement changed."""

    def fetchone(self) -> Any:
        """The next row, None where there is none."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Asked(Protocol):
    """A connection that takes SQL with `?` for its values, and gives rows with names."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Any:
        """Run one statement; its rows."""


class Statements(Protocol):
    """SQL that both databases understand, with the placeholders `?` or `:name`.

    Raises JobExit where the database is to blame.
    """

    def execute(self, sql: str, values: Values = (), /) -> Rows:
        """One statement."""

    def executemany(self, sql: str, rows: Iterable[Values], /) -> Rows:
        """One statement for each of these rows."""


class LedgerDatabase(Protocol):
    """A database that holds the ledger of a job, open."""

    name: str  # how messages call it: no password is in it
    answer_as_bytes: str  # the SQL for the bytes of `answer`
    not_by_index: str  # what stands before a column that no index had better be used for
    given: str  # the SQL for a table of many ids, `given`, which come as one value
    given_in_order: str  # the same, with the `place` of each
    given_at_once: int  # how many characters that value had better have

    @property
    def db(self) -> Statements:
        """Its statements. Those that change something stand inside a transaction."""

    def as_given(self, joined: str, /) -> str:
        """That value, of ids that are joined by SEPARATOR."""

    @property
    def answers(self) -> Path | None:
        """The file of this machine for answers that it cannot take; None where it can always."""

    def transaction(self, meanwhile: Meanwhile = ..., /) -> AbstractContextManager[None]:
        """Commit everything inside together when the outermost of such blocks ends.

        `meanwhile` calls what commits, perhaps in another thread. Raises JobExit: 69, 74.
        """

    def ready(self, most_bytes: int) -> None:
        """Make sure, before anything is sent, that answers of so many bytes could be stored.

        Raises JobExit (69, 74) where they could not.
        """

    def release_ballast(self, needed: int) -> bool:
        """Give back disk space kept for a full disk; False where none is left."""

    def close(self) -> None:
        """Let go of it."""
