"""Whether the SQL in tables=… does what it is for: it makes the job's own tables, and no more.

Whether it is SQL at all only its database can say: see own_columns.py in source/.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

_FIRST_WORD = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)
_HARMLESS = ("", "create", "insert", "pragma")


def faults_of_tables(sql: str) -> Iterator[str]:
    """What is wrong with it: a sentence each, with the remedy. Nothing of it touches a database."""
    for statement in _statements(sql):
        first = _FIRST_WORD.match(statement)
        if first and first[1].lower() not in _HARMLESS:
            where = "and it runs before each run, in the database with your records"
            only = "write `create table if not exists …` alone"
            yield f"tables=… has a statement that begins with {first[1][:40]!r}, {where}: {only}"
            return


def _statements(sql: str) -> Iterator[str]:
    begin = 0
    for semicolon in re.finditer(";", sql):  # it may end a text, a comment or a trigger's step
        if "\0" not in sql and sqlite3.complete_statement(sql[begin : semicolon.end()]):
            yield sql[begin : semicolon.end()]
            begin = semicolon.end()
    yield sql[begin:]
