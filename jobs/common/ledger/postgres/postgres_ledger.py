"""The PostgreSQL database that holds the ledgers of all jobs, on one machine or on several.

The tables are those of ledger.sql, made by the first run. One process at a time writes what belongs
to a job: see lease.py.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from common.ledger.apart import knows
from common.ledger.ledger_errors import gone_or_broken
from common.ledger.older import upgrade
from common.ledger.postgres import lease
from common.ledger.postgres.lease import Lease
from common.ledger.postgres.postgres_statements import PostgresStatements
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.meanwhile import Meanwhile, at_once
from common.process.postgres import SILENCE, Connection
from common.process.postgres_errors import plain
from common.process.witness import Told

_LOCK = 0x436C6A62  # "Cljb": only who makes tables takes it
_HERE = Path(__file__).parent
_SCHEMAS = (_HERE.parent / "ledger.sql", _HERE / "ledger_postgres.sql")
# How SQLite's words for types and tables are called here. Text is compared by its characters.
_WORDS = (
    (r"--[^\n]*", ""),
    (r"\btext\b", 'text collate "C"'),
    (r"\binteger\b", "bigint"),
    (r"\breal\b", "double precision"),
    (r"\) without rowid", ")"),
)


def schema() -> str:
    """The statements that make all tables."""
    made = ""
    for path in _SCHEMAS:
        text = path.read_text(encoding="utf-8")
        for pattern, words in _WORDS:
            text = re.sub(pattern, words, text)
        made += text
    return made


class PostgresLedger:
    """The ledger of one job in a PostgreSQL database: a LedgerDatabase."""

    answer_as_bytes = "convert_to(answer, 'UTF8')"
    not_by_index = ""
    given = '(select unnest(string_to_array(?, chr(31))) collate "C" as record_id) as given'
    given_in_order = (
        '(select id collate "C" as record_id, place from unnest(string_to_array(?, chr(31)))'
        " with ordinality as ids (id, place)) as given"
    )
    # The server goes through all that is done each time.
    given_at_once = 8 << 20

    def __init__(
        self,
        address: str,
        job: str,
        *,
        state: Path,
        read_only: bool = False,
        witness: Callable[[], Told | None] = lambda: None,
        start_anew: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Connect; make the tables, or bring them up to date; take the lease of the job.

        Read-only, nothing is made or taken, and `is_empty` says whether there are no tables.
        `state` is this installation's folder; the rest is as for LedgerFile.
        Raises JobExit: 69 where the server cannot be reached, 75 where another run has the lease,
        78 where the database is something else, newer, gone or broken.
        """
        import psycopg

        self._job = job
        self.answers = state / f"{job}.answers"
        self._witness = witness
        self._lease: Lease | None = None
        self._closing = ExitStack()
        self._connection = Connection(address, "LEDGER_DB", job, sleep, silence=lease.SILENCE)
        self._closing.callback(self._connection.close)
        self.name = self._connection.name
        try:
            version = _version(self._connection)
            if read_only and version is not None and version < upgrade.VERSION:
                raise JobExit(exits.SETTINGS, upgrade.older(self.name))
            self.is_empty = version is None
            reason = self._lacking(version)
            if reason and not start_anew:
                raise gone_or_broken(self.name, reason)
            if not read_only:
                if reason or version != upgrade.VERSION:
                    if version:
                        log.info("%s", upgrade.begins(self.name, version))
                    _make(self._connection)
                    self.is_empty = False
                self._lease = Lease(address, job, state, self._connection)
                self._closing.callback(self._lease.close, self._connection)
            self.db = PostgresStatements(self._connection, self._begin)
            if not self.is_empty and not reason:
                self._check_witness(start_anew)
        except psycopg.Error as error:
            self.close()
            raise plain(error, self.name, "opened") from error
        except BaseException:
            self.close()
            raise

    def _lacking(self, version: int | None) -> str:
        """What is wrong with it, "" for nothing."""
        if version is None:
            told = self._witness()
            return f"it has no tables, but {told.words}" if told else ""
        lacking = upgrade.tables(schema(), version) - _tables(self._connection)
        return f"it has no table {', '.join(sorted(lacking))}" if lacking else ""

    def _check_witness(self, start_anew: bool) -> None:
        """Raises JobExit (78) where it knows of no run of this job and yet there was one."""
        if not (told := self._witness()):
            return
        if not knows(self.db, told.job):
            if not start_anew:
                reason = f"it knows of no run of {told.job}, but {told.words}"
                raise gone_or_broken(self.name, reason)
        elif not knows(self.db, told.job, told.run_id):
            again = "what was done since it was copied is asked and paid for again"
            log.warning("%s is an old copy, for %s: %s", self.name, told.words, again)

    def _begin(self) -> int:
        if not self._lease:
            raise JobExit(exits.CANNOT_WRITE, f"{self.name} may only be read here")
        return self._lease.begin(self._connection)

    def transaction(self, meanwhile: Meanwhile = at_once) -> AbstractContextManager[None]:
        """Commit everything inside together, by `meanwhile`. Raises JobExit: 69, 74."""
        return self.db.transaction(meanwhile)

    def as_given(self, joined: str) -> str:
        """Ids as `given` takes them."""
        return joined

    def ready(self, most_bytes: int) -> None:
        """Make sure that the ledger is still this run's: its disk is the server's business.

        Raises JobExit (69).
        """
        if self._lease:
            self._lease.check()

    def release_ballast(self, needed: int) -> bool:
        """There is none."""
        return False

    def close(self) -> None:
        """Give back the lease, and let go of the database."""
        self._closing.close()


