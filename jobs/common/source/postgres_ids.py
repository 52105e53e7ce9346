"""Which records of a SELECT are worth reading: their ids are read first, where most are done.

A million ids take half a second, a million rows five.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from psycopg.rows import scalar_row

from common.source.postgres_records import Counted
from common.source.postgres_session import Session

_TOGETHER = 20_000  # ids
_MOST = 20_000  # ids by which rows are looked for; to find more, all rows had better be read
_SERVER = 140_000  # from here on PostgreSQL is quick to find many values in a list
# Types whose values look in Python as their text does there: integers, texts, numeric, uuid.
_KINDS = (20, 21, 23, 25, 1043, 1700, 2950)


@dataclass(frozen=True)
class Wanted:
    """What is to be read of a SELECT."""

    ids: set[str]
    counted: Counted
    kind: str  # the type of the ids

    def of(self, sql: str) -> str:
        """The SELECT of these rows alone, in their order."""
        quoted = ('"' + one.replace("\\", r"\\").replace('"', r"\"") + '"' for one in self.ids)
        array = "{" + ",".join(quoted) + "}"
        text = array.replace("\\", r"\\").replace("'", "''")
        return f"select * from (\n{sql}\n) rows where record_id = any(E'{text}'::{self.kind}[])"


def wanted(
    session: Session, sql: str, not_done: Callable[[Iterable[list[str]]], Iterator[str]]
) -> Wanted | None:
    """The records of a SELECT that are not done.

    None where that cannot be told by ids, or they are many: all rows are to be read then. Raises
    psycopg.Error.
    """
    server = session.db.raw.info
    any_bytes = server.parameter_status("server_encoding") == "SQL_ASCII"
    if server.server_version < _SERVER or any_bytes:
        return None
    names, _, kinds = session.described(sql)
    if [name.lower() for name in names].count("record_id") != 1 or "record_id" not in names:
        return None
    kind = kinds[names.index("record_id")]
    if kind not in _KINDS:
        return None
    counted = Counted()
    ids: set[str] = set()
    for one in not_done(_ids(session, sql, counted)):
        ids.add(one)
        if len(ids) > _MOST:
            return None
    (name,) = session.read(f"select format_type({kind}, null)")
    return Wanted(ids, counted, str(name))


def _ids(session: Session, sql: str, counted: Counted) -> Iterator[list[str]]:
    """The ids that a SELECT gives, and how many rows have one."""
    with session.transaction():
        session.db.execute(
            f"declare ids no scroll cursor for select record_id::text from (\n{sql}\n) rows"
        )
        while True:
            cursor = session.db.raw.cursor(row_factory=scalar_row)
            found = cursor.execute(f"fetch forward {_TOGETHER} from ids".encode()).fetchall()
            ids = [one for one in found if one]
            counted.rows += len(ids)
            counted.without_id += len(found) - len(ids)
            yield ids
            if len(found) < _TOGETHER:
                return
