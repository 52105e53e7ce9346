"""A job with one answer per record: save() gets each output once its answer is in the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time, timedelta

from common import times
from common.context import Context
from common.delivery.deliver import Delivery, Group
from common.delivery.held import Held
from common.job import Record
from common.job_code import DUMP, SAVE, VALIDATOR
from common.ledger.states import RecordStatus
from common.process import exits
from common.process.exits import JobExit
from common.records.days import report_zone
from common.records.left_out import tell
from common.records.selection import room_left
from common.runner.saving import Saving
from quality.judging import counted_outputs
from quality.other_versions import collect_others
from quality.second_opinion import SecondOpinion

_BEGINNING, _END = "0001-01-01 00:00:00", "9999-12-31 23:59:59"


def run(context: Context, delivery: Delivery) -> None:
    """Send every record that waits. Raises JobExit where the run has to end before that."""
    if context.job.tables:
        context.source.create(context.job.tables)
    if context.options.retry_dead:
        _save_again(context)
    with (
        counted_outputs(context) as counting,
        # A second opinion is about outputs that are counted already.
        closing(SecondOpinion(context, Saving(context).use)) as second,
    ):
        use = Saving(context, counting=counting).use
        second.collect()
        collect_others(context, second.versions_under_way())
        try:
            delivery.collect(lambda: records_of(context), use)
            delivery.deliver([Group("", lambda: records_of(context))], use)
        except Held:
            second.ask()
            raise
        second.ask()
    if delivery.held:
        raise delivery.held


def _save_again(context: Context) -> None:
    """Let dead letters with an answer that the job's code failed on wait for it once more."""
    dead_letters = context.dead_letters
    with dead_letters.transaction():
        for function in (SAVE, VALIDATOR, DUMP):
            dead_letters.take_back(dead_letters.with_an_answer(function), RecordStatus.ANSWERED)


def records_of(context: Context) -> Iterator[Record]:
    """The records of the SELECT, in the window that the options name.

    Those that are done and not to be asked again may be left out, where they are many.
    """
    source = context.source
    options, not_done = context.options, None
    if options.stale and not options.reprocess:
        not_done = context.ledger.not_done(context.versions, room_left(context))
    elif not options.reprocess:
        not_done = context.ledger.not_done()
    yield from source.select(context.job.select, _bounds(context), not_done)
    tell(context, source.rows)


def _bounds(context: Context) -> Mapping[str, str]:
    """`:start` and `:end` from --since and --until; all of time without them.

    A date stands for its whole day.
    """
    if not context.job.has_window:
        return {}
    _, zone = report_zone(context.settings)

    def at(bound: date, *, end: bool) -> str:
        try:
            if not isinstance(bound, datetime):
                bound = datetime.combine(bound + timedelta(days=end), time())
            return times.sql_time(bound if bound.tzinfo else bound.replace(tzinfo=zone))
        except OverflowError:  # in another zone the calendar ends a few hours apart
            return _END if bound.year > 1 else _BEGINNING

    since, until = context.options.since, context.options.until
    start = at(since, end=False) if since else _BEGINNING
    end = at(until, end=True) if until else _END
    if start >= end:
        window = f"the window from {start} up to {end} (UTC) is empty"
        raise JobExit(exits.USAGE, f"{window}: --since must come before --until")
    return {"start": start, "end": end}
