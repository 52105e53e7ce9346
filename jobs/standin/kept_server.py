"""A server on this machine, kept by a guard so that nothing of it is left behind.

`guard.py` keeps it, and sees to it that neither a process nor a folder is left, even where whoever
started it is killed. No server of another's making runs as root: started by root it runs as
`nobody`, whom every system has; no user is made.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_PATIENCE = 60.0  # seconds until a server must be ready
LOOPBACK = "127.0.0.1"


class ServerFailed(Exception):
    """A server cannot be started here: one line that says why."""


class KeptServer(ABC):
    """One server, with its folder at `place`; as a context manager it runs inside the `with`.

    Without `lifeline` it ends with this process. With it, the path of a FIFO, it ends when nobody
    holds that open for writing any more; `keep` and what needs it is not for those. Making one
    raises ImportError where the package with the server is not installed.
    """

    name = ""
    _stop_signal: int = signal.SIGTERM
    _as_nobody = True  # False: it runs as whoever starts it

    def __init__(self, place: Path, lifeline: Path | None = None) -> None:
        self._binaries = self._find()
        self._lifeline = lifeline
        self._guard: subprocess.Popen[bytes] | None = None
        self.place = place  # a link to the folder where that has to be elsewhere
        self.folder = place
        self.port = 0
        self.password = secrets.token_hex(16)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and return when it takes connections. Raises ServerFailed.

        After `kill` or `stop(keep=True)` it starts with the data that it had, on the same port.
        """
        anew = not self.port
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                if anew:
                    self._make_folder()
                    self.port = _free_port()
                self._guard = self._guarded(self._commands(anew))
                self._wait_until_ready(deadline)
            except ServerFailed:
                # Somebody was quicker to take that port, or what was killed still lives a little.
                again = "in use" in self._log() and time.monotonic() < deadline
                self.stop(keep=not anew)
                if not again:
                    raise
                time.sleep(0.05)
            except BaseException:
                self.stop()
                raise
            else:
                return

    def stop(self, keep: bool = False) -> None:
        """Stop it, and remove its folder; with `keep`, its folder stays for the next `start`."""
        if guard := self._guard:
            if guard.stdin:
                with suppress(OSError):  # somebody has killed it
                    guard.stdin.write(b"k" if keep else b"")
                guard.stdin.close()
            else:  # a lifeline that others hold, too
                guard.terminate()
            guard.wait()
            self._guard = None
        if not keep:
            clear(self.place)

    def kill(self) -> None:
        """Kill it, as the machine's power would; `start` starts it again."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop(keep=True)

    def restart(self) -> None:
        """Stop it, and start it with the same data on the same port. Raises ServerFailed."""
        self.stop(keep=True)
        self.start()

    @property
    def pid(self) -> int:
        """The process of the server."""
        return int((self.folder / "pid").read_text(encoding="utf-8"))

    @abstractmethod
    def _find(self) -> Path:
        """The program. Raises ImportError."""

    @abstractmethod
    def _commands(self, anew: bool) -> list[list[str]]:
        """What the guard is to run: with `anew`, what prepares the folder comes first."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether it takes connections."""

    def _make_folder(self) -> None:
        clear(self.place)
        if not self._user or _reached_by_nobody(self.place.parent):
            self.place.mkdir(mode=0o700)
            self.folder = self.place
        else:
            self.folder = Path(tempfile.mkdtemp(prefix=f"claude-batch-jobs-{self.name}-"))
            self.place.symlink_to(self.folder)
        self.data.mkdir(mode=0o700)
        if self._user:
            # All that is nobody's is in there: root writes nowhere where another could put a link.
            self.folder.chmod(0o711)
            self._give(self.data)

    def _give(self, path: Path) -> None:
        """Let the server have a file or folder of ours."""
        if user := self._user:
            os.chown(path, user.pw_uid, user.pw_gid)

    @property
    def _user(self) -> pwd.struct_passwd | None:
        """Who it runs as, where that is not us."""
        return pwd.getpwnam("nobody") if self._as_nobody and not os.geteuid() else None

    def _environ(self) -> dict[str, str]:
        """What it finds in its environment."""
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}

    @property
    def data(self) -> Path:
        """The folder in which the server may write."""
        return self.folder / "data"

    def _secret_file(self, name: str, text: str) -> Path:
        """A file that the server alone can read."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        self._give(path)
        return path

    def _program(self, root: Path, name: str, *folders: str) -> str:
        """The path of a program below `root`, where whoever runs the server can run it.

        As root, it may lie where nobody else can read: then a copy of it and of the `folders` that
        it needs is made beside the data.
        """
        if not self._user or _reached_by_nobody(root / name):
            return str(root / name)
        copies = self.folder / "programs"
        for folder in folders:
            if not (copies / folder).exists():
                shutil.copytree(root / folder, copies / folder, symlinks=True)
        for path in [copies, *copies.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
        return str(copies / name)

    def _guarded(self, commands: list[list[str]]) -> subprocess.Popen[bytes]:
        user = self._user
        order = {
            "commands": commands,
            "user": user.pw_uid if user else "",
            "group": user.pw_gid if user else "",
            "stop": int(self._stop_signal),
            "folder": str(self.folder),
            "remove": list(dict.fromkeys([str(self.folder), str(self.place)])),
        }
        guard = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))]
        for name in ("ended", "log", "data/postmaster.pid"):  # of the server before this one
            (self.folder / name).unlink(missing_ok=True)
        with _opened(self._lifeline) as stdin:
            return subprocess.Popen(  # noqa: S603  it is our own program
                [*guard, json.dumps(order)],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C at a terminal is not meant for it
                cwd="/",
                env=self._environ(),
                bufsize=0,
            )

    def _wait_until_ready(self, deadline: float) -> None:
        assert self._guard
        while not self._ready():
            ended = self._guard.poll() is not None or (self.folder / "ended").exists()
            if ended or time.monotonic() > deadline:
                lines = self._log().strip().splitlines() or ["no reason given"]
                raise ServerFailed(f"{self.name} does not start: {lines[-1]}")
            time.sleep(0.01)

    def _log(self) -> str:
        try:
            return (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def clear(place: Path) -> None:
    """Remove what a server that was killed together with its guard has left in its place."""
    if place.is_symlink():
        left = place.readlink()
        if left.parent == Path(tempfile.gettempdir()) and left.name.startswith("claude-batch-jobs"):
            shutil.rmtree(left, ignore_errors=True)
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)


def _reached_by_nobody(path: Path) -> bool:
    """Whether a user without rights can enter a folder, or run a program."""
    path = path.absolute()
    return all(one.stat().st_mode & 0o001 for one in [path, *path.parents])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def _opened(lifeline: Path | None) -> Iterator[int]:
    """What the guard gets for its standard input."""
    if not lifeline:
        yield subprocess.PIPE
        return
    descriptor = os.open(lifeline, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
