"""A day's report from its digests: gather, merge, count, quote, write."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from common import times
from common.claude.answers import output_of_chunk
from common.claude.message import stored_message
from common.context import Context
from common.delivery.loop import Loop
from common.ledger.reported.stored_reports import StoredEntry, StoredReport
from common.ledger.states import RecordStatus
from common.process.log import log
from common.process.words import counted
from common.publish.page_facts import SO_FAR, facts_in
from common.records.days import LOOKED_BACK, Survey, records_of, time_of
from common.records.selection import is_stale, with_state
from common.report import digests, merge
from common.report.day_report import DayReport, Footer, Report, Unread
from common.report.digests import Group
from common.report.trend.earlier_themes import headings_of, with_ids
from common.report.evidence import sections_with_evidence
from common.report.put_down import put_down, so_far_at
from common.report.trend.trends import past_of
from common.times import Day

_WEEKS = 4  # whose same weekday a day is compared with


@dataclass
class Found:
    """What the digests of a day say, and what of it could not be used."""

    groups: list[Group] = field(default_factory=list)
    ids_removed: int = 0
    findings_removed: int = 0
    unspoken: int = 0  # records of chunks whose every finding was removed


@dataclass
class Gathered:
    """What one pass over a day's records found."""

    records: int = 0
    by_hour: Counter[tuple[int, int]] = field(default_factory=Counter)
    digested: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unread: list[Unread] = field(default_factory=list)
    waiting: int = 0
    stale: int = 0  # digested by an older version, where --stale asks for these

    @property
    def made_from(self) -> str:
        """A hash that changes whenever the report has to."""
        parts = [self.records, sorted(self.digested), sorted(one.record_id for one in self.unread)]
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def compose(context: Context, loop: Loop, day: Day, zone_name: str, found: Survey) -> bool:
    """Write a day's report unless it is up to date; False where a record of the day still waits.

    With --stale it is not written before all of the day is brought up to date.
    """
    gathered = _gather(context, day)
    if gathered.waiting:
        waiting = f"{gathered.waiting} of {gathered.records}"
        log.info("%s: %s records wait: the report is written when all are digested", day, waiting)
        return False
    if gathered.stale:
        stale = f"{gathered.stale} of {gathered.records} records are still by an older version"
        log.info("%s: %s: the report is written again when none is", day, stale)
        return True
    until = so_far_at(context, day)
    before = context.runs.reported_days().get(str(day))
    path = context.settings.reports / f"{day}{SO_FAR if until else ''}.md"
    past = past_of(context, day)
    is_same = not until and before == gathered.made_from
    is_written = is_same and path.exists()
    if is_written and past.own:
        log.info("%s: the report is up to date: %s", day, path)
        return True
    digested = _findings(context, gathered)
    if digested is None:
        if is_written:
            log.info("%s: the report is up to date: %s", day, path)
        else:
            _say_pruned(context, day, path)
        return True
    earlier = headings_of(past.reports)
    merged = merge.merge(
        context, loop, str(day), gathered.records, digested.groups, earlier, written=is_same
    )
    traced = merged.traced
    if not merged.missing:
        merged.groups = with_ids(merged.groups, str(day), gathered.made_from, past.own)
        traced |= is_same and past.own is not None and past.own.traced
    if digested.findings_removed:
        _say_removed(context, day, gathered, digested)
        if not digested.groups:
            findings = counted(digested.findings_removed, "finding")
            merged.missing = f"none of {findings} names a record that was sent"
    requests = [*gathered.digested, *merged.request_ids]
    report = DayReport(
        title=context.job.name.replace("_", " ").capitalize(),
        day=day.date,
        timezone=zone_name,
        records=gathered.records,
        by_hour=_by_hour(day, gathered),
        previous=_previous(day, found),
        same_weekday=_same_weekday(context, day, found),
        link=context.job.link,
        summary=merged.summary,
        summary_missing=merged.missing,
        sections=sections_with_evidence(context, day, merged.groups, past if traced else None),
        unread=tuple(gathered.unread),
        ids_removed=digested.ids_removed,
        findings_removed=digested.findings_removed,
        undated=found.undated,
        footer=_footer(context, requests),
        until=until,
    )
    stored = as_stored(context, report, gathered.made_from, merged.groups, traced=traced)
    put_down(context, report, merged.request_ids, stored)
    return True


def compose_empty(context: Context, day: Day, zone_name: str, found: Survey) -> None:
    """Write the page of a day without records. One that tells of records stays as it is: whoever
    has removed them from the database since has not removed what they said.
    """
    path = context.settings.reports / f"{day}.md"
    own = past_of(context, day).own
    # An older version has stored nothing of a day that its page says is empty.
    if path.exists() and (own or not _says_no_records(path.with_suffix(".html"))):
        return
    newest = f"; the newest there is: {times.stamp(found.newest)}" if found.newest else ""
    report = DayReport(
        title=context.job.name.replace("_", " ").capitalize(),
        day=day.date,
        timezone=zone_name,
        records=0,
        by_hour=_by_hour(day, Gathered()),
        previous=_previous(day, found),
        same_weekday=_same_weekday(context, day, found),
        summary="",
        summary_missing=f"the day has no records{newest}",
        sections=(),
        unread=(),
        ids_removed=0,
        undated=found.undated,
        footer=_footer(context, []),
        until=so_far_at(context, day),
    )
    put_down(context, report, [], own or as_stored(context, report))


