"""Rows that nothing is sent about, since they have no id or no time: counted, and told once a run.

One bad row must not stop every night. But where every row is left out, the job and its table do not
fit, and the run ends with 78.
"""

from __future__ import annotations

from datetime import timedelta

from common import times
from common.context import Context
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log, shortened
from common.process.words import counted, have
from common.time_forms import is_number

_DECADES = timedelta(days=20 * 365)
WITHOUT_ID = "without_id"  # as the ledger calls them


def tell(context: Context, rows: int) -> None:
    """Tell of what the SELECT that was just read leaves out, beside `rows` rows that it gave.

    Raises JobExit (78) where it leaves out everything.
    """
    if context.tally.told:  # of the same table, by another pass over it
        return
    context.tally.told = True
    _tell_without_id(context, rows)
    tell_times(context)
    options = context.options
    if rows or context.job.per_day or not (options.since or options.until):
        return
    if newest := context.source.seen.newest:
        context.tally.newest = times.stamp(newest[0])
        log.info("no record in this window; the newest there is: %s", context.tally.newest)


def tell_empty(context: Context) -> None:
    """Tell of the records that had no text, and of what became of them."""
    if not (empty := context.tally.empty):
        return
    if context.job.empty is not None:
        became = "done with what the job says they are worth"
    elif context.job.per_day:
        became = "counted in the report, in no digest"
    else:
        became = "left out: empty=… in the job says what such a record is worth"
    some = ", ".join(shortened(record_id, 40) for record_id in sorted(empty)[:3])
    what = f"{have(len(empty), 'record')} no text ({some})"
    log.warning("%s: nothing is sent or paid; %s", what, became)


def _tell_without_id(context: Context, rows: int) -> None:
    count, tally = context.source.without_id, context.tally
    if not count:
        return
    found = f"the SELECT gives {counted(count, 'row')} with a record_id that is NULL or empty"
    if not rows:
        raise JobExit(exits.SETTINGS, f"{found}, and no other: write `id as record_id` into it")
    before = 0 if context.options.dry_run else context.runs.left_out(WITHOUT_ID)
    tally.without_id, tally.newly_without_id = count, max(0, count - before)
    log.warning("%s: nothing is sent about such a row: give it an id in your table", found)


def tell_times(context: Context) -> None:
    """Tell of times that are none, and of numbers that may be no seconds since 1970.

    Raises JobExit (78) where not a single value was a time.
    """
    seen = context.source.seen
    context.tally.undated = seen.undated
    time = context.job.time
    # On a server it takes a pass over the table to say which is the newest.
    newest = seen.newest if seen.undated or seen.may_be_numbers else None
    if seen.undated and newest is None:
        no_time = f"no row of the SELECT has a {time} that is a time: it is {seen.example}"
        remedy = "write it as a time in UTC in the SELECT, with datetime(…) or to_timestamp(…)"
        raise JobExit(exits.SETTINGS, f"{no_time}, for one: {remedy}")
    if seen.undated:
        what = f"{have(seen.undated, 'record')} a {time} that is no time, such as {seen.example}"
        log.warning("%s: they belong to no day", what)
    if newest and is_number(newest[1]) and abs(newest[0] - context.clock.utc_now()) > _DECADES:
        number = f"the newest {time} is the number {shortened(str(newest[1]), 40)}"
        reads = f"which reads as {times.stamp(newest[0])}: what does it count?"
        log.warning("%s, %s Write it as a time in the SELECT", number, reads)
