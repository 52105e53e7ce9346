"""What the code computes about a week: the findings of its days, and how each went on. Pure
functions over stored reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import count
from math import sqrt

from common.ledger.reported.stored_reports import StoredEntry
from common.report.digests import Group, most_urgent
from common.report.phrases import ACTION_ITEMS, NO_SHARE
from common.weeks.days_reported import Reported
from common.weeks.iso_week import Week
from common.weeks.week_report import Course, WeekEntry, WentOn


def findings_of(week: Week, reported: Reported, sections: Sequence[str]) -> list[Group]:
    """The findings of the week's days, for a merge. Those of one theme are one: it is called as on
    its last day, and says what each day said.
    """
    ids = count()
    found: dict[tuple[str, str | int], list[tuple[date, StoredEntry]]] = {}
    for day in week.days:
        for entry in reported[day].entries if day in reported else ():
            if entry.section in sections:
                key = (entry.section, entry.theme or next(ids))
                found.setdefault(key, []).append((day, entry))
    return [_as_one(section, entries) for (section, _), entries in found.items()]


def _as_one(section: str, entries: list[tuple[date, StoredEntry]]) -> Group:
    last = entries[-1][1]
    detail = last.detail
    if len(entries) > 1:
        detail = " ".join(f"{day:%A}: {entry.detail}" for day, entry in entries)
    return Group(
        section,
        last.title,
        detail,
        frozenset(record_id for _, entry in entries for record_id in entry.record_ids),
        most_urgent(entry.urgency for _, entry in entries),
        frozenset(day for day, _ in entries),
    )


def ids_by_day(week: Week, reported: Reported) -> list[set[str] | None]:
    """The ids of the records that each day's report names; None for a day without one."""
    return [
        {one for entry in reported[day].entries for one in entry.record_ids}
        if day in reported
        else None
        for day in week.days
    ]


def course_of(group: Group, week: Week, days: Sequence[set[str] | None]) -> Course:
    """How a finding went on through the week: the records that show it, on each day."""
    shown = [
        None if ids is None else tuple(sorted(group.record_ids & ids, key=_by_number))
        for ids in days
    ]
    return Course(
        by_day=tuple(None if ids is None else len(ids) for ids in shown),
        record_ids=tuple(ids or () for ids in shown),
        first=min(group.days, default=week.monday),
    )


def compared(one: Course, before: int, days_before: int) -> Course:
    """The same, compared with the week before: how many records showed it then, on how many days
    with a report. A week that lacks some is compared as if it had as many as the other.
    """
    known = [count for count in one.by_day if count is not None]
    expected = before * len(known) / max(1, days_before)
    # As of a day: away by what comes by chance, by a quarter, and by three records.
    far = max(2 * sqrt(expected * (1 + len(known) / max(1, days_before))), expected / 4, 3)
    change = "usual"
    if not before:
        change = "new"
    elif abs(sum(known) - expected) >= far:
        change = "up" if sum(known) > expected else "down"
    return replace(one, change=change, before=before)


def place_by_trend(entry: WeekEntry) -> int:
    """Where a theme stands in its section: what is new or grows comes first, then what stays, then
    what shrinks. Entries of one place keep their order.
    """
    return {"new": 0, "up": 0, "down": 2}.get(entry.course.change, 1)


def themes_of(group: Group, week: Week, reported: Reported) -> set[str]:
    """The themes of the days' reports that a theme of the week unites."""
    return {
        entry.theme
        for day in week.days
        if day in reported
        for entry in reported[day].entries
        if entry.theme
        and entry.section == group.section
        and group.record_ids.issuperset(entry.record_ids)
    }


def went_on(
    action: Group, others: Iterable[Group], week: Week, days: Sequence[set[str] | None]
) -> WentOn | None:
    """What became of an action's theme after the first day whose report named the action.

    Its theme is the one that shares the most records with it. None where no theme does, or where no
    later day has a report.
    """
    themes = [one for one in others if one.section not in NO_SHARE]
    shared = [(len(action.record_ids & theme.record_ids), theme) for theme in themes]
    most, theme = max(
        shared, key=lambda one: (one[0], -len(one[1].record_ids)), default=(0, action)
    )
    first = week.days.index(min(action.days)) if action.days else 6
    later = [ids for ids in days[first + 1 :] if ids is not None]
    if action.section != ACTION_ITEMS or not most or not later:
        return None
    records = sum(len(theme.record_ids & ids) for ids in later)
    return WentOn(theme=theme.title, records=records, days=len(later))


def mean(counts: Iterable[int | None]) -> float | None:
    """The mean of the days that are known; None where none is."""
    known = [one for one in counts if one is not None]
    return sum(known) / len(known) if known else None


def _by_number(record_id: str) -> tuple[int, str]:
    return len(record_id), record_id
