"""Keep one server, and leave nothing of it behind: a program of its own, started by `servers.py`.

Usage   python -I -S guard.py JSON

JSON: `commands`, of which all but the last prepare and the last is the server; `user`, who they run
as ("" for us); `stop`, the signal that ends the server; `folder`, where they run and write `log`,
and where `pid` has the server's process and a file `ended` says that it has ended; `remove`, what
is removed in the end.

It serves until its standard input ends, which happens whenever whoever holds the other end of it
dies, `kill -9` included. Should this program be killed, Linux tells the server to stop. A byte
on standard input before it ends means that everything is kept. The commands have our environment.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_PATIENCE = 10.0  # seconds that a server has to stop by itself
_PR_SET_PDEATHSIG = 1


def main(order: dict[str, Any]) -> None:
    """Run the order. Where a command that prepares fails, the server has ended before it began."""
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's; our pipe says when to stop
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    os.umask(0o077)  # the log quotes what a statement held
    keep = False
    server: subprocess.Popen[bytes] | None = None
    try:
        *preparing, serving = order["commands"]
        if any(_start(command, order).wait() for command in preparing):
            Path(order["folder"], "ended").touch()
        else:
            server = _start(serving, order)
            Path(order["folder"], "pid").write_text(str(server.pid))
            threading.Thread(target=_watch, args=(server, order["folder"]), daemon=True).start()
        while byte := os.read(0, 1):
            keep = bool(byte)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server:
            _end(server, order["stop"])
        for path in [] if keep else map(Path, order["remove"]):
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path, ignore_errors=True)


def _watch(server: subprocess.Popen[bytes], folder: str) -> None:
    """Tell, by a file `ended`, that the server has ended."""
    server.wait()
    Path(folder, "ended").touch()


def _start(command: list[str], order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start a command of the order."""
    who: dict[str, Any] = {}
    if order["user"]:
        who = {"user": order["user"], "group": order["group"], "extra_groups": []}
    with Path(order["folder"], "log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  the programs are those of our packages
            command,
            cwd=order["folder"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: _end_with_us(order["stop"]),  # noqa: PLW1509  no thread is there yet
            **who,
        )


def _end_with_us(number: int) -> None:
    """In the child, before it becomes the server: let Linux send it a signal when we die."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def _end(server: subprocess.Popen[bytes], number: int) -> None:
    """Stop the server, by force where it does not."""
    for one in (number, signal.SIGKILL):
        server.send_signal(one)
        try:
            server.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            continue
        return


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
