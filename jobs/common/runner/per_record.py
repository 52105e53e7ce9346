"""A job with one answer per record: each output goes to save() as soon as its answer is in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from common import times
from common.claude.answers import foreign_ids, outputs_per_record
from common.claude.request import Request
from common.context import Context
from common.delivery.deliver import Window, collect, deliver
from common.delivery.loop import Exchange
from common.delivery.triage import Used
from common.job import Origin
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.records.days import report_zone
from common.source.sqlite_source import Record

_EVER = ("0001-01-01 00:00:00", "9999-12-31 23:59:59")


def run(context: Context, exchange: Exchange) -> None:
    """Send every record that waits. Raises JobExit where the run has to end before that."""

    def use(answered: list[tuple[Request, dict[str, Any]]]) -> list[Used]:
        return _save(context, answered)

    if context.job.tables:
        context.source.create(context.job.tables)
    processing = collect(context, exchange, lambda: records_of(context), use)
    deliver(context, exchange, [Window("", lambda: records_of(context))], use)
    if processing:
        raise processing


def records_of(context: Context) -> Iterator[Record]:
    """The records of the SELECT, in the window that the options name."""
    return context.source.select(context.job.select, _window(context))


def _window(context: Context) -> Mapping[str, str]:
    """`:start` and `:end`: --since and --until; without them, all of time. A date stands for its whole day."""
    if not context.job.has_window:
        return {}
    _, zone = report_zone(context)

    def at(given: date, *, end: bool) -> str:
        try:
            if not isinstance(given, datetime):
                given = datetime.combine(given + timedelta(days=end), time())
            return times.sql_time(given if given.tzinfo else given.replace(tzinfo=zone))
        except OverflowError:  # in another zone the calendar ends a few hours apart
            return _EVER[given.year > 1]

    since, until = context.options.since, context.options.until
    start = at(since, end=False) if since else _EVER[0]
    end = at(until, end=True) if until else _EVER[1]
    if start >= end:
        window = f"the window from {start} up to {end} (UTC) is empty"
        raise JobExit(exits.USAGE, f"{window}: --since must come before --until")
    return {"start": start, "end": end}


def _save(context: Context, answered: list[tuple[Request, dict[str, Any]]]) -> list[Used]:
    """Validate the answers and save their outputs, all in one transaction of the source database."""
    job, read = context.job, []
    for request, message in answered:
        read.append(outputs_per_record(job, message, request.record_ids))
        if foreign := foreign_ids(message, request.asked_ids or request.record_ids):
            log.warning(
                "%s: %d results about records that were not asked for: dropped",
                request.label,
                foreign,
            )

    def save() -> None:
        for (request, message), (outputs, _) in zip(answered, read, strict=True):
            # A message batch's answers are saved by another run than the one that asked.
            origin = Origin(str(message.get("model")), request.request_id.rpartition("-")[0])
            more = (origin,) if job.save_wants_origin else ()
            for record in request.records:
                if (output := outputs.get(record["record_id"])) is not None:
                    job.save(context.source.connection, record, output, *more)

    if any(outputs for outputs, _ in read):
        context.source.write(save)
    return [
        Used({record_id: output.model_dump_json() for record_id, output in outputs.items()}, faults)
        for outputs, faults in read
    ]
