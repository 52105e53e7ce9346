"""Clones of this repository, as a user has them: with git, .env, and run_job.sh as under cron."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from common.ledger.sqlite_ledger import LedgerFile
from rigs.harness import REPOSITORY

_FILES = (
    "run_job.sh", "notify_on_failure.sh", "crontab.example", "requirements.txt", ".gitignore",
    ".env.example", "README.md", "VERSION", "CHANGELOG.md",
)  # fmt: skip
_FOLDERS = ("jobs", "docs")
_WHO = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")


def git(root: Path, *arguments: str) -> str:
    """What git says; a failure is the test's."""
    ended = subprocess.run(
        ["git", "-C", str(root), *_WHO, *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def origin(folder: Path) -> Path:
    """A repository with the files of this one, as they are now."""
    for name in _FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    for name in _FILES:
        if (REPOSITORY / name).exists():
            shutil.copy(REPOSITORY / name, folder)
    for name in ("state", "logs", "reports"):
        (folder / name).mkdir()
        (folder / name / ".gitkeep").touch()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "this version")
    return folder


class Clone:
    """An installation that somebody has cloned; its venv/ leads to the packages of the tests."""

    def __init__(self, source: Path, root: Path) -> None:
        subprocess.run(["git", "clone", "-q", str(source), str(root)], check=True)
        self.root = root
        python = root / "venv/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        shutil.copy(root / "requirements.txt", root / "venv")

    def settings(self, values: Mapping[str, str]) -> None:
        """Write .env."""
        path = self.root / ".env"
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        path.chmod(0o600)

    def start(self, *command: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command in the installation's folder, in cron's environment."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", **environ},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def kill(self, started: subprocess.Popen[str]) -> None:
        """Kill a command with all that it has started, at once (SIGKILL)."""
        found = subprocess.run(["pgrep", "-s", str(started.pid)], capture_output=True, text=True)
        for pid in found.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        started.communicate()

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command there to its end, 50 seconds at most."""
        process = self.start(*command, **environ)
        try:
            stdout, stderr = process.communicate(timeout=50)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def job(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run ./run_job.sh."""
        return self.run("./run_job.sh", *arguments, **environ)

    def ledger(self, job: str, sql: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query on a job's ledger."""
        with closing(LedgerFile(self.root / f"state/{job}.db", read_only=True)) as file:
            return [tuple(row) for row in file.db.execute(sql, tuple(values))]

    def log(self, job: str) -> str:
        """The job's log."""
        return (self.root / f"logs/{job}.log").read_text(encoding="utf-8")
