"""The command line that every job takes."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from common.job import Job
from common.process import exits
from common.process.command_line import Parser, quoted
from common.process.exits import JobExit

_DELIVERIES = ("live", "message_batch", "celery")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Options:
    """What was asked of one run."""

    dry_run: bool
    limit: int | None
    # A datetime where a time was given; without an offset it is in the report's zone.
    since: date | None
    until: date | None
    delivery: str  # "" for the job's own
    wait: float  # seconds
    concurrency: int
    chunk_size: int
    model: str
    max_cost: float | None
    retry_dead: bool
    reprocess: bool
    after: str
    json: bool
    demo: bool


def parse(job: Job, arguments: Sequence[str]) -> Options:
    """The options of a command line.

    Raises JobExit (2) for a wrong one; prints the help and leaves for --help.
    """
    parser = Parser(prog=f"./run_job.sh {job.name}")
    add = parser.add_argument
    add(
        "--dry-run",
        action="store_true",
        help="say what would be sent and what it would cost; pay and change nothing",
    )
    add("--limit", type=count, metavar="N", help="at most N records")
    if job.has_window:
        what = "of the day" if job.per_day else "of the records"
        add("--date", type=_time, metavar="DATE", help="that day alone")
        add("--since", type=_time, metavar="DATE", help=f"the first {what} (ISO date or time)")
        add("--until", type=_time, metavar="DATE", help=f"the last {what} (ISO date or time)")
    delivery = parser.add_mutually_exclusive_group().add_argument
    delivery("--live", action="store_true", help="send requests live")
    delivery(
        "--message-batch", action="store_true", help="send them in message batches: half price"
    )
    delivery("--celery", action="store_true", help="hand them to Celery's workers")
    add(
        "--wait",
        type=_duration,
        default=7200.0,
        metavar="DURATION",
        help="for a message batch, or for workers (2h)",
    )
    add("--concurrency", type=count, default=8, metavar="N", help="requests in flight (8)")
    add("--chunk-size", type=count, default=job.chunk_size, metavar="N", help="records per request")
    add("--model", type=_model, metavar="ID", help="over CLAUDE_MODEL")
    add("--max-cost", type=_usd, metavar="USD", help="a request that could pass it is not sent")
    add("--retry-dead", action="store_true", help="ask dead letters again")
    add("--reprocess", action="store_true", help="ask records that are done again")
    add(
        "--after",
        type=_name,
        metavar="JOB2",
        help="only if JOB2 has succeeded since this job last did",
    )
    add("--json", action="store_true", help="the summary as one JSON object on stdout")
    add("--demo", action="store_true", help="sample records and a stand-in: no key, no network")
    given = parser.parse_args(arguments)
    since, until = (given.since, given.until) if job.has_window else (None, None)
    if job.has_window and given.date is not None:
        if since or until:
            raise JobExit(
                exits.USAGE, "--date is a window of its own: leave out --since and --until"
            )
        since = until = _day(given.date)
    return Options(
        dry_run=given.dry_run,
        limit=given.limit,
        since=since,
        until=until,
        delivery=next((one for one in _DELIVERIES if getattr(given, one)), ""),
        wait=given.wait,
        concurrency=given.concurrency,
        chunk_size=given.chunk_size,
        model=given.model or "",
        max_cost=given.max_cost,
        retry_dead=given.retry_dead,
        reprocess=given.reprocess,
        after=given.after or "",
        json=given.json,
        demo=given.demo,
    )


def _day(at: date) -> date:
    """The whole day, also where a time of it was given.

    With an offset it could be another day in the report's zone.
    """
    if not isinstance(at, datetime):
        return at
    if at.tzinfo is not None:
        raise JobExit(exits.USAGE, f"--date {at.isoformat()}: a day has no offset: leave it out")
    return at.date()


def usd_setting(name: str, value: str) -> float | None:
    """An amount of USD from the settings, None where it is unset.

    Raises JobExit (78) for anything else.
    """
    try:
        return _usd(value) if value else None
    except argparse.ArgumentTypeError as error:
        raise JobExit(exits.SETTINGS, f"{name}: {error}") from None


def duration_setting(name: str, value: str) -> float | None:
    """A duration in seconds from the settings, None where it is unset.

    Raises JobExit (78) for anything else.
    """
    try:
        seconds = _duration(value) if value else None
    except argparse.ArgumentTypeError as error:
        raise JobExit(exits.SETTINGS, f"{name}: {error}") from None
    if seconds == 0:
        raise JobExit(exits.SETTINGS, f"{name}={value}: must be 1s or more, such as 15m or 6h")
    return seconds


def count(text: str) -> int:
    """A whole number of 1 or more."""
    if text.isdecimal() and len(text) < 10 and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not a whole number of 1 or more")


def _duration(text: str) -> float:
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if number.isdecimal() and len(number) < 9:
        return float(int(number) * _SECONDS[unit])
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not a duration such as 90s, 15m or 2h")


def _name(text: str) -> str:
    # An empty one is a shell variable that is not set: not to wait would be no answer to that.
    if re.fullmatch(r"[a-z][a-z0-9_]*", text):
        return text
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not the name of a job")


def _model(text: str) -> str:
    if re.fullmatch(r"[!-~]{1,200}", text):
        return text
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not the id of a model")


def _usd(text: str) -> float:
    try:
        usd = float(text.removeprefix("$"))
    except ValueError:
        usd = math.nan
    if math.isfinite(usd) and usd > 0:
        return usd
    raise argparse.ArgumentTypeError(f"{quoted(text)} is not an amount of USD such as 0.50")


def _time(text: str) -> date:
    try:
        at = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
        # The ends of the calendar have no day before or after them.
        return at.replace(year=at.year if 1000 <= at.year < 9000 else 0)
    except ValueError:
        examples = "an ISO date such as 2026-11-21, or a time such as 2026-11-21T06:00"
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not {examples}") from None
