"""A job with one answer per record: each output goes to save() as soon as its answer is in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from common import times
from common.answers import foreign_ids, outputs_per_record
from common.context import Context
from common.database import Record
from common.exchange import Exchange
from common.log import log
from common.replay import replay
from common.request import Request
from common.selection import chunks, take_up
from common.verdicts import Used
from common.windows import report_zone

_EVER = ("0001-01-01 00:00:00", "9999-12-31 23:59:59")


def run(context: Context, exchange: Exchange) -> None:
    """Send every record that waits. Raises JobExit where the run has to end before that."""

    def use(answered: list[tuple[Request, dict[str, Any]]]) -> list[Used]:
        return _save(context, answered)

    def find(record_ids: set[str]) -> dict[str, Record]:
        return {r["record_id"]: r for r in records_of(context) if r["record_id"] in record_ids}

    if context.job.tables:
        context.source.create(context.job.tables)
    replay(context, use, find)
    taken = take_up(context, records_of(context))
    if taken:
        log.info("%d records to send", len(taken))
        exchange.ask(chunks(context, taken), use)


def records_of(context: Context) -> Iterator[Record]:
    """The records of the SELECT, in the window that the options name."""
    return context.source.select(context.job.select, _window(context))


def _window(context: Context) -> Mapping[str, str]:
    """`:start` and `:end`: --since and --until; without them, all of time. A date stands for its whole day."""
    if not context.job.has_window:
        return {}
    _, zone = report_zone(context)

    def at(given: date, *, end: bool) -> str:
        if not isinstance(given, datetime):
            given = datetime.combine(given + timedelta(days=end), time())
        return times.sql_time(given if given.tzinfo else given.replace(tzinfo=zone))

    since, until = context.options.since, context.options.until
    return {
        "start": at(since, end=False) if since else _EVER[0],
        "end": at(until, end=True) if until else _EVER[1],
    }


def _save(context: Context, answered: list[tuple[Request, dict[str, Any]]]) -> list[Used]:
    """Validate the answers and save their outputs, all in one transaction of the source database."""
    job, read = context.job, []
    for request, message in answered:
        read.append(outputs_per_record(job, message, request.record_ids))
        if foreign := foreign_ids(message, request.record_ids):
            log.warning(
                "%s: %d results about records that were not asked for: dropped",
                request.label,
                foreign,
            )

    def save() -> None:
        for (request, _), (outputs, _) in zip(answered, read, strict=True):
            for record in request.records:
                if (output := outputs.get(record["record_id"])) is not None:
                    job.save(context.source.connection, record, output)

    if any(outputs for outputs, _ in read):
        context.source.write(save)
    return [
        Used({record_id: output.model_dump_json() for record_id, output in outputs.items()}, faults)
        for outputs, faults in read
    ]
