"""A job with one answer per record: save() gets each output once its answer is in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from common import times
from common.claude.answers import foreign_ids, outputs_per_record
from common.claude.request import Request
from common.context import Context
from common.delivery.deliver import Delivery, Group
from common.delivery.triage import Reading
from common.job import Origin, Record
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.records.days import report_zone
from common.records.left_out import tell

_BEGINNING, _END = "0001-01-01 00:00:00", "9999-12-31 23:59:59"


def run(context: Context, delivery: Delivery) -> None:
    """Send every record that waits. Raises JobExit where the run has to end before that."""

    def use(answered: list[tuple[Request, dict[str, Any]]]) -> list[Reading]:
        return _save(context, answered)

    if context.job.tables:
        context.source.create(context.job.tables)
    processing = delivery.collect(lambda: records_of(context), use)
    delivery.deliver([Group("", lambda: records_of(context))], use)
    if processing:
        raise processing


def records_of(context: Context) -> Iterator[Record]:
    """The records of the SELECT, in the window that the options name."""
    rows = 0
    for record in context.source.select(context.job.select, _bounds(context)):
        rows += 1
        yield record
    tell(context, rows)


def _bounds(context: Context) -> Mapping[str, str]:
    """`:start` and `:end` from --since and --until; all of time without them.

    A date stands for its whole day.
    """
    if not context.job.has_window:
        return {}
    _, zone = report_zone(context.settings)

    def at(bound: date, *, end: bool) -> str:
        try:
            if not isinstance(bound, datetime):
                bound = datetime.combine(bound + timedelta(days=end), time())
            return times.sql_time(bound if bound.tzinfo else bound.replace(tzinfo=zone))
        except OverflowError:  # in another zone the calendar ends a few hours apart
            return _END if bound.year > 1 else _BEGINNING

    since, until = context.options.since, context.options.until
    start = at(since, end=False) if since else _BEGINNING
    end = at(until, end=True) if until else _END
    if start >= end:
        window = f"the window from {start} up to {end} (UTC) is empty"
        raise JobExit(exits.USAGE, f"{window}: --since must come before --until")
    return {"start": start, "end": end}


def _save(context: Context, answered: list[tuple[Request, dict[str, Any]]]) -> list[Reading]:
    """Validate the answers and save their outputs, in one transaction of the source database."""
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
            origin = Origin(str(message.get("model")), request.run_id)
            more = (origin,) if job.save_wants_origin else ()
            for record in request.records:
                if (output := outputs.get(record["record_id"])) is not None:
                    job.save(context.source.connection, record, output, *more)

    if any(outputs for outputs, _ in read):
        context.source.write(save)
    return [
        Reading(
            {record_id: output.model_dump_json() for record_id, output in outputs.items()}, faults
        )
        for outputs, faults in read
    ]
