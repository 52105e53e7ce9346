"""What happened, what is stuck, what it cost: every job at a glance, or one job in detail. Reads
only.

Usage   ./run_job.sh status [JOB] [--json | --html | --watch] [--demo]
Exit    0; 2 for a job that is not there, and for --watch without a terminal; 73 where the page
        cannot be written
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
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

from common.process import exits
from common.process.command_line import Parser, say
from common.process.exits import JobExit
from common.settings import ROOT
from ops.facts import colours
from ops.overview.gather import gather
from ops.overview.model import Status
from ops.overview.text import Look, in_short, job_text, overview
from ops.overview.watch import Clock, check, watch


def main(
    arguments: Sequence[str],
    root: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    clock: Clock = time,
) -> int:
    """Look, print, and return the exit code. `clock` is what --watch waits by."""
    environ = os.environ if environ is None else environ
    try:
        given = _parse(arguments)
        if given.watch:
            check(environ)
            return watch(partial(_views, given, root, environ), environ, clock)
        return _answer(given, root, environ)
    except JobExit as end:
        sys.stderr.write(f"status: {end.message}\n")
        return end.code


def _gathered(given: argparse.Namespace, root: Path, environ: Mapping[str, str]) -> Status:
    status = gather(root, environ, demo=given.demo, asked=given.job)
    if given.job and not given.html:  # the page always shows all of them
        status = replace(status, jobs=tuple(job for job in status.jobs if job.job == status.asked))
    return status


def _views(
    given: argparse.Namespace, root: Path, environ: Mapping[str, str], look: Look
) -> list[str]:
    """What --watch shows, for a large terminal and for a small one."""
    status = _gathered(given, root, environ)
    if given.job:
        return [job_text(status, look)]
    return [overview(status, look), in_short(status, look)]


def _answer(given: argparse.Namespace, root: Path, environ: Mapping[str, str]) -> int:
    status = _gathered(given, root, environ)
    if given.dead_letters:
        ids = [letter.record_id for job in status.jobs for letter in job.dead_letters]
        say("\n".join(dict.fromkeys(ids)))
    elif given.json:
        say(json.dumps(asdict(status), indent=2))
    elif given.html:
        from ops.overview.status_page import write

        return write(status, root, say)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
        look = Look(min(100, max(60, width)), colours.wanted(sys.stdout, environ))
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
    how.add_argument(
        "--watch", action="store_true", help="show it again every 2 seconds, until Ctrl-C"
    )
    add("--demo", action="store_true", help="what --demo left in state/demo/")
    add("--dead-letters", action="store_true", help=argparse.SUPPRESS)  # for completion
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
