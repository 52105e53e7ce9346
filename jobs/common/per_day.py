"""A job with one report per day: digest the day's records in chunks, then write the report from the digests.

The digests stay in the ledger. A record that arrives late is digested alone, and the report is written again from all
of them; a run that died half way goes on where it stood.
"""

from __future__ import annotations

from typing import Any

from common import times
from common.answers import output_of_chunk
from common.context import Context
from common.exchange import Exchange
from common.log import log
from common.replay import replay
from common.report.composing import compose
from common.request import Request
from common.selection import chunks, take_up
from common.times import Day
from common.verdicts import Used
from common.windows import days, days_named, records_of, report_zone, survey


def run(context: Context, exchange: Exchange) -> None:
    """Bring every day's report up to date. Raises JobExit where the run has to end before that."""
    zone_name, zone = report_zone(context)

    def use(answered: list[tuple[Request, dict[str, Any]]]) -> list[Used]:
        return [_digested(context, request, message) for request, message in answered]

    # A digest is checked by its ids alone.
    replay(context, use, lambda ids: {record_id: {"record_id": record_id} for record_id in ids})
    looked_at = days(context, zone, times.now())
    found = survey(context, looked_at) if looked_at else None
    for day in looked_at:
        assert found is not None
        known = str(day) in context.runs.windows()
        if not found.records[day.date]:
            if not known or days_named(context):
                _say_empty(context, day)
            continue
        if found.wanted[day.date]:
            taken = take_up(context, records_of(context, day))
            log.info("%s: %d of %d records to digest", day, len(taken), found.records[day.date])
            exchange.ask(chunks(context, taken), use)
        if found.wanted[day.date] or days_named(context) or not known:
            compose(context, exchange, day, zone_name, found)


def _digested(context: Context, request: Request, message: dict[str, Any]) -> Used:
    output, fault = output_of_chunk(context.job.output, message)
    if output is None and fault:
        return Used({}, dict.fromkeys(request.record_ids, fault))
    # The output stands in the request's answer, whole: it is about the chunk.
    return Used(dict.fromkeys(request.record_ids), {})


def _say_empty(context: Context, day: Day) -> None:
    log.info("%s: no records", day)
    with context.ledger.transaction():
        context.runs.set_window(str(day), 0, "")
