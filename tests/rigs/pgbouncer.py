"""pgbouncer in transaction mode before a PostgreSQL: consecutive transactions of one client may be
on different connections to the server.

It is Debian's package, which `tests/run` installs as root; it is kept as the servers are.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from rigs.servers import own_place
from standin.kept_server import LOOPBACK, KeptServer

_PLACES = "/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"


class PgBouncer(KeptServer):
    """A pooler before the server of a URL; `url` is that one by way of it.

    `connections` is how many it has to the server for one database, however many clients come.
    """

    name = "pgbouncer"

    def __init__(self, place: Path, url: str, connections: int) -> None:
        super().__init__(place)
        self._server = urlsplit(url)
        self._connections = connections

    @property
    def url(self) -> str:
        """Its address, password included."""
        login = self._server.netloc.rpartition("@")[0]
        return self._server._replace(netloc=f"{login}@{LOOPBACK}:{self.port}").geturl()

    def _find(self) -> Path:
        if found := shutil.which("pgbouncer", path=_PLACES):
            return Path(found)
        raise ImportError("pgbouncer is not installed: apt-get install pgbouncer")

    def _commands(self, anew: bool) -> list[list[str]]:
        to = self._server
        assert to.username and to.password
        login = f'"{unquote(to.username)}" "{unquote(to.password)}"\n'
        settings = {
            "listen_addr": LOOPBACK,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": self._secret_file("users", login),
            "pool_mode": "transaction",
            "default_pool_size": self._connections,
            "max_client_conn": 300,
        }
        text = f"[databases]\n* = host={to.hostname} port={to.port}\n[pgbouncer]\n"
        text += "".join(f"{key} = {value}\n" for key, value in settings.items())
        return [[str(self._binaries), str(self._secret_file("pgbouncer.ini", text))]]

    def _ready(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def pooled(url: str, connections: int = 2) -> Iterator[PgBouncer]:
    """A pooler before that server; where there is none on this machine, the test is skipped."""
    try:
        pooler = PgBouncer(own_place(), url, connections)
    except ImportError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    with pooler:
        yield pooler
