"""What one run has in hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.budget import Budget
from common.claude.client import Claude
from common.claude.retries import Clock, Retry
from common.job import Job
from common.job_code import JobCode
from common.ledger.apart import KeptAnswers
from common.ledger.dead_letters import DeadLetters
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.ledger.recovery import Recovery
from common.ledger.runs import Runs
from common.options import Options
from common.process.progress import Progress
from common.process.signals import Stop
from common.settings import Settings
from common.source.source_database import SourceDatabase
from common.tally import Tally


@dataclass(frozen=True, kw_only=True)
class Context:
    """One run of one job."""

    run_id: str
    job: Job
    options: Options
    settings: Settings
    source: SourceDatabase
    ledger: Ledger
    runs: Runs
    message_batches: MessageBatches
    dead_letters: DeadLetters
    recovery: Recovery
    code: JobCode
    claude: Claude
    kept: KeptAnswers
    version: str  # of the job, with the model that is asked
    # What records are done by that need not be brought up to date.
    versions: tuple[str, ...]
    delivery: str  # live, message_batch or celery
    budget: Budget
    stop: Stop
    clock: Clock
    retry: Retry
    tally: Tally
    progress: Progress = field(default_factory=Progress)

    @property
    def model(self) -> str:
        """The id of the model that is asked."""
        return self.claude.model_id

    def expect(self, records: int) -> None:
        """Show progress towards so many records, all that this run is going to send."""
        limit = self.options.limit
        records = records if limit is None else min(records, limit)
        self.progress.expect(records, self.tally.done + len(self.tally.dead))

    def note_progress(self) -> None:
        """Note how far this run is, every few seconds, in a transaction of the caller's.

        Until a run has ended, `runs.records` is how many it is going to have ended with.
        """
        if self.progress.is_to_be_noted(self.clock.now()):
            self.runs.so_far({**self.tally.columns(), "records": self.progress.records})

    def summary(self, status: str, exit_code: int, seconds: float) -> dict[str, Any]:
        """The summary as `--json` prints it."""
        return {
            "job": self.job.name,
            "run": self.run_id,
            "status": status,
            "exit_code": exit_code,
            "model": self.model,
            "demo": self.options.demo,
            **self.tally.columns(),
            **self.tally.left_out(),
            **self.tally.of_second_opinions(),
            "attempts": self.tally.attempts,
            "usd": round(self.tally.usd, 6),
            "warnings": len(self.tally.warnings),
            "looks_wrong": self.tally.warnings,
            **self.claude.pace(),
            "seconds": round(seconds, 1),
            "reasons": [*self.tally.reasons()][:5],
            "files": self.tally.files,
        }
