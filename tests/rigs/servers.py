"""One real PostgreSQL and one real Valkey for all tests of a session, started when one asks for it.

Whoever runs the session holds a folder open for it (`held`), in which any worker of pytest-xdist
starts a server that the others find; the servers end with the session, however it ends.
TEST_POSTGRES_URL and TEST_REDIS_URL name real servers instead: an account that may create
databases, and a Redis of which empty databases are used and emptied again.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from standin.servers import FAST, PostgreSQL, Valkey

Kind = type[PostgreSQL] | type[Valkey]
SESSION = "TEST_SERVERS"  # the variable that holds the session's folder
GIVEN: dict[Kind, str] = {PostgreSQL: "TEST_POSTGRES_URL", Valkey: "TEST_REDIS_URL"}
# A zone that nobody expects: no test may rely on the zone of the server. And nothing looks through
# tables at a time of its own, which would keep what a test has just erased a little longer.
POSTGRES = {
    **FAST,
    "timezone": "Asia/Kathmandu",
    "max_connections": "300",
    "autovacuum": "off",
    "shared_buffers": "16MB",  # a database that is dropped is looked for in all of them
}
_PREFIX = "claude-batch-jobs-tests-"
_started: list[PostgreSQL | Valkey] = []  # by this process: their guards are not to be collected


@contextmanager
def held() -> Iterator[None]:
    """Let this process and those that it starts have servers, until the end."""
    before = os.environ.get(SESSION)
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _sweep(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    folder.chmod(0o711)  # the servers may run as `nobody`
    os.mkfifo(folder / "unheld", 0o600)
    lifeline = os.open(folder / "unheld", os.O_RDWR)
    (folder / "unheld").rename(folder / "lifeline")  # held from its first moment on: see _sweep()
    os.environ[SESSION] = str(folder)
    try:
        yield
    finally:
        os.close(lifeline)
        deadline = time.monotonic() + 30
        while any(os.path.lexists(folder / one.name) for one in GIVEN):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        shutil.rmtree(folder, ignore_errors=True)  # a session that begins may remove it, too
        os.environ.pop(SESSION)
        if before is not None:
            os.environ[SESSION] = before


def _sweep(folder: Path) -> None:
    """Remove the folder of a session that was killed: nobody holds it open for writing any more."""
    try:
        reading = os.open(folder / "lifeline", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # it is just being made or removed, or is another user's
        return
    try:
        ended = not os.read(reading, 1)
    except BlockingIOError:
        ended = False
    finally:
        os.close(reading)
    if ended:
        shutil.rmtree(folder, ignore_errors=True)


def address(kind: Kind) -> str:
    """The URL of the session's server of that kind; it is started where it is not yet there."""
    if given := os.environ.get(GIVEN[kind]):
        return given
    folder = Path(os.environ[SESSION])
    note = folder / f"{kind.name}.url"
    with _locked(folder):
        if not note.exists():
            server = _made(kind, folder / kind.name, folder / "lifeline")
            server.start()
            _started.append(server)
            note.touch(mode=0o600)
            note.write_text(server.url)
    return note.read_text()


def _made(kind: Kind, place: Path, lifeline: Path | None = None) -> PostgreSQL | Valkey:
    """A server that is not yet started; where none fits this machine, the test is skipped."""
    try:
        if kind is PostgreSQL:
            return PostgreSQL(place, POSTGRES, lifeline)
        return Valkey(place, lifeline)
    except ImportError as error:
        why = f"{error}; {GIVEN[kind]} can name a real server"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


@contextmanager
def postgres_server() -> Iterator[PostgreSQL]:
    """A PostgreSQL for one test."""
    with _own(PostgreSQL) as server:
        assert isinstance(server, PostgreSQL)
        yield server


@contextmanager
def redis_server() -> Iterator[Valkey]:
    """A Valkey for one test."""
    with _own(Valkey) as server:
        assert isinstance(server, Valkey)
        yield server


def own_place() -> Path:
    """A place for a server of one test's own."""
    return Path(os.environ[SESSION], secrets.token_hex(6))


@contextmanager
def _own(kind: Kind) -> Iterator[PostgreSQL | Valkey]:
    with _made(kind, own_place()) as server:
        yield server


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database of PostgreSQL, dropped afterwards."""
    from rigs.connections import connected, let_go

    url = address(PostgreSQL)
    name = f"test_{secrets.token_hex(6)}"
    with connected(url) as db:
        db.execute(f"create database {name} template template0".encode())
    own = urlsplit(url)._replace(path=f"/{name}").geturl()
    yield own
    let_go(own)
    with connected(url) as db:
        # Those who have just left may still be on their way out, and `force` sleeps 0.1 s for them.
        deadline = time.monotonic() + 0.1
        there = "select 1 from pg_stat_activity where datname = %s"
        while db.execute(there, (name,)).fetchone() and time.monotonic() < deadline:
            time.sleep(0.002)
        db.execute(f"drop database if exists {name} with (force)".encode())


@contextmanager
def redis_database() -> Iterator[str]:
    """The URL of an empty database of Valkey, emptied afterwards. Number 0 is nobody's."""
    import redis

    url = address(Valkey)
    folder = Path(os.environ[SESSION])
    count = folder / "redis.count"
    with redis.Redis.from_url(url) as asked:
        size = int(asked.config_get("databases")["databases"])
    for _ in range(size):
        with _locked(folder):
            number = int(count.read_text()) + 1 if count.exists() else 1
            count.write_text(str(number))
        own = urlsplit(url)._replace(path=f"/{1 + number % (size - 1)}").geturl()
        with redis.Redis.from_url(own) as db:
            if db.dbsize():  # another test's, or not ours at all
                continue
            yield own
            db.flushdb()
            return
    pytest.fail(f"no database of {GIVEN[Valkey]} is empty")
