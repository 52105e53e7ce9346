"""Which days a report job looks at, and how many records of each wait.

By default: every finished day since the last one reported, seven at most; the very first run takes
the last finished day alone. Days that are reported already are looked at again for as long, since
records may arrive late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from common import times
from common.context import Context
from common.job import Record
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log, shortened
from common.records.selection import is_wanted, with_state
from common.settings import Settings
from common.times import Day

LOOKED_BACK = 7  # days


@dataclass(frozen=True)
class Survey:
    """What one pass over the source found: records per day, and how many of them are to be sent."""

    records: Counter[date]
    wanted: Counter[date]
    undated: int


def report_zone(settings: Settings) -> tuple[str, tzinfo]:
    """The name and the zone of REPORT_TZ. Raises JobExit (78) for a name that is none."""
    name = settings.get("REPORT_TZ")
    try:
        return times.zone(name)
    except ValueError as error:
        raise JobExit(
            exits.SETTINGS,
            f"REPORT_TZ={error}: no such time zone here: write a name such as Europe/Berlin"
            " (or apt-get install tzdata)",
        ) from None


def days(context: Context, zone: tzinfo, now: datetime) -> list[Day]:
    """The days to look at, oldest first. Raises JobExit (2) for a day that is not over."""
    last = times.day_of(now, zone).plus(-1)
    options = context.options
    if days_named(context):
        until = _day(options.until, zone) if options.until else last
        since = _day(options.since, zone) if options.since else until
        if since > until:
            raise JobExit(exits.USAGE, f"--since {since} comes after --until {until}: swap them")
        if until > last:
            raise JobExit(
                exits.USAGE, f"{until} is not over in {zone}: the last finished day is {last}"
            )
        _say_passed_over(context, since)
        return [since.plus(n) for n in range((until.date - since.date).days + 1)]
    reported = context.runs.reported_days()
    if not reported:
        return [last]
    newest = Day(date.fromisoformat(max(reported)), zone)
    oldest = last.plus(1 - LOOKED_BACK)
    if newest < oldest.plus(-1):
        log.warning(
            "the days from %s to %s were never reported and are too far back:"
            " --since %s reports them",
            newest.plus(1),
            oldest.plus(-1),
            newest.plus(1),
        )
    looked_at = (oldest.plus(n) for n in range(LOOKED_BACK))
    return [day for day in looked_at if str(day) in reported or day > newest]


def _say_passed_over(context: Context, since: Day) -> None:
    """Days before the named ones that no run without --date would come back to."""
    reported = context.runs.reported_days()
    missed = Day(date.fromisoformat(max(reported)), since.zone).plus(1) if reported else since
    if missed < since:
        log.warning(
            "the days from %s to %s are passed over: --since %s --until %s reports them",
            missed,
            since.plus(-1),
            missed,
            since.plus(-1),
        )


def survey(context: Context, looked_at: list[Day]) -> Survey:
    """Count the records of these days, and of the week before them for comparison, in one pass."""
    zone = looked_at[0].zone
    parameters = {
        "start": times.sql_time(looked_at[0].plus(-LOOKED_BACK).start),
        "end": times.sql_time(looked_at[-1].end),
    }
    found = Survey(Counter(), Counter(), 0)
    undated, example = 0, ""
    asked = {day.date for day in looked_at}
    for record, state in with_state(
        context.ledger, context.source.select(context.job.select, parameters)
    ):
        at = time_of(context, record)
        if at is None:
            undated += 1
            example = shortened(repr(record[context.job.time]), 40)
            continue
        day = at.astimezone(zone).date()
        found.records[day] += 1
        if day in asked and is_wanted(context, state):
            found.wanted[day] += 1
    # Those that within() kept out, and those that another condition let in.
    undated += context.source.undated
    example = context.source.undated_example or example
    if undated:
        log.warning(
            "%d records have a %s that is no time, such as %s: they belong to no day",
            undated,
            context.job.time,
            example,
        )
    return Survey(found.records, found.wanted, undated)


def records_of(context: Context, day: Day) -> Iterator[Record]:
    """The records of a day, and no others, whatever the SELECT makes of :start and :end."""
    window = {"start": times.sql_time(day.start), "end": times.sql_time(day.end)}
    for record in context.source.select(context.job.select, window):
        at = time_of(context, record)
        if at is not None and times.day_of(at, day.zone) == day:
            yield record


def days_named(context: Context) -> bool:
    """Whether the days were named on the command line."""
    return context.options.since is not None or context.options.until is not None


def time_of(context: Context, record: Record) -> datetime | None:
    """The instant of a record, None where it cannot be read.

    Raises JobExit (78) where the SELECT gives none.
    """
    if context.job.time not in record:
        needs = "a report needs to know when"
        raise JobExit(exits.SETTINGS, f"the SELECT gives no {context.job.time}: {needs}")
    try:
        return times.instant(record[context.job.time])
    except ValueError:
        return None


def _day(given: date, zone: tzinfo) -> Day:
    """The day of a date or a time. Raises JobExit (2) at the ends of the calendar."""
    try:
        if isinstance(given, datetime):
            given = times.day_of(given if given.tzinfo else given.replace(tzinfo=zone), zone).date
        # A report looks at the week before its day, too.
        given + timedelta(days=1), given - timedelta(days=LOOKED_BACK + 1)
    except OverflowError:
        raise JobExit(exits.USAGE, f"{given}: there is no such day to report") from None
    return Day(given, zone)
