"""A week's report from the stored reports of its days: unite, merge, compare, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from common import times
from common.context import Context
from common.delivery.loop import Loop
from common.ledger.reported.stored_reports import StoredReport, stored_reports
from common.records.days import report_zone
from common.report import digests, merge
from common.report.compose import as_stored
from common.report.day_report import Footer, Section
from common.report.digests import Group
from common.report.put_down import put_down
from common.report.trend import earlier_themes
from common.weeks import course, week_phrases
from common.weeks.days_reported import Reported, commands, has_lost_days, made_from
from common.weeks.finished_weeks import weeks_named
from common.weeks.iso_week import Week
from common.weeks.week_before import WeekBefore
from common.weeks.week_report import DayOfWeek, WeekEntry, WeekReport


@dataclass(frozen=True)
class WeekToWrite:
    """A week whose report is to be written, and what it is made from."""

    week: Week
    days: tuple[DayOfWeek, ...]
    reported: Reported  # also of the week before
    made_from: str
    written: StoredReport | None  # what its report says until now
    report_before: StoredReport | None  # of the week before
    sections: list[str]
    findings: list[Group]

    @property
    def records(self) -> int:
        """The records of its days."""
        return sum(day.records or 0 for day in self.days)

    @property
    def headings(self) -> list[earlier_themes.Heading]:
        """The themes of the week before, which travel with the merge."""
        return earlier_themes.headings_of([self.report_before] if self.report_before else [])


def week_to_write(context: Context, week: Week, reported: Reported) -> WeekToWrite | str:
    """What a week's report is made from; or why none is written, in a line for the log.

    `reported` has the days of the week before, too.
    """
    days = _days(context, week, reported)
    other, path = context.job.reports_of, context.settings.reports / f"{week}.md"
    if not any(day in reported for day in week.days):
        how = "; ".join(commands(context, [day.day for day in days if day.is_over]))
        return f"{other} has stored no report of its days: {how}"
    made, before = made_from(reported, week), context.runs.reported_days().get(str(week), "")
    if before == made and (path.exists() or not weeks_named(context)):
        return f"the report is up to date: {path}"
    if has_lost_days(before, made) and path.exists():
        return "stored reports of its days were pruned: the report that is there stays as it is"
    sections = digests.sections_of_a_morning(context.job.output)
    return WeekToWrite(
        week=week,
        days=days,
        reported=reported,
        made_from=made,
        written=_stored(context, week),
        report_before=_stored(context, week.plus(-1)),
        sections=sections,
        findings=course.findings_of(week, reported, sections),
    )


def compose_week(context: Context, loop: Loop, one: WeekToWrite, zone_name: str) -> None:
    """Write a week's report. Raises NotSaved as put_down does, and JobExit where the run has to end
    before that.
    """
    merged = merge.merge(context, loop, str(one.week), one.records, one.findings, one.headings)
    groups = merged.groups
    if not merged.missing:
        groups = earlier_themes.with_ids(groups, str(one.week), one.made_from, one.written)
    before = WeekBefore(one.week, one.reported, one.report_before if merged.traced else None)
    missing = [day for day in one.days if day.records is None and day.is_over]
    report = WeekReport(
        title=context.job.name.replace("_", " ").capitalize(),
        week=one.week,
        timezone=zone_name,
        records=one.records,
        days=one.days,
        before=tuple(before.counts),
        summary=merged.summary,
        summary_missing=merged.missing,
        sections=tuple(_section(name, groups, one, before) for name in one.sections),
        commands=tuple(commands(context, [day.day for day in missing])),
        lacks=week_phrases.without(missing),
        footer=_footer(context, merged.request_ids),
    )
    stored = as_stored(context, report, one.made_from, groups, traced=merged.traced)
    put_down(context, report, merged.request_ids, stored)


def _section(name: str, groups: Sequence[Group], one: WeekToWrite, before: WeekBefore) -> Section:
    days = course.ids_by_day(one.week, one.reported)
    found: list[WeekEntry] = []
    for group in digests.in_order(name, [*groups]):
        went = course.course_of(group, one.week, days)
        if digests.is_theme(name) and before.is_known:
            went = course.compared(went, before.records_of(group), before.days)
        entry = WeekEntry(
            title=group.title,
            detail=group.detail,
            records=len(group.record_ids),
            quotes=(),
            urgency=group.urgency,
            course=went,
            went_on=course.went_on(group, groups, one.week, days),
        )
        found.append(entry)
    gone = before.gone(name, groups) if before.is_known else ()
    found.sort(key=course.place_by_trend)
    return Section(name, tuple(found), gone)


def _days(context: Context, week: Week, reported: Reported) -> tuple[DayOfWeek, ...]:
    today = times.day_of(context.clock.utc_now(), report_zone(context.settings)[1]).date
    return tuple(_day(context, day, reported.get(day), is_over=day < today) for day in week.days)


def _day(context: Context, day: date, report: StoredReport | None, *, is_over: bool) -> DayOfWeek:
    if report is None:
        return DayOfWeek(day=day, is_over=is_over)
    there = context.settings.reports.parent / context.job.reports_of / f"{day}.html"
    return DayOfWeek(
        day=day,
        records=report.records,
        requests=report.requests,
        usd=report.usd,
        page=f"../{context.job.reports_of}/{there.name}" if there.exists() else "",
    )


def _stored(context: Context, week: Week) -> StoredReport | None:
    """What the stored report of a week says; None where there is none."""
    db, job = context.ledger.database.db, context.job.name
    return next(iter(stored_reports(db, job, str(week), str(week))), None)


def _footer(context: Context, request_ids: list[str]) -> Footer:
    sums: dict[str, Any] = context.runs.totals(request_ids)
    return Footer(model=context.model, run_id=context.run_id, demo=context.options.demo, **sums)
