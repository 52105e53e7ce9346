"""Whether the SQL in tables=… does what it is for: it makes the job's own tables, and no more."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

_FIRST_WORD = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w*)", re.DOTALL)
_HARMLESS = ("", "create", "insert", "pragma")
# Any other error may be for want of the user's own tables, which only the database has.
_IS_NO_SQL = ("syntax error", "incomplete input", "unrecognized token")


def faults_of_tables(sql: str) -> Iterator[str]:
    """What is wrong with it: a sentence each, with the remedy. Nothing of it touches a database."""
    for statement in _statements(sql):
        first = _FIRST_WORD.match(statement)
        if first and first[1].lower() not in _HARMLESS:
            where = "and it runs before each run, in the database with your records"
            only = "write `create table if not exists …` alone"
            yield f"tables=… has a statement that begins with {first[1][:40]!r}, {where}: {only}"
            return
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.executescript(sql)
        except (sqlite3.Error, ValueError) as error:
            if isinstance(error, ValueError) or any(words in str(error) for words in _IS_NO_SQL):
                yield f"tables=… is no SQL ({error}): write `create table if not exists …`"


def _statements(sql: str) -> Iterator[str]:
    begin = 0
    for semicolon in re.finditer(";", sql):  # it may end a text, a comment or a trigger's step
        if "\0" not in sql and sqlite3.complete_statement(sql[begin : semicolon.end()]):
            yield sql[begin : semicolon.end()]
            begin = semicolon.end()
    yield sql[begin:]
