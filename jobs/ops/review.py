"""Correct answers by hand: a table of those in doubt, and back what a person filled in.

A person's value stands: it is saved, and never asked about again.

Usage   ./run_job.sh review JOB [--rows 200] [--demo]
        ./run_job.sh review JOB --import FILE [--demo]
Exit    0; 2 wrong usage; 75 where the job is running; 78 where the file is refused, and then
        nothing of it is imported; otherwise as a run of the job
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
from contextlib import redirect_stdout

from common import option_values as values
from common.job import Job
from common.process import exits
from common.process.command_line import Parser, say
from common.process.exits import JobExit
from common.process.files import disk_fault
from common.process.log import StrayPrints, configure
from common.settings import ROOT
from ops.reviewing.exporting import export
from ops.reviewing.importing import Refused, take_in
from ops.reviewing.opened import named, opened, settings_of
from quality.spreadsheet import read

_INTERRUPTED = 130
_ROWS = 200


def main(
    arguments: Sequence[str],
    root: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    job: Job | None = None,
) -> int:
    """Write the table, or take it back; the exit code.

    `job`: the definition, for tests; else that of the script in jobs/.
    """
    os.umask(0o077)
    try:
        given = _parse(arguments)
        configure("review", demo=given.demo)
        job = job or named(given.job, root)
        found = settings_of(job, demo=given.demo, root=root, environ=environ)
        table = None if given.file is None else read(Path(given.file))
        with (
            redirect_stdout(StrayPrints()),  # what the job prints
            opened(job, found, to_write=table is not None) as context,
        ):
            if table is None:
                code, lines = exits.DONE, [*export(context, given.rows or _ROWS)]
            else:
                code, lines = take_in(context, table)
        for line in lines:
            say(line)
        return code
    except Refused as refused:
        sys.stderr.write("".join(f"review: {line}\n" for line in refused.lines))
        return exits.SETTINGS
    except JobExit as end:
        sys.stderr.write(f"review: {end.message}\n")
        return end.code
    except OSError as error:
        if not (fault := disk_fault(error)):
            raise
        sys.stderr.write(f"review: {fault.message}\n")
        return fault.code
    except KeyboardInterrupt:
        sys.stderr.write("review: stopped; what is in the ledger by now is saved by the next run\n")
        return _INTERRUPTED


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="./run_job.sh review",
        description="Write a table of answers in doubt, and take back what a person filled in.",
    )
    add = parser.add_argument
    add("job", metavar="JOB", help="a job with an answer for each record")
    add("--rows", type=values.count, metavar="N", help=f"rows of the table at most ({_ROWS})")
    add("--import", dest="file", metavar="FILE", help="take in what is filled in of this table")
    add("--demo", action="store_true", help="in state/demo/")
    given = parser.parse_args(arguments)
    if given.rows and given.file is not None:
        raise JobExit(exits.USAGE, "--rows is for the table that is written: leave out --import")
    return given


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