def _names() -> frozenset[str]:
    return frozenset(re.findall(r"create table if not exists (\w+)", schema()))


def make_tables(connection: Connection) -> None:
    """Make the tables for a worker that is here before any run. Raises JobExit."""
    import psycopg

    try:
        version = _version(connection)
        if version is None:
            _make(connection)
        elif version < upgrade.VERSION:
            raise JobExit(exits.SETTINGS, upgrade.older(connection.name))
    except psycopg.Error as error:
        raise plain(error, connection.name, "opened") from error


def _version(connection: Connection) -> int | None:
    """Which version its tables have; None where there are none. Raises JobExit (78)."""
    own = (
        "let LEDGER_DB name another one: create database ledger encoding 'UTF8' template template0"
    )
    if (encoding := connection.raw.info.parameter_status("server_encoding")) not in ("UTF8", None):
        lossy = f"{connection.name}: the encoding {encoding} has not every sign of an answer"
        raise JobExit(exits.SETTINGS, f"{lossy}: {own}")
    there = _tables(connection)
    if "ledger_version" in there:
        row = connection.execute("select max(version) from ledger_version").fetchone()
        version = int(row[0] or 0) if row else 0
        if version > upgrade.VERSION:
            written = f"{connection.name} was written by a newer version of this software"
            raise JobExit(exits.SETTINGS, f"{written}: bring this installation up to date")
        return version
    if there:
        others = f"{connection.name} has a table {min(there)} of another program"
        raise JobExit(exits.SETTINGS, f"{others}: {own}")
    return None


def _tables(connection: Connection) -> frozenset[str]:
    """Those of the tables of a ledger that are there."""
    # Of one moment: to_regclass() would see what another first run commits in the middle.
    rows = connection.execute(
        "select relname from pg_class where relname = any(?) and pg_table_is_visible(oid)",
        ([*_names()],),
    )
    return frozenset(row[0] for row in rows)


def _make(connection: Connection) -> None:
    """Make what is missing, in one transaction; two first runs at once wait for each other.

    To bring a large ledger up to date takes longer than any statement of a run.
    """
    raw: Any = connection.raw  # a PatientConnection
    usual, raw.patience = raw.patience, SILENCE
    raw.execute(
        f"{lease.DURABLE_BEGIN}; select pg_advisory_xact_lock({_LOCK});"
        f" {upgrade.POSTGRES} {schema()}"
        f" delete from ledger_version where version < {upgrade.VERSION};"
        f" insert into ledger_version select {upgrade.VERSION}"
        " where not exists (select 1 from ledger_version); commit"
    )
    raw.patience = usual
