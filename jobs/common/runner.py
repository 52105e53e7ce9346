"""run(JOB): one run of a job, from the command line to the exit code."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict
from pathlib import Path

from common import estimate, exits, options, per_day, per_record, settings, times
from common.budget import Budget
from common.context import Context
from common.database import open_source
from common.exchange import Exchange
from common.exits import JobExit
from common.job import Job
from common.ledger import Ledger
from common.ledger_file import LedgerFile
from common.lock import hold
from common.log import configure, log
from common.message_batches import MessageBatches
from common.options import Options
from common.progress import Progress
from common.retries import Clock, Retry
from common.runs import Runs
from common.settings import ROOT, Settings
from common.signals import Stop

DEFAULT_MODEL = "claude-haiku-5-5"


def run(
    job: Job,
    arguments: Sequence[str] | None = None,
    *,
    root: Path = ROOT,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    retry: Retry | None = None,
) -> int:
    """Run a job with the arguments of a command line (default: this process's); returns the exit code.

    Everything a person should know goes to stderr, which is the log; stdout gets only what was asked for. `root`,
    `environ`, `clock` and `retry` are there for tests.
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
    with redirect_stdout(sys.stderr):
        try:
            _check_name(job)
            with redirect_stdout(stdout):  # --help is asked for
                given = options.parse(job, sys.argv[1:] if arguments is None else arguments)
            progress = Progress()
            configure(run_id, demo=given.demo, before=progress.clear)
            found = settings.load(job.name, demo=given.demo, root=root, environ=environ)
            one = _Run(run_id, job, given, found, progress, clock or Clock(), retry or Retry())
            code, result = one.dry_run() if given.dry_run else one.run()
        except JobExit as end:
            log.error("%s", end.message)
            code, result = end.code, _unstarted(job, run_id, given, end)
        except Exception:
            log.exception("a bug")
            return exits.BUG
    if result:
        print(result, file=stdout, flush=True)
    return code


def _unstarted(job: Job, run_id: str, given: Options | None, end: JobExit) -> str:
    """What --json prints of a run that ended before it began."""
    if given is None or not given.json:
        return ""
    status = exits.STATUS.get(end.code, "error")
    ended = {"job": job.name, "run": run_id, "status": status, "exit_code": end.code}
    return json.dumps({**ended, "reasons": [end.message]})


class _Run:
    """A run of a job: opens what it needs, does it, says how it went."""

    def __init__(
        self,
        run_id: str,
        job: Job,
        given: Options,
        found: Settings,
        progress: Progress,
        clock: Clock,
        retry: Retry,
    ) -> None:
        self.run_id = run_id
        self.job = job
        self.options = given
        self.settings = found
        self.progress = progress
        self.clock = clock
        self.retry = retry
        self.model = given.model or found.get("CLAUDE_MODEL", DEFAULT_MODEL)
        self.delivery = given.delivery or job.delivery
        self.began = time.monotonic()

    def dry_run(self) -> tuple[int, str]:
        """What would be sent, for stdout."""
        with ExitStack() as closing:
            file = LedgerFile(self.settings.ledger(), read_only=True)
            closing.callback(file.close)
            figures = estimate.estimate(self._context(file, Stop(), closing))
        return exits.DONE, json.dumps(figures) if self.options.json else estimate.in_words(figures)

    def run(self) -> tuple[int, str]:
        """The exit code, and the summary for stdout where it was asked for."""
        stop = Stop()
        with ExitStack() as closing:
            closing.callback(stop.listen())
            _folder(self.settings.state)
            closing.callback(os.close, hold(self.settings.state / f"{self.job.name}.lock"))
            if not self.options.demo:
                self.settings.api_key()
                self.settings.base_url()
            file = LedgerFile(self.settings.ledger())
            closing.callback(file.close)
            context = self._context(file, stop, closing)
            self._after(context)
            self._confirm()
            context.runs.start(self.delivery, self.model)
            code = self._outcome(context)
            seconds = time.monotonic() - self.began
            summary = context.summary(exits.STATUS.get(code, "error"), code, seconds)
            counts = asdict(context.counts)
            attempts = counts.pop("attempts")
            context.runs.end(code, counts)
        line = " ".join(
            f"{name}={summary[name]}"
            for name in ("job", "run", "status", "records", "done", "failed", "dead", "requests")
        )
        log.info(
            "SUMMARY %s attempts=%d input_tokens=%d output_tokens=%d usd=%.4f seconds=%.0f",
            line,
            attempts,
            summary["input_tokens"],
            summary["output_tokens"],
            summary["usd"],
            seconds,
        )
        return code, json.dumps(summary) if self.options.json else ""

    def _outcome(self, context: Context) -> int:
        """Do the work; the exit code, with its reason in the log."""
        counts = context.counts
        try:
            lost, dead = context.ledger.recover()
            if lost:
                log.warning(
                    "%d requests were in flight when the run before died: asked again, alone", lost
                )
            counts.dead += len(dead)
            context.reasons += [f"{known.record_id}: {known.error}" for known in dead]
            with ExitStack() as closing:
                exchange = Exchange(context)
                closing.callback(exchange.close)
                (per_day if self.job.per_day else per_record).run(context, exchange)
        except JobExit as end:
            counts.failed = len(context.troubled)
            (log.warning if end.code == exits.NOT_NOW else log.error)("%s", end.message)
            return end.code
        except Exception:
            counts.failed = len(context.troubled)
            log.exception("a bug, or a job that does not fit its database")
            return exits.BUG
        if counts.dead or context.reasons:
            dead_letters = f"{counts.dead} records became dead letters: " if counts.dead else ""
            log.error("%s%s", dead_letters, "; ".join(context.reasons[:3]))
            return exits.RECORDS_FAILED
        if not counts.requests and not context.made:
            log.info("nothing to do")
        return exits.DONE

    def _context(self, file: LedgerFile, stop: Stop, closing: ExitStack) -> Context:
        ledger = Ledger(file, self.job.name, self.run_id)
        runs = Runs(file, self.job.name, self.run_id)
        self._make_demo_records()
        writable = not self.job.per_day and not self.options.dry_run
        source = open_source(self.settings.records_db(), writable=writable)
        closing.callback(source.close)
        day_cap = self.settings.get("MAX_COST_USD")
        budget = Budget(
            self.options.max_cost, options.usd_setting("MAX_COST_USD", day_cap), runs.spent_on
        )
        return Context(
            self.run_id,
            self.job,
            self.options,
            self.settings,
            self.model,
            source,
            ledger,
            runs,
            MessageBatches(file, ledger),
            self.delivery,
            budget,
            stop,
            self.clock,
            self.retry,
            self.progress,
        )

    def _make_demo_records(self) -> None:
        if self.options.demo:
            from common.demo.records import create

            _folder(self.settings.state)
            zone = times.zone(self.settings.get("REPORT_TZ"))[1]
            today = self.clock.utc_now().astimezone(zone).date()
            create(self.settings.state / "records.db", today, zone)

    def _after(self, context: Context) -> None:
        """--after JOB2: not before JOB2 has succeeded once more."""
        if not (other := self.options.after):
            return
        if not (self.settings.root / "jobs" / f"{other}.py").is_file():
            raise JobExit(exits.USAGE, f"--after {other}: there is no jobs/{other}.py")
        file = LedgerFile(self.settings.ledger(other), read_only=True)
        # What it did while this job was running may have come too late for that run.
        theirs_at = Runs(file, other, self.run_id).last_success("ended_at")
        file.close()
        ours_at = context.runs.last_success()
        if theirs_at <= ours_at:
            raise JobExit(
                exits.NOT_NOW,
                f"--after {other}: it has not succeeded since this job did ({ours_at or 'never'}): nothing done",
            )

    def _confirm(self) -> None:
        """--reprocess pays again: a person at a terminal is asked, cron is not."""
        if not (self.options.reprocess and sys.stdin and sys.stdin.isatty()):
            return
        question = f"Ask records of {self.job.name} that are done again, and pay again? [y/N] "
        sys.stderr.write(question)
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise JobExit(exits.USAGE, "--reprocess was not confirmed: nothing done")


def _check_name(job: Job) -> None:
    if job.name in sys.stdlib_module_names or job.name in ("common", "ops"):
        raise JobExit(
            exits.SETTINGS,
            f"jobs/{job.name}.py: a module of that name exists already: call the job something else",
        )


def _folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JobExit(exits.CANNOT_CREATE, f"cannot write {path}: {error.strerror}") from error
