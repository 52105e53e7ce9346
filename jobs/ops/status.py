"""What happened, what is stuck, what it cost: every job at a glance, or one job in detail. Reads
only.

Usage   ./run_job.sh status [JOB] [--json | --html] [--demo]
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python -P` starts this script, so that no job is imported in the place of a module that it is
# called like: Python's own and the installed ones are found first, ours last.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from common.process import exits
from common.process.command_line import Parser, say
from common.process.exits import JobExit
from common.settings import ROOT
from ops.overview.gather import gather
from ops.overview.text import Look, job_text, overview


def main(
    arguments: Sequence[str], root: Path = ROOT, environ: Mapping[str, str] | None = None
) -> int:
    """Look, print, and return the exit code."""
    try:
        return _answer(_parse(arguments), root, os.environ if environ is None else environ)
    except JobExit as end:
        sys.stderr.write(f"status: {end.message}\n")
        return end.code


def _answer(given: argparse.Namespace, root: Path, environ: Mapping[str, str]) -> int:
    status = gather(root, environ, demo=given.demo, asked=given.job)
    if given.job and not given.html:  # the page always shows all of them
        status = replace(status, jobs=tuple(job for job in status.jobs if job.job == status.asked))
    if given.json:
        say(json.dumps(asdict(status), indent=2))
    elif given.html:
        from ops.overview.status_page import write

        return write(status, root, say)
    else:
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else 100
        look = Look(min(100, max(60, width)), terminal and not environ.get("NO_COLOR"))
        say(job_text(status, look) if given.job else overview(status, look))
    return exits.DONE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="./run_job.sh status", description="What happened, what is stuck, what it cost."
    )
    add = parser.add_argument
    add("job", nargs="?", default="", metavar="JOB", help="this job in detail")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="all of it as one JSON object")
    how.add_argument("--html", action="store_true", help="write reports/status.html")
    add("--demo", action="store_true", help="what --demo left in state/demo/")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
