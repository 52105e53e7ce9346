"""Seconds and peak memory of a run with nothing to do, wrapper included.

Usage: idle.py ROUNDS

It measures against `python -c 'import anthropic'`, the two in turn, in a copy of the tree in which
a run has just written a report.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}


def timed(command: list[str]) -> tuple[float, float]:
    """The seconds of a command, and the peak memory (MB) of the largest of its processes."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=ENVIRON, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main() -> None:
    rounds = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignored = shutil.ignore_patterns("venv", ".venv", ".git", "state", "logs", "reports")
        shutil.copytree(ROOT, tree, ignore=ignored)
        subprocess.run([tree / "run_job.sh", "--setup"], env=ENVIRON, check=True)
        job = [str(tree / "run_job.sh"), "daily_report", "--demo"]
        subprocess.run(job, env=ENVIRON, check=True, stderr=subprocess.DEVNULL)
        imports = [str(tree / "venv/bin/python"), "-c", "import anthropic"]
        ratios, memory = [], 0.0
        for _ in range(rounds):
            (idle, peak), (sdk, _) = timed(job), timed(imports)
            ratios.append(idle / sdk)
            memory = max(memory, peak)
            print(f"  nothing to do {idle:.3f} s, {peak:.0f} MB; import anthropic {sdk:.3f} s")
    print(f"nothing to do, over `import anthropic`: {statistics.median(ratios):.2f}")
    print(f"peak memory with nothing to do: {memory:.0f} MB")


if __name__ == "__main__":
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors")
    main()
