"""What a run needs before it can begin: its folders, its demo records, its databases, its budget."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from common import options, times
from common.claude.retries import Clock, Retry
from common.context import Context
from common.delivery.budget import Budget
from common.job import Job
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.ledger.runs import Runs
from common.ledger.sqlite_ledger import LedgerFile
from common.options import Options
from common.process import exits
from common.process.exits import JobExit
from common.process.progress import Progress
from common.process.signals import Stop
from common.settings import Settings
from common.source.sqlite_source import open_source

DEFAULT_MODEL = "claude-haiku-5-5"


@dataclass(frozen=True)
class Start:
    """A run that has been asked for."""

    run_id: str
    job: Job
    options: Options
    settings: Settings
    progress: Progress
    clock: Clock
    retry: Retry

    def open(self, file: LedgerFile, stop: Stop, closing: ExitStack) -> Context:
        """Open the source database, and gather all that the run works with. Raises JobExit as what it opens does."""
        settings, run_options = self.settings, self.options
        if run_options.demo:
            self._make_demo_records()
        writable = not self.job.per_day and not run_options.dry_run
        source = open_source(settings.records_db(), writable=writable)
        closing.callback(source.close)
        ledger = Ledger(file, self.job.name, self.run_id)
        runs = Runs(file, self.job.name, self.run_id)
        day_cap = options.usd_setting("MAX_COST_USD", settings.get("MAX_COST_USD"))
        return Context(
            run_id=self.run_id,
            job=self.job,
            options=run_options,
            settings=settings,
            model=run_options.model or settings.get("CLAUDE_MODEL", DEFAULT_MODEL),
            source=source,
            ledger=ledger,
            runs=runs,
            message_batches=MessageBatches(file, ledger),
            delivery=run_options.delivery or self.job.delivery,
            budget=Budget(run_options.max_cost, day_cap, runs.spent_on),
            stop=stop,
            clock=self.clock,
            retry=self.retry,
            progress=self.progress,
        )

    def _make_demo_records(self) -> None:
        from standin.samples import create

        make_folder(self.settings.state)
        zone = times.zone(self.settings.get("REPORT_TZ"))[1]
        today = self.clock.utc_now().astimezone(zone).date()
        create(self.settings.state / "records.db", today, zone)


def make_folder(path: Path) -> None:
    """Make a folder of this installation's, if it is missing. Raises JobExit (73) where it cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise JobExit(exits.CANNOT_CREATE, f"cannot write {path}: {error.strerror}") from error
