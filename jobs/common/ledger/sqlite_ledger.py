"""The SQLite file that holds a ledger: made, brought up to date, and committed to.

One process writes it at a time, of whichever installation: the file itself is locked. It keeps some
disk space in reserve, so that the last answers find a place on a full disk.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from common import times
from common.ledger import ballast
from common.ledger.apart import knows
from common.ledger.ballast import Ballast
from common.ledger.ledger_errors import Connection, gone_or_broken, in_plain_words
from common.ledger.older import upgrade
from common.process import exits
from common.process.exits import JobExit
from common.process.files import check_ours, disk_fault, open_ours, said
from common.process.lock import hold_byte, is_at
from common.process.log import log
from common.process.meanwhile import Meanwhile, at_once
from common.process.witness import Told
from common.row import SEPARATOR

_APPLICATION_ID = 0x436C6A62  # "Cljb": tells this file from any other SQLite file
_SCHEMA = Path(__file__).with_name("ledger.sql")
PATIENCE = 30.0  # seconds for others' locks on the file
_PARTS = ("", "-wal", "-shm", "-journal")  # SQLite's files, by what they append to the name


def check_parts(path: Path) -> None:
    """Raises JobExit (73) where SQLite would meet something else than files of ours."""
    for part in _PARTS:
        check_ours(path.with_name(path.name + part))


class LedgerFile:
    """The file of one job's ledger: a LedgerDatabase."""

    # Bytes, since what a damaged file holds need not be text.
    answer_as_bytes = "cast(answer as blob)"
    not_by_index = "+"
    given = "(select value as record_id from json_each(?)) as given"
    given_in_order = "(select value as record_id, key as place from json_each(?)) as given"
    given_at_once = 1 << 20
    answers = None  # it stands on a disk of this machine itself

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        witness: Callable[[], Told | None] = lambda: None,
        start_anew: bool = False,
    ) -> None:
        """Open it, or make it, or bring it up to date. Read-only, one that is not there is empty.

        `witness` gives the newest run that it must know of, None where there was none: one that
        knows no run of that job is gone, one that knows older ones alone is told of.
        `start_anew`: one that is gone or broken is set aside, and a new one begun.
        Raises JobExit: 73 where it cannot be made, 75 where another run has it, 78 where it is
        something else, newer, gone or broken.
        """
        self.path = path
        self.name = str(path)
        self._witness = witness
        self._closing = ExitStack()
        try:
            with self._plain_errors():
                check_parts(path)
                (self._open_to_read if read_only else self._open_to_write)(start_anew)
        except BaseException:
            self.close()
            raise

    def _open_to_read(self, start_anew: bool) -> None:
        self._connect(_read_only(self.path))
        is_ours = self._is_ours()
        reason = self._broken() if is_ours else self._gone() or self._gone(has_no_tables=True)
        if reason and not start_anew:
            raise gone_or_broken(self.path, reason)
        if reason or not is_ours:  # there is none, or its maker died before it had tables
            self._connect(":memory:")
            self._make_tables(new=True)
        else:
            upgrade.look_up_to_date(self.db)

    def _open_to_write(self, start_anew: bool) -> None:
        reason = self._gone()
        if not reason:
            reason = self._opened()
        if reason:
            if not start_anew:
                raise gone_or_broken(self.path, reason)
            self.close()
            self._set_aside(reason)
            self._opened()
        # FULL: an answer that was committed survives a power cut. NORMAL would lose the newest
        # ones.
        self.db.executescript("pragma journal_mode = wal; pragma synchronous = full;")
        self._make_tables(new=not self._is_ours())
        self._ballast.keep(ballast.LEAST)
        self._ballast.sign()

    def _opened(self) -> str:
        """Lock it and connect: what is wrong with it, "" for nothing."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            self._descriptor = open_ours(self.path, os.O_RDWR | os.O_CREAT)
            # Closed after SQLite's own descriptors, whose locks would go with it: see hold_byte.
            self._closing.callback(os.close, self._descriptor)
            is_free = hold_byte(self._descriptor)
            if not is_free or is_at(self._descriptor, self.path):
                break  # else somebody has replaced it in this very moment
        self._ballast = Ballast(self.path)
        self._closing.callback(self._ballast.close)
        if not (is_free and self._ballast.hold()):
            by = self._ballast.signature() or "another run"
            held = f"already running: {by} holds the ledger {self.path}"
            raise JobExit(exits.NOT_NOW, f"{held}: nothing done")
        self._connect(self.path)
        return self._broken() if self._is_ours() else self._gone(has_no_tables=True)

    def _connect(self, address: Path | str) -> None:
        self.db = sqlite3.connect(
            address,
            uri=isinstance(address, str),
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,  # a commit may be another's work
            factory=Connection,
        )
        self.db.path = self.path
        self.db.row_factory = sqlite3.Row
        self._closing.callback(self.db.close)

    def _is_ours(self) -> bool:
        """Whether it has been made a ledger. Raises JobExit (78) where it is another program's."""
        application_id = self.db.execute("pragma application_id").fetchone()[0]
        if application_id == _APPLICATION_ID:
            return True
        if application_id or self._tables():
            remedy = "LEDGER_DB must name a file of its own"
            raise JobExit(exits.SETTINGS, f"{self.path} is another program's database: {remedy}")
        return False

    def _tables(self) -> set[str]:
        return {row[0] for row in self.db.execute("select name from sqlite_master")}

    def _broken(self) -> str:
        """What a ledger lacks that it had, "" for nothing."""
        version = self.db.execute("pragma user_version").fetchone()[0]
        if version > upgrade.VERSION:
            return ""
        lacking = upgrade.tables(_SCHEMA.read_text(encoding="utf-8"), version) - self._tables()
        if lacking:
            return f"it has no table {', '.join(sorted(lacking))}"
        return self._forgetful()

    def _forgetful(self) -> str:
        """How one knows that it is another job's, "" where it is not.

        An older copy of the right one is what a restored backup is: it is told of, and used.
        """
        if not (told := self._witness()):
            return ""
        if not knows(self.db, told.job):
            return f"it knows of no run of {told.job}, but {told.words}"
        if not knows(self.db, told.job, told.run_id):
            again = "what was done since it was copied is asked and paid for again"
            log.warning("ledger %s is an old copy, for %s: %s", self.path, told.words, again)
        return ""

    def _gone(self, *, has_no_tables: bool = False) -> str:
        """How one knows that there is nothing where a ledger was; "" where there was none."""
        if self.path.exists():
            if self.path.stat().st_size and not has_no_tables:
                return ""
            found = "it is empty" if not has_no_tables else "it has no tables"
        else:
            found = "there is no such file"
        log_of_it = self.path.with_name(f"{self.path.name}-wal")
        if not has_no_tables and log_of_it.exists() and log_of_it.stat().st_size:
            return f"{found}, but its {log_of_it.name} is there"
        told = self._witness()
        return f"{found}, but {told.words}" if told else ""

    def _set_aside(self, reason: str) -> None:
        """Keep what is left of a broken one under other names."""
        suffix = f".broken-{times.stamp().replace(':', '')}"
        for part in _PARTS:
            left = self.path.with_name(self.path.name + part)
            if left.exists():
                left.rename(left.with_name(left.name + suffix))
        kept = f"what is left of the old one is kept in *{suffix}"
        log.warning("ledger %s: %s: begun anew; %s", self.path, reason, kept)

    def _make_tables(self, *, new: bool) -> None:
        """Make what is missing of the schema: all of it, or what an older ledger lacks."""
        version = self.db.execute("pragma user_version").fetchone()[0]
        if version > upgrade.VERSION:
            written = f"{self.path} was written by a newer version of this software"
            raise JobExit(exits.SETTINGS, f"{written}: bring this installation up to date")
        if not new and version < upgrade.VERSION:
            log.info("%s", upgrade.begins(f"ledger {self.path}", version))
        script = upgrade.script(_SCHEMA.read_text(encoding="utf-8"), new=new, version=version)
        mark = f"pragma application_id = {_APPLICATION_ID};" if new else ""
        # In one transaction, so that nobody ever sees half of it.
        self.db.executescript(f"begin immediate; {script} {mark} commit;")

    def as_given(self, joined: str) -> str:
        """Ids as `given` takes them."""
        plain = joined.replace(SEPARATOR, '","')
        # What JSON has to write otherwise is rare in ids.
        if joined.count('"') or joined.count("\\") or not plain.isprintable():
            return json.dumps(joined.split(SEPARATOR))
        return f'["{plain}"]'

    def ready(self, most_bytes: int) -> None:
        """Make sure, before anything is sent, that answers of so many bytes could be stored.

        Raises JobExit (74) where the disk has no room for them or the file has been replaced.
        """
        if not is_at(self._descriptor, self.path):
            gone = "was removed or replaced in the middle of the run"
            message = f"ledger {self.path} {gone}: put it back; nothing more is sent"
            raise JobExit(exits.CANNOT_WRITE, message)
        with self._plain_errors():
            self._ballast.keep(most_bytes)

    def release_ballast(self, needed: int) -> bool:
        """Give back disk space kept for a full disk, `needed` bytes or what is left of it, so that
        answers in flight find a place; False where none is left.
        """
        return self._ballast.release(needed)

    def close(self) -> None:
        """Let go of the file."""
        self._closing.close()

    @contextmanager
    def transaction(self, meanwhile: Meanwhile = at_once) -> Iterator[None]:
        """Commit everything inside together, on disk when the outermost of such blocks ends.

        `meanwhile` is called with what commits. Raises JobExit (74) where the disk fails.
        """
        if self.db.in_transaction:
            yield
            return
        self.db.execute("begin immediate")
        try:
            yield
            meanwhile(lambda: self.db.execute("commit"))
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("rollback")
            raise

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise in_plain_words(error, self.path) or error from error
        except OSError as error:
            fault = disk_fault(error)
            code = fault.code if fault else exits.CANNOT_CREATE
            message = f"ledger {self.path} cannot be made: {said(error)}"
            raise JobExit(code, message) from error


def _read_only(path: Path) -> str:
    """The address of a ledger that is only read, in memory where there is none."""
    if not path.exists():
        return ":memory:"
    # Without a write-ahead log nobody has it open, and a plain reader would leave an empty one
    # behind.
    idle = not path.with_name(f"{path.name}-wal").exists()
    return f"file:{quote(str(path.resolve()))}?mode=ro" + ("&immutable=1" if idle else "")
