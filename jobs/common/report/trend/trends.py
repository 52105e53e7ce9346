"""How a day's themes stand against those of the seven days before, by the stored reports.

The model has said which theme goes on with which one; every number is computed here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import sqrt

from common.context import Context
from common.ledger.reported.stored_reports import StoredEntry, StoredReport, stored_reports
from common.records.days import LOOKED_BACK
from common.report.day_report import Gone, Trend
from common.report.digests import Group
from common.times import Day

# A theme is up or down where it is away from its mean by all of these: 1.6 times the deviation that
# records have which come by chance (Poisson: one time in nine it is more), a quarter of the mean,
# and three records.
_DEVIATIONS, _PART, _RECORDS = 1.6, 1 / 4, 3


@dataclass(frozen=True)
class Past:
    """What the ledger knows of the days before a day, and of the day itself.

    `reports`: of the days before, the oldest first. `own`: of the day, as it was reported until
    now. `is_over`: the day is; one so far has no less than usual, and nothing is gone.
    """

    day: date
    reports: list[StoredReport] = field(default_factory=list)
    own: StoredReport | None = None
    is_over: bool = True

    def trend(self, group: Group) -> Trend | None:
        """How a theme stands; None where nothing can be said."""
        if not group.theme:
            return None
        known = {one.window: one for one in self.reports if one.has_themes}
        before = [self.day - timedelta(days=n) for n in range(LOOKED_BACK, 0, -1)]
        began = group.theme[:10]
        is_new_there = began == str(self.day) or (began in known and known[began].traced)

        def count(day: str) -> int | None:
            if (one := known.get(day)) is None:
                return None
            found = _count(one, group.theme)
            # It was not there, or nobody has looked whether it was.
            return found if found or one.traced or (day < began and is_new_there) else None

        counts = tuple((one, count(str(one))) for one in before)
        if began == str(self.day):
            return Trend("new", 0.0, (), counts)
        # A day without records says nothing about a theme, and one before it began neither.
        usual = {
            one: count
            for one, count in counts
            if count is not None and str(one) >= began and known[str(one)].records
        }
        if not usual:
            return None
        kind = _kind(len(group.record_ids), [*usual.values()])
        if kind != "up" and not self.is_over:
            return None
        return Trend(kind, sum(usual.values()) / len(usual), tuple(usual), counts)

    def gone(self, section: str, here: Collection[str]) -> tuple[Gone, ...]:
        """The themes of the last day with records that are not among those of today, the heaviest
        first, without those of a record or two, which come and go.
        """
        told = [one for one in self.reports if one.records and one.has_themes]
        if not told or not self.is_over:
            return ()
        last, weights = told[-1], {}
        for entry in last.entries:
            if entry.section == section and entry.theme and entry.theme not in here:
                weights[entry.theme] = entry
        gone = [one for one in weights.values() if len(one.record_ids) >= _RECORDS]
        gone.sort(key=lambda entry: (-len(entry.record_ids), entry.title))
        seen = date.fromisoformat(last.window)
        return tuple(Gone(one.title, len(one.record_ids), seen) for one in gone)


def _kind(records: int, usual: list[int]) -> str:
    """Whether so many records are more or fewer than on these days, or about as usual."""
    mean = sum(usual) / len(usual)
    rate = (records + sum(usual)) / (1 + len(usual))  # if nothing has changed
    by_chance = _DEVIATIONS * sqrt(rate * (1 + 1 / len(usual)))
    if abs(records - mean) < max(by_chance, _PART * mean, _RECORDS):
        return "usual"
    return "up" if records > mean else "down"


def past_of(context: Context, day: Day) -> Past:
    """What the job's ledger knows of the days before a day, and of the day itself."""
    name, first = context.job.name, day.plus(-LOOKED_BACK)
    found = stored_reports(context.ledger.database.db, name, str(first), str(day))
    own = found.pop() if found and found[-1].window == str(day) else None
    return Past(day.date, found, own, is_over=not context.options.today)


def _count(report: StoredReport, theme: str) -> int:
    def records(entry: StoredEntry) -> int:
        return len(entry.record_ids)

    return sum(records(entry) for entry in report.entries if entry.theme == theme)
