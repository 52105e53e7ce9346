"""Which columns a job's own tables are to have, from the SQL that makes them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

# Any other error may be for want of the user's own tables, which only the database has.
_IS_NO_SQL = ("syntax error", "incomplete input", "unrecognized token")


def fault_of_sqlite(tables: str) -> str:
    """Why the SQL is none that SQLite knows, with the remedy; "" where it may be."""
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.executescript(tables)
        except (sqlite3.Error, ValueError) as error:
            if isinstance(error, ValueError) or any(words in str(error) for words in _IS_NO_SQL):
                return f"tables=… is no SQL ({error}): write `create table if not exists …`"
    return ""


def wanted_columns(tables: str) -> list[tuple[str, str, str]]:
    """Table, column and declared type of each.

    None where the SQL builds on the user's tables, or is not SQLite's: only save() can tell then.
    """
    with closing(sqlite3.connect(":memory:")) as wanted:
        try:
            wanted.executescript(tables)
        except (sqlite3.Error, ValueError):
            return []
        return wanted.execute(
            "select t.name, c.name, c.type from sqlite_master t, pragma_table_info(t.name) c"
            " where t.type = 'table'"
        ).fetchall()


def statements_that_add(
    wanted: list[tuple[str, str, str]], there: dict[str, set[str]]
) -> list[str]:
    """What adds the columns that tables lack; `there` has the columns of each, in small letters."""
    return [
        f"alter table {table} add column {name} {kind}".rstrip()
        for table, name, kind in wanted
        if there.get(table) and name.lower() not in there[table]
    ]
