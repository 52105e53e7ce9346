"""The findings of a day as the report shows them, each with all of its records."""

from __future__ import annotations

from copy import copy

from common.claude.code_faults import CodeError
from common.context import Context
from common.job import Record
from common.process.log import brief, log
from common.records.days import records_of, time_of
from common.records.preparing import SHOW
from common.report import digests
from common.report.day_report import Entry, Quote, Section
from common.report.digests import Group
from common.report.trend.trends import Past
from common.times import Day


def sections_with_evidence(
    context: Context, day: Day, groups: list[Group], past: Past | None
) -> tuple[Section, ...]:
    """The groups in the order of a morning, with the quotes of all their records.

    `past`: what their themes are compared with, None for nothing. The quotes are fetched in one
    pass over the day. A record that the source no longer has is counted, and not quoted.
    """
    wanted = frozenset[str]().union(*(group.record_ids for group in groups))
    quotes: dict[str, Quote] = {}
    for record in records_of(context, day):
        if (record_id := record["record_id"]) in wanted:
            at = (time_of(context, record) or day.start).astimezone(day.zone)
            quotes[record_id] = Quote(record_id, at, _shown(context, record))
    here = {group.theme for group in groups}
    return tuple(
        Section(
            name,
            tuple(_entry(group, quotes, past) for group in digests.in_order(name, groups)),
            past.gone(name, here) if past else (),
        )
        for name in digests.sections_of_a_morning(context.job.output)
    )


def _entry(group: Group, quotes: dict[str, Quote], past: Past | None) -> Entry:
    found = [quotes[record_id] for record_id in group.record_ids if record_id in quotes]
    found.sort(key=lambda quote: (quote.at, len(quote.record_id), quote.record_id))
    count = len(group.record_ids)
    trend = past.trend(group) if past else None
    return Entry(group.title, group.detail, count, tuple(found), group.urgency, trend)


def _shown(context: Context, record: Record) -> str:
    """A record's text, for a quote; "" where show() fails for it now, since it was digested."""
    record_id = record["record_id"]
    try:
        return str(context.code.call(SHOW, [record_id], context.job.show, copy(record)))
    except CodeError as error:
        log.warning("record %s is not quoted: %s", brief(record_id), error.fault.reason)
        return ""
