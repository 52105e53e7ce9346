"""What `status` knows: gather.py reads it, text.py and status_page.py show it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ops.ledger.figures import DeadLetter, Records
from ops.ledger.work import Holder, Queue, Worker


@dataclass(frozen=True)
class Run:
    """One run of a job, from its ledger, from history.tsv, or from both."""

    run_id: str
    started_at: str
    seconds: float | None  # None: it never said how it ended
    code: int | None  # None: it runs, or died without a word
    words: str  # the code in words
    reason: str  # the last thing it complained about
    in_ledger: bool  # False: refused before it began, or a --dry-run
    # While it runs (`under_way`): how many it is going to have ended with; the others, so far.
    records: int = 0
    done: int = 0
    failed: int = 0
    dead: int = 0
    requests: int = 0
    usd: float = 0.0
    # "" for a run of the job; --try, --eval, or what else saves nothing.
    measure: str = ""
    under_way: bool = False


@dataclass(frozen=True)
class Versions:
    """What was asked for the outputs that records are done with.

    `today`: the versions that a run of today would do them by: two with a second opinion; none
    where it is not known. `older`: the records done by others, and `older_versions` by how many.
    `unknown`: those whose version nobody noted, as was so before versions were kept.
    """

    today: tuple[str, ...] = ()
    older: int = 0
    older_versions: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Model:
    """What one model cost this month."""

    model: str
    usd: float | None  # None: no price is known
    requests: int


@dataclass(frozen=True)
class PaidFor:
    """What was paid this month beside the runs: for --try, for --eval, for second opinions."""

    purpose: str
    usd: float | None  # None: no price is known
    requests: int


@dataclass(frozen=True)
class Cost:
    """What a job cost, by UTC day and month, whatever it was paid for.

    `unsettled`: the most that attempts of unknown outcome can have cost. `purposes`: the part of
    the month that was not for runs. `most`: what may be spent, None without a cap.
    """

    today: float = 0.0
    month: float = 0.0
    last_month: float = 0.0
    most_today: float | None = None  # MAX_COST_USD
    most_month: float | None = None  # MAX_COST_USD_MONTH
    unsettled_today: float = 0.0
    unsettled_month: float = 0.0
    models: tuple[Model, ...] = ()
    purposes: tuple[PaidFor, ...] = ()


@dataclass(frozen=True)
class MessageBatch:
    """A message batch under way. It expires a day after it was made."""

    message_batch_id: str
    status: str
    requests: int
    created_at: str
    expires_at: str
    purpose: str = "run"  # or eval, second opinion


@dataclass(frozen=True)
class Day:
    """A UTC day of a job."""

    day: str
    runs: int = 0
    bad_runs: int = 0  # neither 0 nor 75
    records: int = 0  # done
    seconds: float = 0.0
    usd: float = 0.0


@dataclass(frozen=True)
class Lock:
    """A lock that is held right now."""

    since: str  # "" where its holder left no word
    pid: str
    run_id: str


@dataclass(frozen=True)
class Written:
    """The newest of the files of one kind that a job has written for people."""

    kind: str  # report, evaluation, review
    path: str  # in the folder of reports
    count: int  # of that kind


@dataclass(frozen=True)
class Alert:
    """The alerts about a job, sent and waiting to be sent, and announcements that wait."""

    alerted_since: str = ""  # state/JOB.alerted
    undelivered: int = 0  # alerts in state/outbox/
    undelivered_since: str = ""
    unannounced: int = 0  # announcements of its reports in state/outbox/
    unannounced_since: str = ""


@dataclass(frozen=True)
class JobStatus:
    """All about one job."""

    job: str
    has_script: bool
    state: str  # running, failed, died, not now, ok, never ran, unknown
    note: str  # why its ledger could not be read, else ""
    lock: Lock | None
    last_run: Run | None
    last_success: Run | None
    records: Records | None  # None: no ledger that can be read
    cost: Cost | None
    message_batches: tuple[MessageBatch, ...]
    alert: Alert
    runs: tuple[Run, ...]  # newest first
    dead_letters: tuple[DeadLetter, ...]  # newest first, the first twenty
    has_days: bool  # it writes a report per day
    days: tuple[Day, ...] = ()  # thirty, oldest first
    holder: Holder | None = None  # of the ledger's lease, on PostgreSQL
    queues: tuple[Queue, ...] = ()  # where requests wait for Celery's workers
    versions: Versions = field(default_factory=Versions)
    # What looks wrong in the outputs of the last run that had enough of them to tell.
    warnings: tuple[str, ...] = ()
    written: tuple[Written, ...] = ()


@dataclass(frozen=True)
class Status:
    """All about an installation."""

    at: str
    root: str
    demo: bool
    jobs: tuple[JobStatus, ...]
    notes: tuple[str, ...] = field(default=())  # what could not be read
    undelivered: int = 0  # alerts in state/outbox/, of any job
    undelivered_since: str = ""
    asked: str = ""  # the job that somebody asked about
    workers: tuple[Worker, ...] = ()
    reports: str = "reports"  # the folder, as seen from the root
    index: str = ""  # the page in it that lists all reports; "" where there is none
    unannounced: int = 0  # announcements of reports in state/outbox/, of any job
    unannounced_since: str = ""

    @property
    def worst_first(self) -> list[JobStatus]:
        """The jobs: failed ones, those that need a look, the others, those that have never run."""
        return sorted(self.jobs, key=_rank)


def _rank(job: JobStatus) -> int:
    if job.state in ("failed", "died"):
        return 0
    if job.note or job.warnings or (job.records and job.records.dead):
        return 1
    return 3 if job.state == "never ran" else 2
