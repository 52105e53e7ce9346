"""Which days a report job looks at, and how many records of each wait.

By default: every finished day since the last one reported, seven at most; the very first run takes
the last finished day alone, that of a demo all days of the sample. Days that are reported already
are looked at again for as long, since records may arrive late. With --stale every day that was ever
reported is looked at; with --today the day that is not over, alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from common import times
from common.context import Context
from common.job import Record
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted
from common.records.left_out import tell, tell_times
from common.records.repeated import Repeated, once
from common.records.selection import is_stale, is_wanted, room_left, with_state
from common.settings import Settings
from common.times import Day

LOOKED_BACK = 7  # days
OF_A_DEMO = 4  # days, all that have sample records: a report shows how themes went on


@dataclass(frozen=True)
class Survey:
    """What one pass over the source found: records per day, and how many of them are to be sent."""

    records: Counter[date] = field(default_factory=Counter)
    wanted: Counter[date] = field(default_factory=Counter)
    stale: Counter[date] = field(default_factory=Counter)  # of these, by an older version
    undated: int = 0
    newest: datetime | None = None  # the newest record of all, where the days have none


def report_zone(settings: Settings) -> tuple[str, tzinfo]:
    """The name and the zone of REPORT_TZ, else the machine's.

    Raises JobExit (78) for a name that is none.
    """
    name = settings.get("REPORT_TZ")
    try:
        return times.zone(name)
    except ValueError as error:
        whose = (
            f"REPORT_TZ={error}" if name else f"the machine's own, REPORT_TZ not set, is {error}"
        )
        raise JobExit(exits.SETTINGS, f"{whose}: {times.zone_remedy()}") from None


def days(context: Context, zone: tzinfo, now: datetime) -> list[Day]:
    """The days to look at, oldest first. Raises JobExit (2) for a day that is not over."""
    last = times.day_of(now, zone).plus(-1)
    options = context.options
    if options.today:
        return [last.plus(1)]
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
        return [last.plus(-n) for n in range(OF_A_DEMO if options.demo else 1)][::-1]
    newest = Day(date.fromisoformat(max(reported)), zone)
    oldest = last.plus(1 - LOOKED_BACK)
    if newest < oldest.plus(-1):
        first, until = newest.plus(1), oldest.plus(-1)
        never = f"the days from {first} to {until} were never reported and are too far back"
        log.warning("%s: --since %s reports them", never, first)
    looked_at = (oldest.plus(n) for n in range(LOOKED_BACK))
    return [
        *(_outdated(context, reported, oldest) if context.options.stale else ()),
        *(day for day in looked_at if str(day) in reported or day > newest),
    ]


def _outdated(context: Context, reported: Mapping[str, str], before: Day) -> list[Day]:
    """The reported days before one that may have digests of older versions, oldest first.

    Also days whose report was to be written again when a run ended.
    """
    any_stale = context.ledger.has_stale(context.versions)
    found = (Day(date.fromisoformat(name), before.zone) for name in sorted(reported))
    return [day for day in found if day < before and (any_stale or not reported[str(day)])]


def in_order(context: Context, looked_at: list[Day], found: Survey) -> list[Day]:
    """The days to be worked on: what waits first, then what --stale asks for, the newest day first.

    A day that nothing but --stale asks for is left as it is where --limit has no room for it.
    """

    def is_outdated(day: Day) -> bool:
        return 0 < found.wanted[day.date] == found.stale[day.date]

    chosen = [day for day in looked_at if not is_outdated(day)]
    chosen.sort(key=lambda day: found.stale[day.date] > 0)  # what is stale beside what waits
    outdated = [day for day in reversed(looked_at) if is_outdated(day)]
    room = room_left(context)
    while outdated:
        if room is not None and room <= sum(found.wanted[day.date] for day in chosen):
            left = counted(len(outdated), "day")
            log.info("%s by an older version, up to %s: left by --limit", left, outdated[0])
            break
        chosen.append(outdated.pop(0))
    return chosen


def _say_passed_over(context: Context, since: Day) -> None:
    """Days before the named ones that no run without --date would come back to."""
    reported = context.runs.reported_days()
    missed = Day(date.fromisoformat(max(reported)), since.zone).plus(1) if reported else since
    if missed < since:
        until = since.plus(-1)
        passed = f"the days from {missed} to {until} are passed over"
        log.warning("%s: --since %s --until %s reports them", passed, missed, until)


def survey(context: Context, looked_at: list[Day]) -> Survey:
    """Count the records of these days, and of the week before them for comparison, in one pass.

    Tells of the rows that give one of them again.
    """
    zone = looked_at[0].zone
    parameters = {
        "start": times.sql_time(looked_at[0].plus(-LOOKED_BACK).start),
        "end": times.sql_time(looked_at[-1].end),
    }
    records: Counter[date] = Counter()
    wanted: Counter[date] = Counter()
    stale: Counter[date] = Counter()
    asked = {day.date for day in looked_at}
    repeated: defaultdict[date, Repeated] = defaultdict(Repeated)
    rows = 0
    for record, state in with_state(
        context.ledger, context.source.select(context.job.select, parameters)
    ):
        rows += 1
        at = context.source.seen.read(_time(context, record))
        if at is None:
            continue
        day = at.astimezone(zone).date()
        if repeated[day].again(record):
            continue
        records[day] += 1
        if day in asked and is_wanted(context, state):
            wanted[day] += 1
            stale[day] += is_stale(context, state)
    tell(context, rows)
    for day, repeats in repeated.items():
        if wanted[day]:
            repeats.tell()
    newest = None if records.keys() & asked else _newest(context)
    return Survey(records, wanted, stale, context.tally.undated, newest)


def _newest(context: Context) -> datetime | None:
    """The instant of the newest record there is, of any day."""
    if not context.source.seen.newest:
        # The SELECT has a condition of its own in place of within(): all of time is asked for.
        for record in context.source.select(context.job.select, times.ALL_OF_TIME):
            context.source.seen.read(_time(context, record))
        tell_times(context)
    newest = context.source.seen.newest
    return newest[0] if newest else None


def none_found(looked_at: list[Day], zone_name: str, found: Survey) -> str:
    """What is said where the days looked at have no record: these days, and where records are."""
    first, last = looked_at[0], looked_at[-1]
    days = str(last) if first == last else f"{first} to {last}"
    if found.newest is None:
        return f"looked at {days} ({zone_name}): the SELECT gives no record of any day"
    newest = f"the newest record there is: {times.stamp(found.newest)}"
    return f"looked at {days} ({zone_name}): nothing; {newest}"


def records_of(context: Context, day: Day) -> Iterator[Record]:
    """The records of a day, each once, and no others, whatever the SELECT makes of its window."""
    window = {"start": times.sql_time(day.start), "end": times.sql_time(day.end)}

    def of_the_day(record: Record) -> bool:
        at = time_of(context, record)
        return at is not None and times.day_of(at, day.zone) == day

    yield from once(filter(of_the_day, context.source.select(context.job.select, window)))


def days_named(context: Context) -> bool:
    """Whether the days were named on the command line."""
    options = context.options
    return options.today or options.since is not None or options.until is not None


def time_of(context: Context, record: Record) -> datetime | None:
    """The instant of a record, None where it cannot be read.

    Raises JobExit (78) where the SELECT gives none.
    """
    try:
        return times.instant(_time(context, record), context.source.zone)
    except ValueError:
        return None


def _time(context: Context, record: Record) -> object:
    if context.job.time not in record:
        needs = "a report needs to know when"
        raise JobExit(exits.SETTINGS, f"the SELECT gives no {context.job.time}: {needs}")
    return record[context.job.time]


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
