"""A database that belongs to another user's application, and this user's doings with it.

Where the tests run as root, the application and the job are two users who are neither. Elsewhere
both are the one there is, and the application's file is closed to writing while the job is at it.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

ROOT = os.geteuid() == 0
APPLICATION, JOB = (61001, 61002) if ROOT else (os.geteuid(), os.geteuid())
SHARED = 61003  # a group that both can be in

T = TypeVar("T")


def as_user(uid: int, do: Callable[[], T], groups: tuple[int, ...] = ()) -> T:
    """What `do()` returns in a process of that user's, which may start one of another user's.

    Raises sqlite3.Error as `do` does.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        ended: tuple[str, object]
        try:
            _become(uid, groups)
            ended = ("value", do())
        except sqlite3.Error as error:
            ended = ("error", error)
        except BaseException:
            ended = ("bug", traceback.format_exc())
        with os.fdopen(writing, "wb") as out:
            out.write(pickle.dumps(ended))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as back:
        kind, value = pickle.loads(back.read())
    os.waitpid(pid, 0)
    if kind == "error":
        raise value
    assert kind == "value", value
    return value  # type: ignore[no-any-return]


def _become(uid: int, groups: tuple[int, ...] = ()) -> None:
    """Act as that user, in a process that has been forked for it."""
    if ROOT:
        os.seteuid(0)
        os.setgroups(groups)
        os.setegid(uid)
        os.seteuid(uid)


@dataclass
class Application:
    """An application with a database, `path`, in a folder of its own."""

    folder: Path

    @property
    def path(self) -> Path:
        """Its database."""
        return self.folder / "records.db"

    def make(
        self, journal: str, *, mode: int = 0o644, folder: int = 0o755, records: int = 3
    ) -> None:
        """Make the database, and set who may do what to it and to its folder."""

        def made() -> None:
            os.umask(0o022)
            with closing(sqlite3.connect(self.path)) as db, db:
                db.execute(f"pragma journal_mode = {journal}")
                db.execute("create table events (id integer primary key, content, created_at)")
                rows = [(n, "Where is my parcel?", "2026-11-21 10:00:00") for n in range(records)]
                db.executemany("insert into events values (?, ?, ?)", rows)
            self.path.chmod(mode)

        as_user(APPLICATION, made)
        self.folder.chmod(folder)

    def write(self) -> None:
        """Add a record, as the application does all day. Raises sqlite3.Error where it cannot."""

        def written() -> None:
            mode = self.path.stat().st_mode
            self.path.chmod(mode | 0o200)
            with closing(sqlite3.connect(self.path, timeout=0)) as db, db:
                db.execute("insert into events (content, created_at) values ('New', '2026-11-21')")
            self.path.chmod(mode)

        as_user(APPLICATION, written)

    def move(self, name: str) -> None:
        """Give its database another name, in the same folder."""
        as_user(APPLICATION, lambda: self.path.rename(self.folder / name))

    def dies_writing(self, journal: str) -> None:
        """Let it die: in WAL mode with a record in its log, else in the middle of a change."""

        if not (pid := os.fork()):
            _become(APPLICATION)
            db = sqlite3.connect(self.path, isolation_level=None)
            db.execute("pragma cache_size = 1")
            db.execute("begin immediate")
            db.execute("insert into events (content, created_at) values ('Logged', '2026-11-21')")
            if journal == "wal":
                db.execute("commit")
            else:  # more than the cache holds, so that some of it is in the file already
                db.execute("update events set content = content || hex(zeroblob(3000))")
            os._exit(0)
        os.waitpid(pid, 0)

    @contextmanager
    def alive(self, locking: str = "normal") -> Iterator[sqlite3.Connection]:
        """Its open connection, with a record that is in its log alone."""
        _become(APPLICATION)
        try:
            db = sqlite3.connect(self.path, isolation_level=None)
            db.execute(f"pragma locking_mode = {locking}")
            db.execute("insert into events (content, created_at) values ('Logged', '2026-11-21')")
        finally:
            _become(0)
        with closing(db):
            yield db

    def files(self) -> list[str]:
        """What lies in its folder."""
        return sorted(path.name for path in self.folder.iterdir())


@contextmanager
def application() -> Iterator[Application]:
    """An application that has no database yet."""
    with folder_of(APPLICATION) as folder:
        yield Application(folder)


@contextmanager
def folder_of(uid: int) -> Iterator[Path]:
    """A folder of that user's, which every user can reach (pytest's own folders are ours alone)."""
    folder = Path(tempfile.mkdtemp(prefix="of-a-user-"))
    folder.chmod(0o755)
    try:
        if ROOT:
            os.chown(folder, uid, uid)
        yield folder
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@contextmanager
def closed_to_us(path: Path) -> Iterator[None]:
    """Keep this user from writing a file that, without root, is its own."""
    mode = path.stat().st_mode
    if not ROOT:
        path.chmod(0o444)
    try:
        yield
    finally:
        path.chmod(mode)
