"""A job with one report per day: digest its records in chunks, then write it from the digests.

The digests stay in the ledger. A record that arrives late is digested alone, and the report is
written again from all of them; a run that died half way goes on where it stood.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from common import times
from common.claude.answers import output_of_chunk
from common.claude.faults import Kind
from common.claude.request import Request
from common.context import Context
from common.delivery.deliver import Delivery, Group
from common.delivery.loop import Use
from common.delivery.triage import Reading
from common.job_code import VALIDATOR
from common.process.files import sweep
from common.process.log import log
from common.publish import outbox, reports_index
from common.records.days import (
    Survey,
    days,
    days_named,
    in_order,
    none_found,
    records_of,
    report_zone,
    survey,
)
from common.times import Day

if TYPE_CHECKING:
    from common.report.put_down import NotSaved


def run(context: Context, delivery: Delivery) -> None:
    """Bring every day's report up to date. Raises JobExit where the run has to end before that."""
    zone_name, zone = report_zone(context.settings)

    def use(answered: list[tuple[Request, dict[str, Any]]]) -> list[Reading]:
        return [_digested(context, request, message) for request, message in answered]

    sweep(context.settings.reports)  # under the job's lock: nobody writes there now
    # A digest is checked by its ids alone.
    delivery.collect(context.ledger.answered_records, use)
    looked_at = days(context, zone, context.clock.utc_now())
    found = survey(context, looked_at) if looked_at else Survey()
    chosen = in_order(context, looked_at, found)
    groups = [_group(context, day) for day in chosen if found.wanted[day.date]]
    reported = context.runs.reported_days()
    for day in chosen:
        if found.wanted[day.date] and (reported.get(str(day)) or found.stale[day.date]):
            # The report lacks what comes now: until it is written again, it counts as not written.
            # One that is out of the days' order is noted before a later day could hide it.
            _note(context, day)
    if delivery.all_at_once:
        delivery.deliver(groups, use)
    context.expect(sum(found.wanted[day.date] for day in chosen))
    try:
        not_saved = _reports(context, delivery, use, found, chosen, zone_name)
    finally:
        publish(context)
    if looked_at and not any(found.records[day.date] for day in looked_at):
        context.tally.newest = times.stamp(found.newest) if found.newest else ""
        log.info("%s", none_found(looked_at, zone_name, found))
    for end in not_saved[1:]:
        log.error("%s", end.message)
    if not_saved:
        raise not_saved[0]
    if delivery.held:
        raise delivery.held


def _reports(
    context: Context,
    delivery: Delivery,
    use: Use,
    found: Survey,
    looked_at: list[Day],
    zone_name: str,
) -> list[NotSaved]:
    """Bring each day's report up to date; returns why some could not be saved."""
    not_saved: list[NotSaved] = []
    waiting = False  # an earlier day: a later one noted as reported would hide it from the next run
    for day in looked_at:
        made_from = context.runs.reported_days().get(str(day))
        if not found.records[day.date]:
            if days_named(context) or (made_from is None and not waiting):
                log.info("%s: no records", day)
                not_saved += _empty(context, day, zone_name, found)
            continue
        if found.wanted[day.date] and not delivery.all_at_once:
            delivery.deliver([_group(context, day)], use)
        if found.wanted[day.date] or days_named(context) or not made_from:
            from common.report.compose import compose
            from common.report.put_down import NotSaved

            try:
                waiting |= not compose(context, delivery.loop, day, zone_name, found)
            except NotSaved as error:
                not_saved.append(error)
                _note(context, day, "given up" if error.given_up else "")
    return not_saved


def _empty(context: Context, day: Day, zone_name: str, found: Survey) -> list[NotSaved]:
    """Write the page of a day without records; why it could not be saved, if it could not."""
    from common.report.compose import compose_empty
    from common.report.put_down import NotSaved

    try:
        compose_empty(context, day, zone_name, found)
    except NotSaved as error:
        return [error]
    finally:
        _note(context, day)
    return []


def publish(context: Context) -> None:
    """Bring the list of all reports up to date, and send what announces them, also where a run
    before this one had no time to.
    """
    reports_index.bring_up_to_date(
        context.settings.reports.parent, context.job.name, wrote=bool(context.tally.files)
    )
    outbox.send(context.settings, context.runs.reported_days(), context.stop)


def _group(context: Context, day: Day) -> Group:
    return Group(str(day), lambda: records_of(context, day))


def _digested(context: Context, request: Request, message: dict[str, Any]) -> Reading:
    with context.code.at_work(VALIDATOR, request.record_ids):
        output, fault = output_of_chunk(context.job.output, message)
    if output is None and fault:
        if fault.kind is Kind.CODE:  # a validator failed for the chunk, and for no one record
            fault = replace(fault, kind=Kind.UNUSABLE)
        return Reading({}, dict.fromkeys(request.record_ids, fault))
    # The output stands in the request's answer, whole: it is about the chunk.
    return Reading(dict.fromkeys(request.record_ids), {})


def _note(context: Context, day: Day, made_from: str = "") -> None:
    """A day that was looked at, and has no report that holds all of it. One that is not over is
    looked at again in any case.
    """
    if context.options.today:
        return
    with context.ledger.transaction():
        context.runs.set_reported(str(day), 0, made_from)
