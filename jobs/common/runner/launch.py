"""Start a script, as run_job.sh does: `python -P launch.py jobs/JOB.py [options]`.

`-P` keeps the folder of jobs from being the first place where Python looks for modules; here it
becomes the last. So a job that is called like a module of Python's or of a package's takes that
module's place in no job. What keeps a job from being imported is told on one line.
"""

import sys

if __name__ == "__main__":
    sys.path.append(__file__.rpartition("/common/runner/")[0])
    try:  # noqa: SIM105  # contextlib would have to be imported first
        import common  # noqa: F401  # from here on Ctrl-C leaves no traceback
    except Exception:  # noqa: S110  # whoever needs it meets the same error, and tells of it
        pass

import os
import runpy
import signal
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

_JOBS = Path(__file__).resolve().parents[2]
_GUARD = 'end it with `if __name__ == "__main__": raise SystemExit(run(JOB))`'


class _Stopped(BaseException):
    """TERM came before the script was started."""


def _stop(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # timeout(1) sends it twice
    raise _Stopped


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
    signal.signal(signal.SIGTERM, _stop)
    with suppress(Exception):  # the script will meet it, and its line is told
        from common.process.imports import for_good

        with for_good():
            import_module("common.runner.run")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def main(path: Path) -> int:
    """Run a script as if Python had been started with it; returns 78 where that cannot be done."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    run_id = os.environ.get("RUN_ID") or f"{now}-{os.getpid()}"  # the run takes it out
    sys.argv[:] = [str(path), *sys.argv[2:]]
    if path.parent.name == "ops":  # one of the operator's, which tells of its errors itself
        runpy.run_path(str(path), run_name="__main__")
        return 0
    fault, code = _conflict(path), 78
    try:
        if not fault:
            _import_what_runs_need()
            left = runpy.run_path(str(path), run_name="__main__")
            if "JOB" not in left:
                return 0
            fault = f"ends without an exit code, so that nobody learns how its run went: {_GUARD}"
    except _Stopped:
        fault, code = "was stopped by TERM before it began", 75
    except Exception as error:
        at = Path(getattr(error, "filename", None) or path)
        if isinstance(error, SyntaxError) and (fault := _conflict(at)):
            path = at
        fault = fault or f"{import_fault(error, path)}: mend it"

    where = path.relative_to(_JOBS.parent) if path.is_relative_to(_JOBS) else path.name
    try:
        from common.process.log import configure, log

        configure(run_id, demo=False)
        (log.warning if code == 75 else log.error)("%s", f"{where} {fault}")
    except SyntaxError:
        sys.stderr.write(f"{where} {fault}\n")
    return code


def _conflict(path: Path) -> str:
    """What conflict_in() says, where that can be imported."""
    with suppress(Exception):
        from common.process.conflicts import conflict_in

        return conflict_in(path)
    return ""


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
