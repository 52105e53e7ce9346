"""What may keep a run from beginning: its name, the job it comes after, a person who says no."""

from __future__ import annotations

import sys

from common.context import Context
from common.job import Job
from common.ledger.runs import Runs
from common.ledger.sqlite_ledger import LedgerFile
from common.process import exits
from common.process.exits import JobExit


def check_name(job: Job) -> None:
    """Raises JobExit (78) for a job whose script hides a module of that name."""
    if job.name in sys.stdlib_module_names or job.name in ("common", "ops"):
        taken = "a module of that name exists already: call the job something else"
        raise JobExit(exits.SETTINGS, f"jobs/{job.name}.py: {taken}")


def check_after(context: Context) -> None:
    """--after JOB2. Raises JobExit: 75 where JOB2 has not succeeded since this job did, 2 where there is none."""
    if not (other := context.options.after):
        return
    if not (context.settings.root / "jobs" / f"{other}.py").is_file():
        raise JobExit(exits.USAGE, f"--after {other}: there is no jobs/{other}.py")
    file = LedgerFile(context.settings.ledger(other), read_only=True)
    # What it did while this job was running may have come too late for that run.
    theirs_at = Runs(file, other, context.run_id).last_success("ended_at")
    file.close()
    ours_at = context.runs.last_success()
    if theirs_at <= ours_at:
        since = f"it has not succeeded since this job did ({ours_at or 'never'})"
        raise JobExit(exits.NOT_NOW, f"--after {other}: {since}: nothing done")


def confirm(context: Context) -> None:
    """--reprocess pays again: a person at a terminal is asked, cron is not. Raises JobExit (2) for a no."""
    if not (context.options.reprocess and sys.stdin and sys.stdin.isatty()):
        return
    what = f"records of {context.job.name} that are done"
    sys.stderr.write(f"Ask {what} again, and pay again? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise JobExit(exits.USAGE, "--reprocess was not confirmed: nothing done")
