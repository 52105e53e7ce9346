"""Start the script of a job, as run_job.sh does: `python -P launch.py jobs/JOB.py [options]`.

`-P` keeps the folder of jobs from being the first place where Python looks for modules; here it
becomes the last. So a job that is called like a module of Python's or of a package's takes that
module's place in no job. What keeps a script from being imported is told on one line.
"""

import os
import runpy
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

_JOBS = Path(__file__).resolve().parents[2]
_GUARD = 'end it with `if __name__ == "__main__": raise SystemExit(run(JOB))`'


def import_fault(error: BaseException, path: Path) -> str:
    """Why a script could not be imported, with the line where it went wrong."""
    reason = f"does not import: {type(error).__name__}: {error}".rstrip(": ")
    number, step = 0, error.__traceback__
    while step and not isinstance(error, SyntaxError):  # that one says it itself
        if step.tb_frame.f_code.co_filename == str(path):
            number = step.tb_lineno
        step = step.tb_next
    return f"{reason} (line {number})" if number else reason


def _import_what_runs_need() -> None:
    """Import what the script will import, out of the garbage collector's sight.

    None of it ever becomes garbage. To look through it while it is imported, and again when the
    process ends, would take a seventh of the time of a run with nothing to do.
    """
    with suppress(Exception):  # the script will meet it, and its line is told
        from common.process.imports import for_good

        with for_good():
            import_module("common.runner.run")


def main(path: Path) -> int:
    """Run a script as if Python had been started with it; returns 78 where that cannot be done."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    run_id = os.environ.get("RUN_ID") or f"{now}-{os.getpid()}"  # the run takes it out
    sys.argv[:] = [str(path), *sys.argv[2:]]
    fault = _conflict(path)
    try:
        if not fault:
            _import_what_runs_need()
            left = runpy.run_path(str(path), run_name="__main__")
            if "JOB" not in left:
                return 0
            fault = f"ends without an exit code, so that nobody learns how its run went: {_GUARD}"
    except Exception as error:
        at = Path(getattr(error, "filename", None) or path)
        if isinstance(error, SyntaxError) and (fault := _conflict(at)):
            path = at
        fault = fault or f"{import_fault(error, path)}: mend it"

    where = path.relative_to(_JOBS.parent) if path.is_relative_to(_JOBS) else path.name
    try:
        from common.process.log import configure, log

        configure(run_id, demo=False)
        log.error("%s", f"{where} {fault}")
    except SyntaxError:
        sys.stderr.write(f"{where} {fault}\n")
    return 78


def _conflict(path: Path) -> str:
    """What conflict_in() says, where that can be imported."""
    with suppress(Exception):
        from common.process.conflicts import conflict_in

        return conflict_in(path)
    return ""


if __name__ == "__main__":
    sys.path.append(str(_JOBS))
    raise SystemExit(main(Path(sys.argv[1])))
