"""The command line that every job takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from common import option_values as values
from common.job import Job
from common.process import exits
from common.process.command_line import Parser
from common.process.exits import JobExit

_WAIT = 7200.0  # seconds
_DELIVERIES = ("live", "message_batch", "celery")

# What a job that is made from another's reports does not take, and why.
_NO_RECORD = "asks about no record, but about what another job has reported"
_ONE_REQUEST = "sends a request or two per week, live"
_NOT_OF_A_WEEK: dict[str, str] = {
    "--today": "reports weeks that are over",
    **dict.fromkeys(("--limit", "--chunk-size", "--retry-dead"), _NO_RECORD),
    **dict.fromkeys(("--reprocess", "--stale"), _NO_RECORD),
    **dict.fromkeys(("--message-batch", "--celery", "--wait"), _ONE_REQUEST),
}


@dataclass(frozen=True)
class Options:
    """What was asked of one run."""

    dry_run: bool
    show: bool  # the first request itself, with dry_run
    limit: int | None
    # A datetime where a time was given; without an offset it is in the report's zone.
    since: date | None
    until: date | None
    today: bool  # the day so far, which does not count as reported
    delivery: str  # "" for the job's own
    wait: float  # seconds
    waits: bool  # for so long, for second opinions too: it was said
    concurrency: int | None  # the most requests in flight; None: auto
    chunk_size: int
    models: tuple[str, ...]  # none: that of the settings
    max_cost: float | None
    retry_dead: bool
    reprocess: bool
    stale: bool
    try_records: int | None  # --try: how many
    labels: str  # --eval: the file, "" for none
    min_accuracy: float | None
    after: str
    json: bool
    demo: bool

    @property
    def model(self) -> str:
        """The model that was named, or the first one; "" for that of the settings."""
        return self.models[0] if self.models else ""

    @property
    def measures(self) -> bool:
        """Whether answers are looked at, and nothing is saved: --try, --eval."""
        return self.try_records is not None or bool(self.labels)


def parse(job: Job, arguments: Sequence[str]) -> Options:
    """The options of a command line.

    Raises JobExit (2) for a wrong one; prints the help and leaves for --help.
    """
    if job.per_day:
        _refuse_what_is_about_records(job, arguments)
    given = _parser(job).parse_args(arguments)
    _check(given)
    since, until = _window(given) if job.has_window else (None, None)
    asked = vars(given) | {
        "since": since,
        "until": until,
        "delivery": next((one for one in _DELIVERIES if getattr(given, one)), ""),
        "wait": _WAIT if given.wait is None else given.wait,
        "waits": given.wait is not None,
        "models": tuple(given.model or ()),
        "labels": given.labels or "",
        "after": given.after or "",
    }
    return Options(**{one.name: asked[one.name] for one in fields(Options)})


def _parser(job: Job) -> Parser:
    """What reads the command line of a job."""
    parser = Parser(prog=f"./run_job.sh {job.name}")

    def known(to: Callable[..., object]) -> Callable[..., object]:
        """Adds options; --help leaves those out that the job does not take."""

        def add_known(name: str, **more: Any) -> None:
            if job.reports_of and name in _NOT_OF_A_WEEK:
                more["help"] = argparse.SUPPRESS
            to(name, **more)

        return add_known

    add = known(parser.add_argument)

    def flag(name: str, words: str, to: Callable[..., object] = add) -> None:
        to(name, action="store_true", help=words)

    flag("--dry-run", "say what would be sent and what it would cost; pay and change nothing")
    flag("--show", "with --dry-run: the first request itself, as it travels")
    add("--limit", type=values.count, metavar="N", help="at most N records")
    if job.has_window:
        what = f"{'of the day' if job.per_day else 'of the records'} (ISO date or time)"
        alone = "that day alone"
        if job.reports_of:
            what, alone = "week, or a day of it", "the week of that day alone, or 2026-W47"
        add("--date", type=values.time, metavar="DATE", help=alone)
        add("--since", type=values.time, metavar="DATE", help=f"the first {what}")
        add("--until", type=values.time, metavar="DATE", help=f"the last {what}")
    parser.set_defaults(today=False)
    if job.per_day:
        flag("--today", "the day so far, which does not count as reported")
    delivery = known(parser.add_mutually_exclusive_group().add_argument)
    flag("--live", "send requests live", delivery)
    flag("--message-batch", "send them in message batches: half price", delivery)
    flag("--celery", "hand them to Celery's workers", delivery)
    wait = "how long to wait for a message batch, or for workers (2h)"
    add("--wait", type=values.duration, metavar="DURATION", help=wait)
    most = "the most requests in flight (auto: what the account's rate limits carry, up to 128)"
    add("--concurrency", type=values.concurrency, metavar="N", help=most)
    size = job.chunk_size
    add("--chunk-size", type=values.count, default=size, metavar="N", help="records per request")
    model = "instead of CLAUDE_MODEL" + (
        "" if job.per_day else "; with --eval twice, to compare two"
    )
    add("--model", type=values.model, action="append", metavar="ID", help=model)
    cap = "a request that could pass it is not sent"
    add("--max-cost", type=values.usd, metavar="USD", help=cap)
    flag("--retry-dead", "ask again about dead letters, and nothing else")
    flag("--reprocess", "ask again about records that are done")
    flag("--stale", "ask again about what an older version of the job has done, newest first")
    parser.set_defaults(try_records=None, labels=None, min_accuracy=None)
    if not job.per_day:
        _add_measures(add)
    after = "only if JOB2 has succeeded since this job last did"
    add("--after", type=values.name, metavar="JOB2", help=after)
    flag("--json", "what came of it, as one JSON object on stdout")
    flag("--demo", "sample records and a stand-in: no key, no network")
    return parser


def _add_measures(add: Callable[..., object]) -> None:
    """What looks at answers and saves nothing."""
    few = "ask about N records (10), save nothing: see answers, and what the rest would cost"
    add("--try", dest="try_records", type=values.count, nargs="?", const=10, metavar="N", help=few)
    labels = "ask about the records of a CSV of expected values, or `corrections`, and measure"
    add("--eval", dest="labels", type=values.file, metavar="FILE", help=labels)
    gate = "with --eval: exit 3 where the accuracy is below X (0 to 1)"
    add("--min-accuracy", type=values.share, metavar="X", help=gate)


def _refuse_what_is_about_records(job: Job, arguments: Sequence[str]) -> None:
    """Raises JobExit (2) for an option that a report, or one made from other reports, has no use
    for.
    """
    names = [argument.partition("=")[0] for argument in arguments]
    if asked := [name for name in ("--try", "--eval", "--min-accuracy") if name in names]:
        per = "week" if job.reports_of else "day"
        why = f"{job.name} writes a report per {per}: --dry-run says what that would cost"
        raise JobExit(exits.USAGE, f"{asked[0]} is for jobs with an answer per record; {why}")
    for name in names if job.reports_of else ():
        if reason := _NOT_OF_A_WEEK.get(name):
            raise JobExit(exits.USAGE, f"{name}: {job.name} {reason}: leave it out")


def _check(given: argparse.Namespace) -> None:
    """Raises JobExit (2) for options that do not go together."""
    tries, labels = given.try_records is not None, given.labels
    named = bool(vars(given).get("date") or vars(given).get("since") or vars(given).get("until"))
    wrong = {
        "--today is a day of its own: leave out --date, --since and --until": given.today and named,
        "--today is about no older version: leave out --stale": given.today and given.stale,
        "--show is for a --dry-run: add it": given.show and not given.dry_run,
        "--try and --eval are two commands: give one of them": tries and labels,
        "--min-accuracy is for --eval FILE: add it": given.min_accuracy is not None and not labels,
        "--model twice is for --eval: give one": len(given.model or ()) > 1 and not labels,
        "--try asks live: leave out the delivery": tries and (given.message_batch or given.celery),
        "--eval asks live or by message batch: leave out --celery": labels and given.celery,
    }
    if tries or labels:
        measure = "--try" if tries else "--eval"
        for name in ("dry_run", "reprocess", "stale", "retry_dead", "after", "limit"):
            option = f"--{name.replace('_', '-')}"
            wrong[f"{measure} saves nothing: leave out {option}"] = getattr(given, name)
    for why, is_wrong in wrong.items():
        if is_wrong:
            raise JobExit(exits.USAGE, why)


def _window(given: argparse.Namespace) -> tuple[date | None, date | None]:
    """The first and the last day or time, None for each that is not given."""
    if given.date is None:
        return given.since, given.until
    if given.since or given.until:
        raise JobExit(exits.USAGE, "--date is a window of its own: leave out --since and --until")
    day = _day(given.date)
    return day, day


def _day(at: date) -> date:
    """The whole day, also where a time of it was given.

    With an offset it could be another day in the report's zone.
    """
    if not isinstance(at, datetime):
        return at
    if at.tzinfo is not None:
        raise JobExit(exits.USAGE, f"--date {at.isoformat()}: a day has no offset: leave it out")
    return at.date()
