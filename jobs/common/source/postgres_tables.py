"""A job's own tables on PostgreSQL: they are made where they are missing, and never altered."""

from __future__ import annotations

import psycopg

from common.source.own_columns import statements_that_add, wanted_columns
from common.source.postgres_session import Session

_COLUMNS = (
    "select lower(a.attname) from pg_attribute a join pg_class c on c.oid = a.attrelid"
    " where c.relname in (:name, lower(:name)) and pg_table_is_visible(c.oid)"
    " and a.attnum > 0 and not a.attisdropped"
)
# The tables of a job that its role may not fill, NULL for those that it may not make.
_RIGHTS = """
    select distinct c.oid::regclass::text, quote_ident(coalesce(current_schema(), 'public')),
        quote_ident(current_user)
    from unnest(?::text[]) name
    left join pg_class c on c.relname in (name, lower(name)) and pg_table_is_visible(c.oid)
    where not coalesce(case when c.oid is null then has_schema_privilege(current_schema(), 'create')
        else has_any_column_privilege(c.oid, 'insert') end, false)
    order by 1
"""
_RACED = ("23505", "42P07", "42710")  # two runs have made the same table at once
_NOT_GRANTED = "42501"


def create(session: Session, begin: str, tables: str) -> None:
    """Run the SQL that makes them. Raises psycopg.Error.

    A role that may create nothing will do, where all of them are there.
    """

    def make() -> None:
        with session.transaction(begin):
            # To build an index can take as long as it takes.
            session.db.execute("set local statement_timeout = 0")
            session.db.execute(tables)
            session.db.execute("commit")

    try:
        session.again(make)
    except psycopg.Error as error:
        if error.sqlstate in _RACED:
            make()
        elif error.sqlstate != _NOT_GRANTED or not _are_all_there(session, tables):
            raise


def additions(session: Session, tables: str) -> list[str]:
    """The statements that add what columns they lack. Raises psycopg.Error."""
    wanted = wanted_columns(tables)
    return statements_that_add(wanted, _there(session, wanted))


def grants(session: Session, tables: str) -> list[str]:
    """The statements that grant what their role lacks to make and to fill them. Raises
    psycopg.Error.
    """
    names = sorted({table for table, _, _ in wanted_columns(tables)})

    def lacking() -> list[str]:
        with session.transaction():
            found = session.db.execute(_RIGHTS, (names,)).fetchall()
        return [
            f"grant select, insert, update, delete on {table} to {role}"
            if table
            else f"grant create on schema {schema} to {role}"
            for table, schema, role in found
        ]

    return session.again(lacking) if names else []


def _are_all_there(session: Session, tables: str) -> bool:
    wanted = wanted_columns(tables)
    return bool(wanted) and all(_there(session, wanted).values())


def _there(session: Session, wanted: list[tuple[str, str, str]]) -> dict[str, set[str]]:
    """The columns of each table, in small letters; none of one that is not there."""

    def columns() -> dict[str, set[str]]:
        with session.transaction():
            return {
                table: {name for (name,) in session.db.execute(_COLUMNS, {"name": table})}
                for table in {table for table, _, _ in wanted}
            }

    return session.again(columns) if wanted else {}
