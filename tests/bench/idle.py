"""Seconds, CPU seconds and peak memory of a run with nothing to do, wrapper included.

Usage: idle.py ROUNDS

It measures against `python -c 'import anthropic'`, the two in turn, in a copy of the tree in which
a run has just written a report. CPU seconds say more than seconds where the machine has other work.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}


@dataclass(frozen=True)
class Cost:
    """What a command costs, with all its processes."""

    seconds: float
    cpu: float  # seconds
    peak: float  # MB, of the largest of its processes


def cost_of(command: list[str]) -> Cost:
    """Run a command to its end, which must be a good one."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=ENVIRON, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    seconds = time.perf_counter() - began
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


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
        pairs = []
        for _ in range(rounds):
            idle, sdk = cost_of(job), cost_of(imports)
            pairs.append((idle, sdk))
            print(
                f"  nothing to do {idle.seconds:.3f} s ({idle.cpu:.3f} s of CPU), {idle.peak:.0f}"
                f" MB; import anthropic {sdk.seconds:.3f} s ({sdk.cpu:.3f} s of CPU)"
            )
    wall = statistics.median(idle.seconds / sdk.seconds for idle, sdk in pairs)
    cpu = statistics.median(idle.cpu / sdk.cpu for idle, sdk in pairs)
    print(f"nothing to do, over `import anthropic`: {wall:.2f}, of CPU {cpu:.2f}")
    print(f"peak memory with nothing to do: {max(idle.peak for idle, _ in pairs):.0f} MB")


if __name__ == "__main__":
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors")
    main()
