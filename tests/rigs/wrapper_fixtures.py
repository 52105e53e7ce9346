"""An installation of its own for each test of the wrapper: the real scripts, a stub of venv/, jobs
that the test writes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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

# What cron gives, HOME apart.
CRON = {"PATH": "/usr/bin:/bin"}

# At the top of every job: ways to meet the test without waiting for time to pass.
PRELUDE = '''\
"""{summary}"""
import os, signal, subprocess, sys, time
from pathlib import Path
signal.alarm(20)  # a test that fails leaves nobody behind
HERE = Path({here!r})
def say(*words): print(*words, file=sys.stderr)
def mark(name, text=""):
    (HERE / (name + ".part")).write_text(text)
    (HERE / (name + ".part")).rename(HERE / name)
def meet(name):
    """Until the test opens the fifo."""
    (HERE / name).open().read()
'''


class Installation:
    """A copy of what run_job.sh consists of, in a directory of the test's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in SHELL_FILES:
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
        """A place where a job can wait for the test."""
        os.mkfifo(self.root / name)
        return self.root / name

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None, **popen: Any
    ) -> subprocess.Popen[str]:
        """`./run_job.sh ARGUMENTS`, in nearly cron's environment."""
        popen = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "cwd": "/", **popen}
        popen = {"stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace", **popen}
        command = popen.pop("command", str(self.root / "run_job.sh"))
        return subprocess.Popen([command, *arguments], env={**self.env, **(env or {})}, **popen)

    def run(
        self, *arguments: str, timeout: float = 30, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """`start`, and wait for the end."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def log(self, job: str) -> str:
        """What is in the log."""
        path = self.root / f"logs/{job}.log"
        return path.read_text() if path.exists() else ""

    def history(self) -> list[list[str]]:
        """The lines of state/history.tsv: end time, run id, job, code, seconds, reason."""
        path = self.root / "state/history.tsv"
        return [line.split("\t") for line in path.read_text().splitlines()] if path.exists() else []

    def exists(self, name: str) -> Callable[[], bool]:
        """Whether a job has made its mark."""
        return (self.root / name).exists

    def lock_is_free(self, job: str) -> bool:
        """Whether somebody else could hold the lock now."""
        lock = self.root / f"state/{job}.lock"
        return not lock.exists() or not subprocess.call(["flock", "-n", str(lock), "true"])

    def tool(self, name: str, script: str) -> None:
        """Put a program of the test's before the real one."""
        folder = self.root / "tools"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("#!/bin/sh\n" + textwrap.dedent(script))
        (folder / name).chmod(0o755)
        self.env["PATH"] = f"{folder}:{CRON['PATH']}"


def until(happened: Callable[[], Any], seconds: float = 10) -> None:
    """Return as soon as `happened()`; fail when it has not within `seconds`."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether the process is there and not only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
