"""run(JOB): one run of a job, from the command line to the exit code."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from common import options, settings
from common.claude.retries import Clock, Retry
from common.context import Context
from common.definition.check import check
from common.delivery.deliver import Delivery
from common.job import Job
from common.option_values import duration_setting
from common.options import Options
from common.process import exits, time_limit
from common.process.command_line import say
from common.process.exits import JobExit
from common.process.files import disk_fault
from common.process.lock import hold
from common.process.log import StrayPrints, brief, configure, log
from common.process.progress import Progress
from common.process.signals import Stop
from common.process.words import counted
from common.records.left_out import WITHOUT_ID, tell_empty
from common.runner.start import Start, check_after, confirm, in_a_demo, make_folder
from common.runner.summary_line import log_summary
from common.settings import ROOT, Settings
from quality.judging import judge


def run(
    job: Job,
    arguments: Sequence[str] | None = None,
    *,
    root: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    retry: Retry | None = None,
) -> int:
    """Run a job with the arguments of a command line (default: this process's): the exit code.

    Everything a person should know goes to stderr, which is the log; stdout gets only what was
    asked for. `root`, `environ`, `clock` and `retry` are there for tests.
    """
    os.umask(0o077)
    run_id = (
        os.environ.pop("RUN_ID", "")
        or f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
    )
    configure(run_id, demo=False)
    stdout = sys.stdout
    given: Options | None = None
    # A job's stray print belongs into the log, not between the lines of --json.
    with redirect_stdout(StrayPrints()):
        try:
            check(job)
            with redirect_stdout(stdout):  # --help is asked for
                given = options.parse(job, sys.argv[1:] if arguments is None else arguments)
            progress = Progress()
            configure(run_id, demo=given.demo, before=progress.clear)
            start = Start(
                run_id=run_id,
                job=job,
                options=given,
                settings=settings.load(job.name, demo=given.demo, root=root, environ=environ),
                progress=progress,
                clock=clock or Clock(),
                retry=retry or Retry(),
            )
            code, result = _dry_run(start) if given.dry_run else _run(start)
        except JobExit as error:
            end = in_a_demo(error) if given and given.demo else error
            log.error("%s", end.message)
            code, result = end.code, _unstarted(job, run_id, given, end)
        except Exception as error:
            if not (fault := disk_fault(error)):
                log.exception("a bug")
                return exits.BUG
            log.error("%s", fault.message)
            code, result = fault.code, _unstarted(job, run_id, given, fault)
    if result:
        try:
            say(result, stdout)
        except JobExit as end:  # the run is what it was: only its words are lost
            log.error("%s", end.message)
            return code or end.code
    return code


def _unstarted(job: Job, run_id: str, given: Options | None, end: JobExit) -> str:
    """What --json prints of a run that ended before it began."""
    if given is None or not given.json:
        return ""
    status = exits.STATUS.get(end.code, "error")
    ended = {"job": job.name, "run": run_id, "status": status, "exit_code": end.code}
    return json.dumps({**ended, "reasons": [end.message]})


def _dry_run(start: Start) -> tuple[int, str]:
    """What would be sent, for stdout."""
    if start.job.reports_of:
        from common.runner.estimate_weeks import estimate_weeks as estimate
        from common.runner.estimate_weeks import in_words
    else:
        from common.runner.estimate import estimate, in_words

    with ExitStack() as closing:
        file = start.ledger(stop := Stop())
        closing.callback(file.close)
        figures = estimate(start.open(file, stop, closing))
    return exits.DONE, json.dumps(figures) if start.options.json else in_words(figures)


def _run(start: Start) -> tuple[int, str]:
    """The exit code, and the summary for stdout where it was asked for."""
    began = time.monotonic()
    stop = Stop()
    with ExitStack() as closing:
        closing.callback(stop.listen())
        closing.callback(_keep_time_limit(start.settings))
        make_folder(start.settings.state)
        closing.callback(os.close, hold(start.settings.state / f"{start.job.name}.lock"))
        if not start.options.demo:
            start.settings.api_key()
            start.settings.base_url()
        start = closing.enter_context(start.with_servers())
        file = start.ledger(stop)
        closing.callback(file.close)
        context = start.open(file, stop, closing)
        if context.options.measures:
            return _measured(context)
        check_after(context)
        confirm(context)
        context.runs.start(context.delivery, context.model)
        code = _outcome(context)
        looks = judge(context)
        seconds = time.monotonic() - began
        summary = context.summary(exits.STATUS.get(code, "error"), code, seconds)
        try:
            context.runs.end(code, {**context.tally.columns(), **looks})
            if context.tally.told and code in (exits.DONE, exits.RECORDS_FAILED):
                context.runs.set_left_out(WITHOUT_ID, context.tally.without_id)
        except JobExit as end:
            if code == exits.DONE:
                raise
            # The reason is in the log already, most probably the very same.
            log.info("this run's end is not in its ledger: %s", end.message)
    # As texts: log_summary leaves out a number that is 0, and agreed=0 has to be told.
    second = {name: str(value) for name, value in context.tally.of_second_opinions().items()}
    more = {**context.tally.left_out(), **second, **context.claude.pace()}
    log_summary(summary, seconds, **more)
    return code, json.dumps(summary) if start.options.json else ""


def _keep_time_limit(settings: Settings) -> Callable[[], None]:
    """Begin to keep JOB_TIMEOUT, which run_job.sh sets for every job; how to call it off.

    Raises JobExit (78) for a wrong value.
    """
    seconds = duration_setting("JOB_TIMEOUT", settings.get("JOB_TIMEOUT"))
    kill_after = duration_setting("JOB_KILL_AFTER", settings.get("JOB_KILL_AFTER", "30s"))
    return time_limit.keep(seconds, kill_after or 0) if seconds else lambda: None


def _measured(context: Context) -> tuple[int, str]:
    """--try or --eval: the exit code, and what it prints."""
    from quality import evaluation, trial

    printed: list[str] = []
    measure = evaluation.run if context.options.labels else trial.run

    def work() -> int:
        try:
            return measure(context, printed.append)
        except JobExit as end:
            if not printed:
                printed.append(_unstarted(context.job, context.run_id, context.options, end))
            raise

    return _ended(context, work), "\n".join(printed)


def _outcome(context: Context) -> int:
    """Do the work; the exit code, with its reason in the log."""
    return _ended(context, lambda: _work(context))


def _ended(context: Context, work: Callable[[], int]) -> int:
    """The exit code of some work, with the reason in the log where it had to end."""
    try:
        return work()
    except JobExit as error:
        end = in_a_demo(error) if context.options.demo else error
        overdue = end.code == exits.NOT_NOW and context.stop.overdue
        code = exits.TIME_LIMIT if overdue else end.code
        (log.warning if code == exits.NOT_NOW else log.error)("%s", end.message)
        return code
    except Exception as error:
        if fault := disk_fault(error):
            log.error("%s", fault.message)
            return fault.code
        log.exception("a bug, or a job that does not fit its database")
        return exits.BUG


def _work(context: Context) -> int:
    _deliver(context)
    tally = context.tally
    if tally.incomplete:
        counts = ((len(tally.dead), "became dead letters"), (len(tally.failed), "failed"))
        what = ", ".join(
            f"{counted(count, 'record')} {became}" for count, became in counts if count
        )
        reasons = "; ".join([*tally.reasons(brief)][:3])
        log.error("%s", f"{what}: {reasons}" if what else reasons)
        return exits.RECORDS_FAILED
    if not tally.requests and not tally.files and not tally.second_opinions:
        log.info("nothing to do")
    return exits.DONE


def _deliver(context: Context) -> None:
    lost, dead = context.recovery.take_up()
    if lost:
        log.warning(
            "%s in flight when the run before died: asked again, after all others",
            "1 request was" if lost == 1 else f"{lost:,} requests were",
        )
    for state in dead:
        context.tally.died(state.record_id, state.error)
        log.error("record %s is a dead letter: %s", brief(state.record_id), state.error)
    delivery = Delivery(context)
    if context.job.reports_of:
        from common.runner.per_week import run as work
    elif context.job.per_day:
        from common.runner.per_day import run as work
    else:
        from common.runner.per_record import run as work
    try:
        work(context, delivery)
    finally:
        delivery.close()
        tell_empty(context)
