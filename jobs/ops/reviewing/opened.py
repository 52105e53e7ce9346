"""A job with its databases, opened as a run of it opens them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common import options, settings, times
from common.claude.retries import Clock, Retry
from common.context import Context
from common.job import Job
from common.process import exits
from common.process.exits import JobExit
from common.process.lock import hold, sign
from common.process.progress import Progress
from common.process.signals import Stop
from common.runner.start import Start, make_folder
from common.settings import Settings
from ops.examination.scripts import Unusable, job_of
from ops.facts.known_jobs import meant, scripts


def named(name: str, root: Path) -> Job:
    """The job of a script, which is imported without letting it run.

    Raises JobExit: 2 where there is no such job, or it writes reports; 78 where it cannot be had.
    """
    name = meant(name, scripts(root))
    path = root / "jobs" / f"{name}.py"
    try:
        job = job_of(path)
    except Unusable as error:
        raise JobExit(exits.SETTINGS, f"jobs/{name}.py {error.text}: {error.remedy}") from error
    if job.per_day:
        reason = f"{name} writes reports, and no answer for each record"
        raise JobExit(exits.USAGE, f"{reason}: there is nothing to correct")
    return job


def settings_of(job: Job, *, demo: bool, root: Path, environ: Mapping[str, str] | None) -> Settings:
    """The settings as the job would see them."""
    return settings.load(job.name, demo=demo, root=root, environ=environ)


@contextmanager
def opened(job: Job, found: Settings, *, to_write: bool) -> Iterator[Context]:
    """The job with its ledger and its records, `to_write` under its lock; else nothing is written.

    Raises JobExit as a run of it does: 75 where one is running.
    """
    now = times.stamp()
    run_id = f"{now.replace('-', '').replace(':', '')}-{os.getpid()}"
    arguments = [] if to_write else ["--dry-run"]
    start = Start(
        run_id=run_id,
        job=job,
        options=options.parse(job, [*arguments, *(["--demo"] if found.demo else [])]),
        settings=found,
        progress=Progress(),
        clock=Clock(),
        retry=Retry(),
    )
    with ExitStack() as closing:
        if to_write:
            make_folder(found.state)
            lock = hold(found.state / f"{job.name}.lock")
            closing.callback(os.close, lock)
            sign(lock, os.getpid(), now, run_id)
        stop = Stop()
        file = start.ledger(stop)
        closing.callback(file.close)
        yield start.open(file, stop, closing)
