"""What one run has in hand, and what it has counted so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from common.claude.retries import Clock, Retry
from common.delivery.budget import Budget
from common.job import Job
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.ledger.runs import Runs
from common.options import Options
from common.process.progress import Progress
from common.process.signals import Stop
from common.settings import Settings
from common.source.sqlite_source import Database


@dataclass
class Counts:
    """The figures of the summary."""

    records: int = 0  # taken up in this run
    done: int = 0
    failed: int = 0  # to be asked again by the next run
    dead: int = 0
    requests: int = 0
    attempts: int = 0
    input_tokens: int = 0  # the whole prompts, cached or not
    output_tokens: int = 0
    usd: float = 0.0


@dataclass
class Context:
    """One run of one job."""

    run_id: str
    job: Job
    options: Options
    settings: Settings
    model: str
    source: Database
    ledger: Ledger
    runs: Runs
    message_batches: MessageBatches
    delivery: str  # live, or message_batch
    budget: Budget
    stop: Stop
    clock: Clock
    retry: Retry
    progress: Progress = field(default_factory=Progress)
    counts: Counts = field(default_factory=Counts)
    troubled: set[str] = field(default_factory=set)  # records that failed and are to be asked again
    reasons: list[str] = field(
        default_factory=list
    )  # why records failed or died, or a report lacks its summary
    made: list[str] = field(default_factory=list)  # files written

    def summary(self, status: str, exit_code: int, seconds: float) -> dict[str, Any]:
        """The summary as `--json` prints it."""
        return {
            "job": self.job.name,
            "run": self.run_id,
            "status": status,
            "exit_code": exit_code,
            "model": self.model,
            "demo": self.options.demo,
            **asdict(self.counts),
            "usd": round(self.counts.usd, 6),
            "seconds": round(seconds, 1),
            "reasons": self.reasons[:5],
            "files": self.made,
        }
