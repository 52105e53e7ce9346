"""Processes of jobs that begin where Python has imported the packages already.

To import `anthropic` takes a processor nearly a second, longer than all else that most runs of a
test do. Here one process for each worker of pytest imports what is not ours, and forks a child for
each run. That child is a child of the worker's, as by subprocess.Popen: it has arguments, an
environment, a folder and streams of its own, imports all modules of ours anew, and ends and dies
like any other.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_PACKAGES = "anthropic httpx2 pydantic psycopg"
_WITH_CELERY = f"{_PACKAGES} celery.app.base celery.worker kombu redis"
_SUBREAPER = 36  # of <linux/prctl.h>: whose parent dies below this process becomes its child
_servers: dict[tuple[int, str], socket.socket] = {}  # by the process that may ask it


class Prepared(subprocess.Popen[Any]):
    """`python ARGUMENTS…`, which are a script's or those of `-c CODE`; `options` are Popen's."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        celery: bool = False,
        **options: Any,
    ) -> None:
        self._server = _server(_WITH_CELERY if celery else _PACKAGES)
        self._order: dict[str, Any] = {
            "arguments": [*arguments],
            "environ": {**env},
            "folder": str(options.get("cwd") or Path.cwd()),
        }
        super().__init__([sys.executable, *arguments], env=env, **options)

    def _execute_child(self, *given: Any) -> None:
        if any(name.startswith(("PYTHON", "LC_", "LANG")) for name in self._order["environ"]):
            super()._execute_child(*given)  # type: ignore[misc]  # what Python reads when it starts
            return
        pipes = given[10:16]  # ours and the child's for each of its three streams, -1 for none
        streams = [pipes[0], pipes[3], pipes[5]]
        streams = [number if pipe == -1 else pipe for number, pipe in enumerate(streams)]
        _adopt_orphans(True)
        try:
            order = json.dumps(self._order).encode()
            socket.send_fds(self._server, [len(order).to_bytes(4, "big")], streams)
            self._server.sendall(order)
            self.pid = int.from_bytes(self._server.recv(4), "big")
        finally:
            _adopt_orphans(False)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def _adopt_orphans(does: bool) -> None:
    ctypes.CDLL(None).prctl(_SUBREAPER, int(does), 0, 0, 0)


def _server(packages: str) -> socket.socket:
    """The way to a process that has imported these packages."""
    own = (os.getpid(), packages)
    if own not in _servers:
        _servers[own], its = socket.socketpair()
        command = [sys.executable, __file__, str(its.fileno()), packages]
        environ = {"PATH": "/usr/bin:/bin", "ANTHROPIC_OPEN_TELEMETRY": "false"}
        with its:
            process = subprocess.Popen(
                command, env=environ, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL
            )
        atexit.register(process.wait)
        atexit.register(_servers[own].close)
    return _servers[own]


def _serve(orders: socket.socket) -> tuple[CodeType, dict[str, Any]]:
    """Fork children as long as somebody asks. Returns in each of them, with what it is to run."""
    while True:
        size, streams, _, _ = socket.recv_fds(orders, 4, 3)
        if not size:
            os._exit(0)
        text = orders.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
        told, telling = os.pipe()
        between = os.fork()
        if not between:
            dying = os.getpid()
            child = os.fork()
            if not child:
                while os.getppid() == dying:
                    os.sched_yield()
                return _begin(streams, **json.loads(text))
            os.write(telling, child.to_bytes(4, "big"))
            os._exit(0)
        os.waitpid(between, 0)  # its child is the worker's from now on
        orders.sendall(os.read(told, 4))
        for number in (told, telling, *streams):
            os.close(number)


def _begin(
    streams: Sequence[int], arguments: list[str], environ: Mapping[str, str], folder: str
) -> tuple[CodeType, dict[str, Any]]:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(folder)
    path, sys.argv = Path(arguments[0]), arguments
    if is_code := arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
    code = arguments[1] if is_code else path.read_bytes()
    at = path.parent / path.readlink() if path.is_symlink() else path
    sys.path[0] = "" if is_code else str(at.parent)
    sys.modules["__main__"] = main = ModuleType("__main__")
    main.__file__ = str(path)
    name = "<string>" if is_code else str(path)
    return compile(code, name, "exec", dont_inherit=True), main.__dict__


if __name__ == "__main__":
    gc.disable()
    for package in sys.argv[2].split():
        import_module(package)
    gc.freeze()
    gc.enable()
    exec(*_serve(socket.socket(fileno=int(sys.argv[1]))))
