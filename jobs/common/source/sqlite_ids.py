"""Which records of a SELECT on SQLite are worth reading: their ids are read first, where most are
done.

A table that has grown for years has a million records that are done, and a dozen that are not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

_TOGETHER = 20_000  # ids
_MOST = 20_000  # ids by which rows are looked for; to find more, all rows had better be read


class Wanted(NamedTuple):
    """How many rows a SELECT gives, and the ids of those that are to be read."""

    rows: int
    ids: list[int] | list[str]


class _NotPlainError(Exception):
    """An id is none, or is of another type than those before it."""


def wanted(
    connection: sqlite3.Connection,
    inner: str,
    parameters: Mapping[str, object],
    not_done: Callable[[Iterable[list[str]]], Iterator[str]],
) -> Wanted | None:
    """The ids of a SELECT's records that are not done; None where all rows are to be read for it.

    `inner`: the SELECT as it can stand within another. Raises sqlite3.Error.
    """
    names = connection.execute(f"select * from ({inner}\n) limit 0", parameters)
    if any(":" in name for name, *_ in names.description):
        return None  # so SQLite calls the second of two columns of one name
    kinds: set[type] = set()
    rows = 0

    def lists() -> Iterator[list[str]]:
        nonlocal rows
        found = connection.execute(f"select record_id from ({inner}\n)", parameters)
        while group := [value for (value,) in found.fetchmany(_TOGETHER)]:
            kinds.update(map(type, group))
            if kinds not in ({int}, {str}) or "" in group:
                raise _NotPlainError
            rows += len(group)
            yield [*map(str, group)]

    ids: set[str] = set()
    try:
        for one in not_done(lists()):
            ids.add(one)
            if len(ids) > _MOST:
                return None
    except _NotPlainError:
        return None
    return Wanted(rows, [*map(int, ids)] if kinds == {int} else [*ids])
