"""An installation for each test: the real run_job.sh, a stub of venv/, jobs that a test writes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SHELL_FILES = (
    "run_job.sh",
    *(
        str(path.relative_to(REPOSITORY))
        for folder in ("jobs/wrappers", "jobs/wrappers/run")
        for path in sorted((REPOSITORY / folder).glob("*.sh"))
    ),
)
# What starts a job's script, and writes the line that says why it cannot.
LAUNCHER = (
    "jobs/common/__init__.py",
    "jobs/common/runner/__init__.py",
    "jobs/common/runner/launch.py",
    *(
        str(path.relative_to(REPOSITORY))
        for path in sorted((REPOSITORY / "jobs/common/process").glob("*.py"))
    ),
)

# The environment that cron gives, without HOME.
CRON = {"PATH": "/usr/bin:/bin"}

# The top of every job. With `mark` and `meet`, job and test wait for each other, not for time.
PRELUDE = '''\
"""{summary}"""
import os, signal, subprocess, sys, time
from pathlib import Path
signal.alarm(20)  # no job outlives a test that fails
HERE = Path({here!r})
def say(*words): print(*words, file=sys.stderr)
def mark(name, text=""):
    (HERE / (name + ".part")).write_text(text)
    (HERE / (name + ".part")).rename(HERE / name)
def meet(name):
    """Wait until the test has written to the fifo."""
    (HERE / name).open().read()
'''


class Installation:
    """A copy of run_job.sh and its parts, in a folder of the test's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (*SHELL_FILES, *LAUNCHER):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, root / name)
        (root / "requirements.txt").write_text("# nothing\n")
        (root / "venv/bin").mkdir(parents=True)
        (root / "venv/bin/python").symlink_to(sys.executable)
        shutil.copy(root / "requirements.txt", root / "venv")
        self.env = {**CRON, "HOME": str(root.parent)}

    def job(self, name: str, code: str = "", summary: str = "A job.") -> None:
        """Write jobs/NAME.py: the prelude, then `code`."""
        prelude = PRELUDE.format(summary=summary, here=str(self.root))
        (self.root / f"jobs/{name}.py").write_text(prelude + textwrap.dedent(code))

    def fifo(self, name: str) -> Path:
        """Make a fifo at which a job can wait for the test."""
        os.mkfifo(self.root / name)
        return self.root / name

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **popen: Any
    ) -> subprocess.Popen[str]:
        """Start `./run_job.sh ARGUMENTS` in cron's environment, and `env`."""
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "cwd": "/", **popen}
        popen = {"stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace", **popen}
        command = popen.pop("command", str(self.root / "run_job.sh"))
        return subprocess.Popen([command, *arguments], env={**self.env, **(env or {})}, **popen)

    def run(
        self, *arguments: str, timeout: float = 30, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Start it and wait for its end, `timeout` seconds at most."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def log(self, job: str) -> str:
        """The text of the job's log, empty when there is none."""
        path = self.root / f"logs/{job}.log"
        return path.read_text() if path.exists() else ""

    def history(self) -> list[list[str]]:
        """The lines of state/history.tsv: end time, run id, job, code, seconds, reason."""
        path = self.root / "state/history.tsv"
        return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []

    def exists(self, name: str) -> Callable[[], bool]:
        """A function that says whether a job has made this mark."""
        return (self.root / name).exists

    def lock_is_free(self, job: str) -> bool:
        """Whether nobody holds the job's lock."""
        lock = self.root / f"state/{job}.lock"
        return not lock.exists() or not subprocess.call(["flock", "-n", str(lock), "true"])

    def tool(self, name: str, script: str) -> None:
        """Put a shell script before the real program of that name."""
        folder = self.root / "tools"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("#!/bin/sh\n" + textwrap.dedent(script))
        (folder / name).chmod(0o755)
        self.env["PATH"] = f"{folder}:{CRON['PATH']}"


class Terminal:
    """run_job.sh at a terminal of its own."""

    def __init__(
        self, here: Installation, *arguments: str, env: dict[str, str] | None = None
    ) -> None:
        self._raw = ""
        self._hand, screen = pty.openpty()
        self.process = subprocess.Popen(
            [str(here.root / "run_job.sh"), *arguments],
            stdin=screen,
            stdout=screen,
            stderr=screen,
            env={**here.env, **(env or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(screen)

    @property
    def shown(self) -> str:
        """The text that the terminal has shown so far, of what the test has read."""
        return self._raw.replace("\r\n", "\n")

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._hand, text.encode())

    def read(self, word: str, seconds: float = 30) -> str:
        """Read on until `word` is shown. Returns `shown`."""
        end = time.monotonic() + seconds
        while word not in self.shown:
            ready, _, _ = select.select([self._hand], [], [], max(0, end - time.monotonic()))
            assert ready, f"{word!r} never came: {self.shown!r}"
            assert self._take(), f"ended without {word!r}: {self.shown!r}"
        return self.shown

    def end(self) -> int:
        """Wait for the end and read all. Returns the exit code."""
        code = self.process.wait(30)
        while self._take():
            pass
        return code

    def hang_up(self) -> None:
        """Close the terminal while the run goes on."""
        os.close(self._hand)
        self._hand = -1

    def close(self) -> None:
        """Close the terminal and kill run_job.sh if it still runs."""
        if self._hand >= 0:
            os.close(self._hand)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _take(self) -> str:
        try:
            text = os.read(self._hand, 65536).decode()
        except OSError:  # no process has the screen open
            return ""
        self._raw += text
        return text


def until(happened: Callable[[], Any], seconds: float = 30) -> None:
    """Return as soon as `happened()` is true; fail when it is not within `seconds`."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether the process is alive, which a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
