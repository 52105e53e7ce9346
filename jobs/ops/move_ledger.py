"""Take the ledgers of jobs along from SQLite files into the PostgreSQL database that LEDGER_DB
names, so that nothing that was done is asked and paid for again.

Usage   ./run_job.sh move_ledger [JOB] [--from state/{job}.db]
        Each file is kept as FILE.moved.
Exit    0; otherwise the first code of what could not be moved: 75 where the job is running
"""

from __future__ import annotations

import sys
from pathlib import Path

# `python -P` starts this script, so that no job is imported in the place of a module that it is
# called like: Python's own and the installed ones are found first, ours last.
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from common import settings
from common.ledger import ballast
from common.ledger.apart import knows
from common.ledger.opening import open_ledger
from common.ledger.sqlite_ledger import LedgerFile
from common.process import exits
from common.process.command_line import Parser, say
from common.process.exits import JobExit
from common.process.lock import hold
from common.process.words import counted
from common.settings import ROOT, Settings
from ops.facts.known_jobs import known_jobs, meant
from ops.ledger.moving import copy

_HERE = "state/{job}.db"


def main(
    arguments: Sequence[str], root: Path = ROOT, environ: Mapping[str, str] | None = None
) -> int:
    """Move them, say what was moved, and return the exit code."""
    os.umask(0o077)
    codes = []
    try:
        given = _parse(arguments)
        base = settings.load("", demo=False, root=root, environ=environ)
        before = replace(base, values={**base.values, "LEDGER_DB": given.file})
        jobs = known_jobs(before, [])
        for job in [meant(given.job, jobs)] if given.job else jobs:
            path = root / Path(given.file.replace("{job}", job)).expanduser()
            try:
                line, code = _move(replace(base, job=job), path), exits.DONE
            except JobExit as end:
                line, code = end.message, end.code
            codes.append(code)
            say(f"{job}: {line}")
    except JobExit as end:
        sys.stderr.write(f"move_ledger: {end.message}\n")
        return end.code
    return next((code for code in codes if code), exits.DONE)


def _move(found: Settings, path: Path) -> str:
    if isinstance(found.ledger(), Path):
        names = "LEDGER_DB must name the database first: LEDGER_DB=postgresql://USER@HOST/DATABASE"
        raise JobExit(exits.SETTINGS, names)
    if not path.exists():
        return f"there is no {path}"
    lock = hold(found.state / f"{found.job}.lock")
    try:
        with (
            closing(LedgerFile(path)) as file,
            closing(open_ledger(found, has_witness=False)) as ledger,
        ):
            if knows(ledger.db, found.job):
                text = f"{ledger.name} has a ledger of this job already"
                raise JobExit(exits.SETTINGS, f"{text}: {path} was left as it is")
            counts = copy(file, ledger, found.job)
            name = ledger.name
        path.rename(path.with_name(f"{path.name}.moved"))
        ballast.path_of(path).unlink(missing_ok=True)
        what = ", ".join(
            counted(counts[table], table[:-1]) for table in ("records", "requests", "runs")
        )
        return f"{what} moved to {name}; the file is {path}.moved now"
    finally:
        os.close(lock)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="./run_job.sh move_ledger",
        description="Takes ledgers along from SQLite files to PostgreSQL (LEDGER_DB).",
    )
    add = parser.add_argument
    add("job", nargs="?", default="", metavar="JOB", help="of this job alone")
    add("--from", dest="file", default=_HERE, metavar="PATH", help=f"the files (default: {_HERE})")
    given = parser.parse_args(arguments)
    if "{job}" not in given.file:
        parser.error("--from: write {job} into the path, as it stood in LEDGER_DB")
    return given


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
