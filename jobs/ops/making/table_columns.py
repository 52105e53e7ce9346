"""What a table of RECORDS_DB looks like: its columns, and what stands in the first rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from common.process import exits
from common.process.exits import JobExit
from common.process.postgres import is_postgres
from common.process.words import nearest
from common.source.source_database import SourceDatabase, open_source

_ROWS = 200  # that are looked at
_LETTERS = 400  # of each text
_SAME = 100_000  # rows among which an id is looked for twice
# Words of SQL that name no column unless they are quoted; `user` would be somebody else's name.
_RESERVED = frozenset(
    "all and any array as asc between both by case check collate column constraint create cross"
    " current_date current_time current_timestamp current_user default deferrable delete desc"
    " distinct do drop else end except exists false fetch for foreign from full grant group having"
    " in index inner insert intersect into is isnull join leading left like limit localtime natural"
    " not notnull null offset on only or order outer primary references returning right row select"
    " session_user set some table then to trailing transaction true union unique update user using"
    " values view when where window with".split()
)


@dataclass(frozen=True)
class Column:
    """A column: its type as it was declared, its place in the primary key (0: none), and what
    stands in it in the first rows, None left out, texts cut.
    """

    name: str
    declared: str
    key: int = 0
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table or view: its name as SQL writes it, its columns in order, and what makes a text of
    bytes in its database.
    """

    name: str
    columns: tuple[Column, ...]
    hex: str = "hex({})"


def identifier(name: str) -> str:
    """A name as SQL writes it, quoted where it must be."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in _RESERVED:
        return name
    return f'"{name}"'


class Tables:
    """The tables of the source database that RECORDS_DB names."""

    def __init__(self, url: str) -> None:
        """Raises JobExit: 78 where it cannot be used, 69 where it cannot be reached."""
        self._is_postgres = is_postgres(url)
        self._db: SourceDatabase = open_source(url, writable=False, job="new")

    def close(self) -> None:
        """Let go of the database."""
        self._db.close()

    def names(self) -> list[str]:
        """All tables and views, those of PostgreSQL outside the search path with their schema."""
        return [
            row["record_id"] for row in self._rows(_PG_TABLES if self._is_postgres else _TABLES)
        ]

    def table(self, name: str) -> Table:
        """A table. Raises JobExit: 2 where there is none of this name, 78 for odd names in it."""
        known = self.names()
        found = name if name in known else ""
        if not found and not self._is_postgres:
            found = next((one for one in known if one.lower() == name.lower()), "")
        if not found:
            raise JobExit(
                exits.USAGE, f"--table {name}: no such table in RECORDS_DB: {nearest(name, known)}"
            )
        for one in (found, *(column for column, _, _ in self._columns(found))):
            if not one.isprintable() or set(one) & set('"\\'):
                text = f"--table {name}: a name in it, {one!r}, needs more than quotes"
                raise JobExit(
                    exits.SETTINGS, f"{text}: make a view with plain names, and name that"
                )
        where = self._written(found)
        columns = self._columns(found)
        values = self._values(where, [column for column, _, _ in columns])
        return Table(
            where,
            tuple(
                Column(column, declared, key, tuple(values.get(column, ())))
                for column, declared, key in columns
            ),
            "encode({}, 'hex')" if self._is_postgres else "hex({})",
        )

    def is_unique(self, table: str, column: str) -> bool:
        """Whether no value stands twice in a column, among the first rows of a large table."""
        sql = (
            f"select min(1) as record_id, count(*) as number from (select {column} as one"
            f" from {table} limit {_SAME}) as rows_of_it group by one having count(*) > 1 limit 1"
        )
        return not list(self._rows(sql))

    def _written(self, name: str) -> str:
        schema, dot, rest = name.partition(".") if self._is_postgres else ("", "", name)
        return f"{identifier(schema)}.{identifier(rest)}" if dot else identifier(name)

    def _columns(self, name: str) -> list[tuple[str, str, int]]:
        if self._is_postgres:
            sql, table = _PG_COLUMNS, self._written(name)
        else:
            sql, table = _COLUMNS, name
        found = self._rows(sql, {"name": table})
        return [(row["record_id"], str(row["declared"]).lower(), int(row["key"])) for row in found]

    def _values(self, table: str, names: Iterable[str]) -> dict[str, list[Any]]:
        """The first values of each column, as Python has them. PostgreSQL gives texts for most."""
        columns = {f"c{number}": name for number, name in enumerate(names)}
        parts = ", ".join(f"{identifier(name)} as {short}" for short, name in columns.items())
        values: dict[str, list[Any]] = {name: [] for name in columns.values()}
        first = f"(select * from {table} limit {_ROWS}) as first_rows"
        sql = f"select 1 as record_id, {parts} from {first}"
        for row in self._rows(sql):
            for short, name in columns.items():
                value = row[short]
                if value is not None:
                    values[name].append(value[:_LETTERS] if isinstance(value, str) else value)
        return values

    def _rows(self, sql: str, parameters: dict[str, str] | None = None) -> Iterable[Any]:
        return list(self._db.select(sql, parameters or {}))


_TABLES = """
    select name as record_id from sqlite_master
    where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\' order by name
"""
_COLUMNS = """
    select name as record_id, type as declared, pk as key from pragma_table_xinfo(:name)
    where hidden <> 1 order by cid
"""
_PG_TABLES = """
    select case when pg_table_is_visible(c.oid) then c.relname
        else n.nspname || '.' || c.relname end as record_id
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not like 'pg\\_%'
        and n.nspname <> 'information_schema' and not c.relispartition
        and has_schema_privilege(n.oid, 'usage') and has_any_column_privilege(c.oid, 'select')
    order by 1
"""
_PG_COLUMNS = """
    select a.attname as record_id, format_type(a.atttypid, a.atttypmod) as declared,
        coalesce((select array_position(i.indkey::int2[], a.attnum) + 1
            from pg_index i where i.indrelid = a.attrelid and i.indisprimary), 0) as key
    from pg_attribute a
    where a.attrelid = to_regclass(:name) and a.attnum > 0 and not a.attisdropped
    order by a.attnum
"""
