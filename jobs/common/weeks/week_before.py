"""The themes of the week before: what each of this week's themes is compared with.

They are those of that week's report, whose headings travel with the merge. Where there is no such
report, they are those of its days: a theme has the same id from day to day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from common.ledger.reported.stored_reports import StoredReport
from common.report.day_report import Gone
from common.report.digests import Group
from common.weeks.course import themes_of
from common.weeks.days_reported import Reported
from common.weeks.iso_week import Week


_FEW = 3  # records of a theme whose end is worth a word


@dataclass(frozen=True)
class _Theme:
    section: str
    title: str
    record_ids: frozenset[str]


class WeekBefore:
    """What is known of the week before."""

    def __init__(self, week: Week, reported: Reported, report: StoredReport | None) -> None:
        """`report`: that of the week before, whose themes this week's go on with; None where these
        go on with those of its days alone.
        """
        self._week = week
        self._reported = reported
        self._report = report
        self.counts = [
            reported[day].records if day in reported else None for day in week.plus(-1).days
        ]
        self.days = sum(count is not None for count in self.counts)
        entries = [
            entry
            for one in ([report] if report else self._reports_of_days())
            for entry in one.entries
            if entry.theme
        ]
        self._themes: dict[str, _Theme] = {}
        for entry in entries:
            ids = frozenset(entry.record_ids)
            if known := self._themes.get(entry.theme):
                ids |= known.record_ids
            self._themes[entry.theme] = _Theme(entry.section, entry.title, ids)

    @property
    def is_known(self) -> bool:
        """Whether there is enough to compare with: half of the days that this week has, or more."""
        days = sum(day in self._reported for day in self._week.days)
        return 2 * self.days >= days and bool(self._themes)

    def records_of(self, group: Group) -> int:
        """How many records of the week before show a theme of this week."""
        shown = (self._themes[theme].record_ids for theme in self._continued(group))
        return len(frozenset[str]().union(*shown))

    def gone(self, section: str, groups: Iterable[Group]) -> tuple[Gone, ...]:
        """The themes of a section that none of these goes on with, the heaviest first, without
        those of a record or two.
        """
        left = dict(self._themes)
        for group in groups:
            for theme in self._continued(group):
                left.pop(theme, None)
        found = [
            one for one in left.values() if one.section == section and len(one.record_ids) >= _FEW
        ]
        found.sort(key=lambda one: (-len(one.record_ids), one.title))
        seen = self._week.plus(-1).sunday
        return tuple(Gone(one.title, len(one.record_ids), seen) for one in found)

    def _continued(self, group: Group) -> set[str]:
        """The themes of the week before that a theme of this week goes on with."""
        found = {group.theme} if self._report else themes_of(group, self._week, self._reported)
        return found & self._themes.keys()

    def _reports_of_days(self) -> list[StoredReport]:
        return [self._reported[day] for day in self._week.plus(-1).days if day in self._reported]