def _says_no_records(page: Path) -> bool:
    head = page.read_text("utf-8", "replace") if page.exists() else ""
    facts = facts_in(head)
    return facts is not None and facts.records == 0


def as_stored(
    context: Context,
    report: Report,
    made_from: str = "",
    groups: Sequence[Group] = (),
    *,
    traced: bool = False,
) -> StoredReport:
    """A report as the ledger keeps it."""
    footer = report.footer
    return StoredReport(
        window=report.period,
        records=report.records,
        summary=report.summary,
        made_from=made_from,
        entries=tuple(
            StoredEntry(
                section=section,
                title=group.title,
                detail=group.detail,
                urgency=group.urgency,
                record_ids=tuple(sorted(group.record_ids)),
                theme=group.theme,
            )
            for section in digests.sections_of_a_morning(context.job.output)
            for group in digests.in_order(section, groups)
        ),
        traced=traced,
        unread=len(report.unread) if isinstance(report, DayReport) else 0,
        requests=footer.requests,
        input_tokens=footer.input_tokens,
        output_tokens=footer.output_tokens,
        usd=footer.usd,
    )


def _gather(context: Context, day: Day) -> Gathered:
    gathered = Gathered()
    for record, state in with_state(context.ledger, records_of(context, day)):
        gathered.records += 1
        if at := time_of(context, record):
            gathered.by_hour[times.hour_of(at, day.zone)] += 1
        gathered.stale += is_stale(context, state)
        if state is not None and state.status is RecordStatus.DONE:
            gathered.digested[state.request_id].add(state.record_id)
        elif state is not None and state.status is RecordStatus.DEAD:
            gathered.unread.append(Unread(state.record_id, state.error))
        else:
            gathered.waiting += 1
    return gathered


def _say_pruned(context: Context, day: Day, path: Path) -> None:
    """Say that a digest of the day is gone: the report that is there stays as it is."""
    stays = "the report that is there stays as it is" if path.exists() else "no report is written"
    again = f"--date {day} --reprocess digests the whole day again"
    gone = "answers of this day were pruned or cannot be read"
    context.tally.lack(f"{day}: {gone}: {stays}; {again}")


def _say_removed(context: Context, day: Day, gathered: Gathered, found: Found) -> None:
    """Say that findings were removed. The report lacks something where a whole chunk's were."""
    removed = f"{counted(found.findings_removed, 'finding')} removed, which name no record sent"
    if not found.unspoken:
        log.warning("%s: %s (%d unknown ids)", day, removed, found.ids_removed)
        return
    silent = f"nothing is said of {found.unspoken:,} of {counted(gathered.records, 'record')}"
    again = f"--date {day} --reprocess digests the day again"
    what = f"{day}: {removed} ({found.ids_removed:,} unknown ids): {silent}: {again}"
    log.warning("%s", what)
    context.tally.lack(what)


def _findings(context: Context, gathered: Gathered) -> Found | None:
    """What the day's digests say; None where one of them is gone."""
    found = Found()
    for request_id, owned in gathered.digested.items():
        sent = context.ledger.request(request_id)
        if sent is None or not sent.answer:
            return None
        digest, _ = output_of_chunk(context.job.output, stored_message(sent.answer))
        if digest is None:
            return None
        groups, foreign = digests.groups_of(digest, sent.record_ids, owned)
        removed = digests.discarded(digest, sent.record_ids)
        found.groups += groups
        found.ids_removed += foreign
        found.findings_removed += removed
        found.unspoken += len(owned) if removed and not groups else 0
    return found


def _by_hour(day: Day, gathered: Gathered) -> tuple[tuple[str, int], ...]:
    return tuple((f"{hour[0]:02}", gathered.by_hour[hour]) for hour in day.hours())


def _previous(day: Day, found: Survey) -> tuple[tuple[date, int], ...]:
    """The counts of the days before, without those before the first record there is."""
    dates = [day.date - timedelta(days=n) for n in range(LOOKED_BACK, 0, -1)]
    counted = [(one, found.records[one]) for one in dates]
    while counted and not counted[0][1]:
        counted.pop(0)
    return tuple(counted)


def _same_weekday(context: Context, day: Day, found: Survey) -> tuple[tuple[date, int], ...]:
    """The counts of this weekday in the weeks before, as far as their reports have told them.

    That of the last week is known without a report, if there were records before it or on it.
    """
    known = context.runs.reported_records()
    counted = dict(_previous(day, found))
    dates = [day.date - timedelta(weeks=n) for n in range(_WEEKS, 0, -1)]
    counts = [(one, known.get(str(one), counted.get(one))) for one in dates]
    return tuple((one, count) for one, count in counts if count is not None)


def _footer(context: Context, request_ids: list[str]) -> Footer:
    sums: dict[str, Any] = context.runs.totals(request_ids)
    return Footer(model=context.model, run_id=context.run_id, demo=context.options.demo, **sums)
