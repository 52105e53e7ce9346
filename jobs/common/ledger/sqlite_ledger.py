"""The SQLite file that holds a ledger: made, brought up to date, and committed to.

It keeps some disk space in reserve, so that the last answers find a place on a full disk.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from common.ledger import upgrade
from common.process import exits
from common.process.exits import JobExit
from common.process.sqlite_errors import plain_errors

_BALLAST_BYTES = 1 << 20  # more than the answers that can be in flight
_APPLICATION_ID = 0x436C6A62  # "Cljb": tells this file from any other SQLite file
_SCHEMA = Path(__file__).with_name("ledger.sql")


class LedgerFile:
    """The file of one job's ledger."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open it, or make it, or bring it up to date. Read-only, one that is not there is empty.

        Raises JobExit: 73 where it cannot be made, 78 where the file is something else or newer.
        """
        self.path = path
        self._ballast = path.with_suffix(".ballast")
        with self._plain_errors("opened"):
            if read_only:
                self.db = _connected(_read_only(path))
            else:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                self.db = _connected(path)
            # Before anything is changed in it: it may be another program's.
            empty = self._is_empty()
            if read_only and empty:  # its maker died before it had tables
                self.db.close()
                self.db = _connected(":memory:")
            if not read_only:
                # FULL: an answer that was committed survives a power cut. NORMAL would lose the
                # newest ones.
                self.db.executescript("pragma journal_mode = wal; pragma synchronous = full;")
                self._keep_ballast()
            if empty or not read_only:
                self._make_tables(new=empty)

    def _is_empty(self) -> bool:
        application_id = self.db.execute("pragma application_id").fetchone()[0]
        tables = self.db.execute("select count(*) from sqlite_master").fetchone()[0]
        if application_id != _APPLICATION_ID and (tables or application_id):
            remedy = "LEDGER_DB must name a file of its own"
            raise JobExit(exits.SETTINGS, f"{self.path} is another program's database: {remedy}")
        return not tables

    def _make_tables(self, *, new: bool) -> None:
        """Make what is missing of the schema: all of it, or what an older ledger lacks."""
        version = self.db.execute("pragma user_version").fetchone()[0]
        if version > upgrade.VERSION:
            self.db.close()
            written = f"{self.path} was written by a newer version of this software"
            raise JobExit(exits.SETTINGS, f"{written}: bring this installation up to date")
        script = upgrade.script(_SCHEMA.read_text(encoding="utf-8"), new=new, version=version)
        mark = f"pragma application_id = {_APPLICATION_ID};" if new else ""
        try:
            # In one transaction, so that nobody ever sees half of it.
            self.db.executescript(f"begin immediate; {script} {mark} commit;")
        except BaseException:
            self.db.close()
            raise

    def release_ballast(self) -> None:
        """Give back the disk space kept for a full disk, so that answers in flight find a place."""
        self._ballast.unlink(missing_ok=True)

    def _keep_ballast(self) -> None:
        if not self._ballast.exists() or self._ballast.stat().st_size < _BALLAST_BYTES:
            descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _BALLAST_BYTES)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside together, on disk when the block ends.

        Raises JobExit (74) where the disk fails.
        """
        with self._plain_errors("written"):
            self.db.execute("begin immediate")
            try:
                yield
                self.db.execute("commit")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("rollback")
                raise

    @contextmanager
    def _plain_errors(self, done: str) -> Iterator[None]:
        try:
            with plain_errors(f"ledger {self.path}", done):
                yield
        except OSError as error:
            message = f"ledger {self.path} cannot be made: {error.strerror}"
            raise JobExit(exits.CANNOT_CREATE, message) from error


def _connected(address: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(address, uri=isinstance(address, str), timeout=30, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def _read_only(path: Path) -> str:
    """The address of a ledger that is only read, in memory where there is none."""
    if not path.exists():
        return ":memory:"
    # Without a write-ahead log nobody has it open, and a plain reader would leave an empty one
    # behind.
    idle = not path.with_name(f"{path.name}-wal").exists()
    return f"file:{quote(str(path.resolve()))}?mode=ro" + ("&immutable=1" if idle else "")
