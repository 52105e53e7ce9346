"""A copy of jobs/ in a folder of the test's, run as cron would: a process of its own, a bare
environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from rigs.harness import REPOSITORY, Site


class Installation:
    """`site` is where its state and reports are; nothing outside is written."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.root = site.root
        shutil.copytree(REPOSITORY / "jobs", self.root / "jobs")

    def environ(self, **more: str) -> dict[str, str]:
        """What the process gets; an empty value takes a variable away."""
        given = {
            "PATH": "/usr/bin:/bin",
            "ANTHROPIC_API_KEY": "sk-ant-test-key-000000",
            "ANTHROPIC_BASE_URL": self.site.standin.url if self.site.standin else "",
            "RECORDS_DB": str(self.site.source),
            "REPORT_TZ": "UTC",
            "NO_PROXY": "127.0.0.1",
            **more,
        }
        return {name: value for name, value in given.items() if value}

    def start(
        self, *arguments: str, script: Path | None = None, cwd: str = "/", **environ: str
    ) -> subprocess.Popen[str]:
        """Start a job (daily_report, where no script is given)."""
        command = [sys.executable, str(script or self.root / "jobs/daily_report.py"), *arguments]
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=self.environ(**environ),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a job to its end."""
        process = self.start(*arguments, **options)
        try:
            stdout, stderr = process.communicate(timeout=50)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder below: mode, time of its last change, content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else os.fsencode(path.name)
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found
