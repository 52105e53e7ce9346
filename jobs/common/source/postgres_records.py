"""The rows of a SELECT on PostgreSQL as records, a few at a time, however many they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from psycopg.rows import tuple_row

from common.job import Record
from common.row import Row
from common.source.postgres_session import Session
from common.source.record_ids import binary, lacking_id, record_id

_FIRST, _MOST = 100, 2_000  # rows fetched at once
_AT_ONCE = 4 << 20  # bytes of them, about


@dataclass
class Counted:
    """The rows of a SELECT that have a record_id, and those without."""

    rows: int = 0
    without_id: int = 0


def records_of(session: Session, sql: str, counted: Counted) -> Iterator[Record]:
    """The records of a SELECT, in a transaction that ends with them. Raises psycopg.Error."""
    with session.transaction():
        counted.rows = counted.without_id = 0
        session.db.execute(f"declare records no scroll cursor for {sql}")
        count, names = _FIRST, None
        while True:
            cursor = session.db.raw.cursor(row_factory=tuple_row)
            rows = cursor.execute(f"fetch forward {count} from records".encode()).fetchall()
            names = names or _names(cursor.description or [])
            if not any(name.lower() == "record_id" for name in names):
                raise lacking_id()
            for row in rows:
                record = Row(zip(names, row, strict=False))
                record.pop("", None)
                found = record["record_id"]
                if found and type(found) is bytes:
                    raise binary(found, "encode(id, 'hex')")
                record["record_id"] = text = found if type(found) is str else record_id(found)
                if text:
                    counted.rows += 1
                    yield record
                else:
                    counted.without_id += 1
            if len(rows) < count:
                break
            count = min(_MOST, max(1, _AT_ONCE * len(rows) // (1 + _size(rows))))


def _names(columns: list[Any]) -> list[str]:
    """The names of columns. Of several that are called the same the first one counts."""
    names: list[str] = []
    for column in columns:
        names.append("" if column.name in names else column.name)
    return names


def _size(rows: list[tuple[Any, ...]]) -> int:
    """About how many bytes these rows have, from some of them."""
    some = rows[::16]
    texts = (value for row in some for value in row if isinstance(value, str | bytes))
    return sum(map(len, texts)) * len(rows) // max(1, len(some))
