"""--try N: asks some of the records that wait, shows what comes back, saves nothing.

The answers stay in the ledger, apart from the records' own state: a try again pays nothing for
them, and neither does the next run of the same version, which saves them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from common.context import Context
from common.ledger.apart import name_of
from common.ledger.states import A_PERSON, ENDED, Purpose, RecordStatus
from common.ledger.tries import AnsweredRecord, Sample, Tries
from common.process import exits
from common.process.exits import JobExit
from common.process.log import brief, log
from common.process.words import counted
from common.runner.apart_run import apart
from quality import trial_text
from quality.asking import Asking
from quality.changes import change
from quality.forecast import Measured, Rest, forecast
from quality.record_text import text_of
from quality.sample import take
from quality.summary import finish
from quality.tried import Trial, Tried


def run(context: Context, say: Callable[[str], object]) -> int:
    """The exit code; `say` takes what stdout gets. Raises JobExit where it has to end before."""
    began = time.monotonic()
    tries = Tries(context.ledger.database, context.job.name)
    samples = tries.newest_first()
    taken = take(context, samples, context.options.try_records or 1)
    part = apart(context, Purpose.TRY)
    code, end, rest, stale = exits.BUG, None, None, None
    asking = Asking(part, taken)
    records: list[Tried] = []
    try:
        if taken.records:
            ids = [record["record_id"] for record in taken.records]
            tries.note(Sample(context.version, taken.chosen_for, ids))
            end = asking.ask()
            records = [*_tried(asking, tries, samples, end)]
            if end is None or end.code == exits.COST_CAP:
                rest, stale = _rest(context, asking.measured())
        lacking = [one for one in records if one.output is None and not one.no_text]
        code = end.code if end else exits.RECORDS_FAILED if lacking else exits.DONE
    except JobExit as error:
        end, code = error, error.code
    finally:
        summary = finish([part], code, time.monotonic() - began)
    if end:
        summary["reasons"] = [end.message]
    trial = Trial(
        context=part, taken=taken, records=records, rest=rest, stale=stale, summary=summary
    )
    say(json.dumps(trial_text.as_json(trial)) if context.options.json else trial_text.text(trial))
    if end:
        raise end
    if code == exits.RECORDS_FAILED:
        _tell_lacking(records)
    return code


def _tell_lacking(records: list[Tried]) -> None:
    reasons = [f"{brief(one.record_id)}: {one.error}" for one in records if one.error]
    what = counted(len(reasons), "record")
    log.error("%s of --try without an output: %s", what, "; ".join(reasons[:3]))


def _tried(
    asking: Asking, tries: Tries, samples: list[Sample], end: JobExit | None
) -> Iterator[Tried]:
    """The records of a try, in its order, each with what it got and what changed."""
    context = asking.context
    ids = [*asking.records]
    found = tries.records(context.ledger.job, ids)
    earlier = _earlier(context, tries, samples, ids)
    for record_id, record in asking.records.items():
        answered = found.get(record_id)
        one = Tried(record_id, text_of(context.job, record))
        one.share = asking.shares.get(record_id, one.share)
        empty = record_id in context.tally.empty
        if answered is not None and answered.status is RecordStatus.DONE:
            one.output = json.loads(answered.output)
            one.no_text = not one.share.requests
            _compare(one, earlier.get(record_id))
        elif empty:
            one.no_text = True
        else:
            one.error = _why(answered, end)
            one.left = end is not None and (answered is None or not answered.error)
        yield one


def _why(answered: AnsweredRecord | None, end: JobExit | None) -> str:
    """Why a record has no output."""
    if answered is not None and answered.error:
        return answered.error
    if answered is not None and answered.status is RecordStatus.SUBMITTED and end is None:
        return "asked by --eval in a message batch that is under way"
    return f"not answered: {end.message}" if end else "not answered"


def _compare(one: Tried, before: tuple[AnsweredRecord, str] | None) -> None:
    if before is None or one.output is None:
        return
    answered, one.compared_with = before
    one.change = change(json.loads(answered.output), one.output)


def _earlier(
    context: Context, tries: Tries, samples: list[Sample], ids: list[str]
) -> dict[str, tuple[AnsweredRecord, str]]:
    """What is there to compare with, by record id: the outputs of an earlier try, or what is saved.

    The second one says where it comes from.
    """
    name = context.job.name
    found = {
        record_id: (answered, A_PERSON if answered.status is RecordStatus.CORRECTED else "saved")
        for record_id, answered in tries.records(name, ids).items()
        if answered.status in ENDED
        and answered.output
        and (answered.status is RecordStatus.CORRECTED or answered.version != context.version)
    }
    for sample in samples:
        if sample.version == context.version:
            continue
        tried = {
            record_id: (answered, sample.version)
            for record_id, answered in tries.records(name_of(name, sample.version), ids).items()
            if answered.status is RecordStatus.DONE and answered.output
        }
        if tried:
            return found | tried
    return found


def _rest(context: Context, measured: Measured | None) -> tuple[Rest | None, Rest | None]:
    """What the others would cost; where none waits, what --stale would."""
    if measured is None:
        return None, None
    rest = forecast(context, measured)
    if rest.records or context.job.per_day:
        return rest, None
    stale = forecast(replace(context, options=replace(context.options, stale=True)), measured)
    return rest, stale if stale.records else None
