"""Takes what a ledger has forgotten out of the bytes of its files.

SQLite leaves deleted content in free parts of the file and in the write-ahead log; PostgreSQL
leaves the old rows in the table's file until that is rewritten.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

from common.ledger.sqlite_ledger import LedgerFile
from common.process import exits
from common.process.exits import JobExit
from common.process.postgres import Connection
from common.process.postgres_errors import plain

_TABLES = ("records", "requests", "windows", "queue")
_PATIENCE = "60s"  # for others' locks
_WAITS = (0.1, 0.2, 0.5, 1, 2, 4)  # seconds for others' transactions, which need the old rows


def overwrite(file: LedgerFile) -> None:
    """From now on, what a statement deletes is overwritten with zeros."""
    file.db.execute("pragma secure_delete = on").fetchall()


def scrub(file: LedgerFile) -> None:
    """Write the whole file anew, and empty its write-ahead log.

    What was deleted before, by whatever statement, is gone with it. Raises JobExit (74) where the
    disk has no room for that: twice the size of the file.
    """
    try:
        _empty_log(file)
        file.db.execute("vacuum")
        _empty_log(file)
    except sqlite3.Error as error:
        again = "make room on the disk (twice the size of the file), and run this again"
        left = f"{file.path}: what was erased may still stand in free parts of the file ({error})"
        raise JobExit(exits.CANNOT_WRITE, f"{left}: {again}") from error


def _empty_log(file: LedgerFile) -> None:
    busy = file.db.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
    if busy:
        reads = (
            "somebody reads it: end that (a status --watch, an open sqlite3), and run this again"
        )
        raise JobExit(exits.NOT_NOW, f"{file.path}-wal still holds what was erased: {reads}")


def rewrite(address: str) -> str:
    """Let the server write the ledger's tables anew. Why it did not, "" where it did.

    Meanwhile runs of all jobs wait for the tables. Raises JobExit where there is no connection.
    """
    import psycopg

    connection = Connection(address, "LEDGER_DB", "prune")
    with closing(connection):
        try:
            connection.execute(f"set lock_timeout = '{_PATIENCE}'")
            for table in _TABLES:
                if (before := _place(connection, table)) is None:
                    continue
                for wait in (0.0, *_WAITS):
                    time.sleep(wait)
                    # Also what the planner has noted of its values.
                    connection.execute(f"vacuum (full, analyze) {table}")
                    if not (is_needed := _has_old_rows(connection, table)):
                        break
                if _place(connection, table) == before:
                    return f"the role of LEDGER_DB does not own the table {table}"
                if is_needed:
                    return f"an open transaction needs old rows of {table}: pg_stat_activity has it"
            connection.execute("reset lock_timeout")
        except psycopg.Error as error:
            return plain(error, connection.name, "rewritten").message
    return ""


def _place(connection: Connection, table: str) -> str | None:
    """The file that a table stands in; None where there is no such table."""
    row = connection.execute("select pg_relation_filepath(to_regclass(?))", (table,)).fetchone()
    return None if row is None else row[0]


def _has_old_rows(connection: Connection, table: str) -> bool:
    """Whether a table that has just been analyzed holds rows that somebody may still have to see.

    Those of a transaction that began before they were deleted are rewritten, too.
    """
    old = "select n_dead_tup > 0 from pg_stat_all_tables where relid = to_regclass(?)"
    row = connection.execute(old, (table,)).fetchone()
    return row is not None and bool(row[0])
