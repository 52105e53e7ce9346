"""What a run needs before it can begin: checks, folders, sample records, databases, the client."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from common.budget import Budget
from common.claude.client import Access, Claude
from common.claude.retries import Clock, Retry
from common.context import Context
from common.definition.check import check_columns
from common.job import Job
from common.job_code import JobCode
from common.ledger.apart import KeptAnswers
from common.ledger.dead_letters import DeadLetters
from common.ledger.ledger import Ledger
from common.ledger.ledger_database import LedgerDatabase
from common.ledger.message_batches import MessageBatches
from common.ledger.opening import open_ledger
from common.ledger.recovery import Recovery
from common.ledger.runs import Runs
from common.option_values import usd_setting
from common.options import Options
from common.process import exits, files
from common.process.exits import JobExit
from common.process.log import log
from common.process.mark import Mark
from common.process.progress import Progress
from common.process.signals import Stop
from common.records.days import report_zone
from common.settings import CAPS, DEFAULT_MODEL, Settings
from common.source.source_database import NO_RECORDS, SourceDatabase, open_source
from common.tally import Tally

if TYPE_CHECKING:
    from standin.workshop import Workshop

_PATIENCE = 20.0  # seconds that a dry run gives Claude to count: an estimate is at hand without it


@dataclass(frozen=True, kw_only=True)
class Start:
    """A run that has been asked for."""

    run_id: str
    job: Job
    options: Options
    settings: Settings
    progress: Progress
    clock: Clock
    retry: Retry
    workshop: Workshop | None = None  # what a demo with workers has started

    @contextmanager
    def with_servers(self) -> Iterator[Start]:
        """This run; a demo with workers has what these need. Raises JobExit: 69, 78."""
        if not self.options.demo or self.delivery != "celery":
            yield self
            return
        from common.runner.celery_demo import servers

        with servers(self.settings) as (settings, workshop):
            yield replace(self, settings=settings, workshop=workshop)

    @property
    def delivery(self) -> str:
        """How its requests travel."""
        return self.options.delivery or self.job.delivery

    def ledger(self, stop: Stop) -> LedgerDatabase:
        """The job's ledger; a dry run only reads it. Raises JobExit as open_ledger does."""
        return open_ledger(
            self.settings,
            read_only=self.options.dry_run,
            # A demo holds nothing that was paid for.
            start_anew=self.options.reprocess or self.options.demo,
            has_witness=not self.options.demo,  # one with workers took its ledger along
            sleep=stop.sleep,
        )

    def open(self, file: LedgerDatabase, stop: Stop, closing: ExitStack) -> Context:
        """Open the source database, and gather what the run works with. Raises JobExit."""
        source = NO_RECORDS if self.job.reports_of else self._source(closing)
        claude = self._claude(stop)
        closing.callback(claude.close)
        name = self.job.name
        version = self.job.version(claude.model_id)
        versions = [version]
        if self.job.second_opinion not in ("", claude.model_id):
            versions.append(self.job.version(self.job.second_opinion))
        ledger = Ledger(file, name, self.run_id, version, second="".join(versions[1:]))
        dead_letters = DeadLetters(file, name)
        mark = Mark(None if self.options.dry_run else self.settings.state / f"{name}.doing")
        closing.callback(mark.close)
        tally, runs = Tally(), Runs(file, name, self.run_id)
        day_cap, month_cap = (usd_setting(cap, self.settings.get(cap)) for cap in CAPS)
        return Context(
            run_id=self.run_id,
            job=self.job,
            options=self.options,
            settings=self.settings,
            source=source,
            ledger=ledger,
            runs=runs,
            message_batches=MessageBatches(file, ledger),
            dead_letters=dead_letters,
            recovery=Recovery(file, ledger, dead_letters, mark),
            code=JobCode(name, dead_letters, tally, mark),
            tally=tally,
            claude=claude,
            kept=KeptAnswers(file, name, version),
            version=version,
            versions=(*versions,),
            delivery=self.delivery,
            budget=Budget(self.options.max_cost, day_cap, runs.spent_in, month_cap),
            stop=stop,
            clock=self.clock,
            retry=self.retry,
            progress=self.progress,
        )

    def _source(self, closing: ExitStack) -> SourceDatabase:
        """The database that the records come from. Raises JobExit where it does not fit the job."""
        if self.options.demo:
            self._make_sample_records()
        writable = not (self.job.per_day or self.options.dry_run or self.options.measures)
        zone = report_zone(self.settings)[1] if self.job.has_window else UTC
        url, job = self.settings.records_db(), self.job.name
        source = open_source(url, writable=writable, zone=zone, job=job)
        closing.callback(source.close)
        check_columns(self.job, source.columns(self.job.select))
        if source.hidden:
            log.info("%s", source.hidden)
        if lacking := source.lacking(self.job.tables):
            raise JobExit(exits.SETTINGS, lacking)
        return source

    def _claude(self, stop: Stop) -> Claude:
        model_id = self.options.model or self.settings.get("CLAUDE_MODEL", DEFAULT_MODEL)
        access = self._stand_in if self.options.demo else self._account
        if self.options.dry_run:
            once = Retry(attempts=1)
            return Claude(model_id, access, 1, once, self.clock, stop, seconds=_PATIENCE)
        return Claude(model_id, access, self.options.concurrency, self.retry, self.clock, stop)

    def _account(self, closing: ExitStack) -> Access:
        return Access(self.settings.api_key(), self.settings.base_url())

    def _stand_in(self, closing: ExitStack) -> Access:
        if self.workshop:
            return Access("demo", self.workshop.standin.url)
        from standin.standin import StandIn

        # A dry run leaves no trace.
        state = None if self.options.dry_run else self.settings.state / "standin"
        server = closing.enter_context(StandIn(state=state))
        return Access("demo", server.url)

    def _make_sample_records(self) -> None:
        from standin.samples import create

        make_folder(self.settings.state)
        zone = report_zone(self.settings)[1]
        today = self.clock.utc_now().astimezone(zone).date()
        path = Path(self.settings.records_db())
        files.check_ours(path)
        try:
            create(path, today, zone)
        except sqlite3.Error as error:
            remedy = "remove it, and --demo makes it anew"
            reason = f"{path} does not hold the sample records ({error}): {remedy}"
            raise JobExit(exits.SETTINGS, reason) from None


