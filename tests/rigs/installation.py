"""A copy of jobs/ in the test's folder, whose jobs run as under cron.

Each is a process of its own, with hardly any environment variables.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rigs.harness import REPOSITORY, Site
from rigs.prepared import Prepared


class Installation:
    """A copy of jobs/ in the folder of `site`, where its state and its reports are, too.

    `is_prepared`: its jobs begin where Python has imported the packages.
    """

    def __init__(self, site: Site, *, is_prepared: bool = True) -> None:
        self.is_prepared = is_prepared
        self.site = site
        self.root = site.root
        shutil.copytree(REPOSITORY / "jobs", self.root / "jobs")

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a job. In `more`, an empty value removes a variable."""
        environ = {
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": self.site.standin.url if self.site.standin else "",
            **self.site.databases.settings(),
            "REPORT_TZ": "UTC",
            "NO_PROXY": "127.0.0.1",
            **more,
        }
        return {name: value for name, value in environ.items() if value}

    def start(
        self, *arguments: str, script: Path | None = None, cwd: str = "/", **environ: str
    ) -> subprocess.Popen[str]:
        """Start a job: `script`, or daily_report without one."""
        command = [str(script or self.root / "jobs/daily_report.py"), *arguments]
        options: dict[str, Any] = {"cwd": cwd, "env": self.environ(**environ), "text": True}
        options |= {"stdin": subprocess.DEVNULL}
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if self.is_prepared:
            return Prepared(command, **options)
        return subprocess.Popen([sys.executable, *command], **options)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a job to its end, 50 seconds at most."""
        process = self.start(*arguments, **options)
        try:
            stdout, stderr = process.communicate(timeout=50)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def by_wrapper(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Call run_job.sh, with a venv/ that leads to the packages of the tests."""
        python = self.root / "venv/bin/python"
        if not python.exists():
            shutil.copy(REPOSITORY / "run_job.sh", self.root)
            python.parent.mkdir(parents=True)
            python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            python.chmod(0o755)
            for name in ("requirements.txt", "venv/requirements.txt"):
                (self.root / name).write_text("# nothing\n")
        return subprocess.run(
            [str(self.root / "run_job.sh"), *arguments],
            cwd="/",
            env=self.environ(**environ),
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=50,
        )


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder below `folder`: its mode, time of last change and content."""
    states = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else os.fsencode(path.name)
        states[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return states
