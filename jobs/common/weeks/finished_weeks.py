"""Which weeks a job looks at that writes a report of each.

By default: every finished week since the first one that it has reported, four at most; the very
first run takes the last finished week alone. Weeks that are reported already are among them, since
a day of theirs may be reported late.
"""

from __future__ import annotations

from datetime import date, datetime, tzinfo

from common import times
from common.context import Context
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.weeks.iso_week import Week, week_named, week_of

LOOKED_BACK = 4  # weeks


def finished_weeks(context: Context, zone: tzinfo, now: datetime) -> list[Week]:
    """The weeks to look at, oldest first; the days of `zone` make them.

    A demo's sample ends yesterday: it takes the week of that day, though it may not be over. Raises
    JobExit (2) for a week that is not over.
    """
    yesterday = times.day_of(now, zone).plus(-1).date
    last = week_of(yesterday)
    if last.sunday > yesterday and not context.options.demo:
        last = last.plus(-1)
    if weeks_named(context):
        return _named(context, zone, last)
    reported = [week for name in context.runs.reported_days() if (week := week_named(name))]
    if not reported:
        return [last]
    oldest = last.plus(1 - LOOKED_BACK)
    if max(reported) < oldest.plus(-1):
        first, until = max(reported).plus(1), oldest.plus(-1)
        never = f"the weeks from {first} to {until} were never reported and are too far back"
        log.warning("%s: --since %s reports them", never, first)
    looked_at = (oldest.plus(number) for number in range(LOOKED_BACK))
    return [week for week in looked_at if week >= min(reported)]


def weeks_named(context: Context) -> bool:
    """Whether the weeks were named on the command line."""
    return context.options.since is not None or context.options.until is not None


def _named(context: Context, zone: tzinfo, last: Week) -> list[Week]:
    options = context.options
    until = _week(options.until, zone) if options.until else last
    since = _week(options.since, zone) if options.since else until
    if since > until:
        raise JobExit(exits.USAGE, f"--since {since} comes after --until {until}: swap them")
    if until > last:
        so = f"{until} is not over in {zone}: the last finished week is {last}"
        raise JobExit(exits.USAGE, so)
    return [since.plus(number) for number in range((until.monday - since.monday).days // 7 + 1)]


def _week(given: date, zone: tzinfo) -> Week:
    """The week of a date or a time."""
    if isinstance(given, datetime):
        given = times.day_of(given if given.tzinfo else given.replace(tzinfo=zone), zone).date
    return week_of(given)