def make_folder(path: Path) -> None:
    """Make a folder of this installation's, if it is missing. Raises JobExit (73) otherwise."""
    try:
        files.make_folder(path)
    except OSError as error:
        raise JobExit(exits.CANNOT_CREATE, f"cannot write {path}: {error.strerror}") from error


def in_a_demo(end: JobExit) -> JobExit:
    """How a demo ends where the job wants tables that the sample records do not have."""
    if end.code != exits.SETTINGS or not isinstance(end.__cause__, sqlite3.Error):
        return end
    from standin.samples import CONTENTS

    there = f"--demo has one table, {CONTENTS}, and this job wants more: {end.__cause__}"
    return JobExit(exits.SETTINGS, f"{there}: try it on your own records, with --dry-run first")


def check_after(context: Context) -> None:
    """--after JOB2. Raises JobExit: 75 unless JOB2 succeeded since this job did, 2 without one."""
    if not (other := context.options.after):
        return
    if not (context.settings.root / "jobs" / f"{other}.py").is_file():
        raise JobExit(exits.USAGE, f"--after {other}: there is no jobs/{other}.py")
    file = open_ledger(context.settings, other, read_only=True, has_witness=False)
    # What it did while this job was running may have come too late for that run.
    theirs_at = Runs(file, other, context.run_id).last_success("ended_at")
    file.close()
    ours_at = context.runs.last_success()
    if theirs_at <= ours_at:
        since = f"it has not succeeded since this job did ({ours_at or 'never'})"
        raise JobExit(exits.NOT_NOW, f"--after {other}: {since}: nothing done")


def confirm(context: Context) -> None:
    """Ask a person at a terminal whether --reprocess may pay again; cron is not asked.

    Raises JobExit (2) for a no.
    """
    if not (context.options.reprocess and sys.stdin and sys.stdin.isatty()):
        return
    what = f"records of {context.job.name} that are done"
    sys.stderr.write(f"Ask {what} again, and pay again? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise JobExit(exits.USAGE, "--reprocess was not confirmed: nothing done")
