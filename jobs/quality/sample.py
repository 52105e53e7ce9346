"""Which records --try takes: spread over what waits, or those of the last try again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from common.context import Context
from common.job import Record
from common.ledger.apart import KeptAnswers
from common.ledger.erasure.other_parts import ERASED
from common.ledger.states import ENDED
from common.ledger.tries import Sample
from common.records.repeated import once
from common.records.selection import Selected, select, with_state
from common.records.spool import Spool
from common.runner import per_record


@dataclass(frozen=True)
class Taken:
    """The records of one try."""

    records: list[Record]
    chosen_for: str  # the version for which they were chosen
    of: str  # in words: what they are
    gone: int = 0  # how many of the last try's are not in the SELECT any more


def spread(number: int, of: int) -> list[int]:
    """`number` places out of `of`, counted from 0, as evenly as can be; all where there are fewer.

    Each stands in the middle of its part: of 10 out of 100, the first is 5 and the last 95.
    """
    number = min(number, of)
    return [(2 * one + 1) * of // (2 * number) for one in range(number)]


def take(context: Context, samples: list[Sample], number: int) -> Taken:
    """`number` records; fewer where there are fewer.

    Those that wait, unless the last of the `samples` (the newest first) was chosen for another
    version than the run's: then its records again, to show what an edit changes. Where nothing
    waits, some of those that are done.
    """
    last = samples[0] if samples and samples[0].chosen_for != context.version else None
    with closing(_waiting(context)) as waiting:
        if last is not None:
            taken = _again(context, last, waiting, number)
            if taken.records:
                return taken
        if waiting:
            places = spread(number, len(waiting))
            return Taken(
                [record for record, _ in waiting.at(places)],
                context.version,
                f"of the {len(waiting):,} that wait, spread evenly over the SELECT",
                len(last.record_ids) if last else 0,
            )
    return _done(context, number)


def _waiting(context: Context) -> Selected:
    """The records that wait for a run, those with an answer of --try or --eval among them."""
    # No answer is kept under the name of no version: so these keep their place in the SELECT.
    none = KeptAnswers(context.ledger.database, context.job.name, "")
    return select(replace(context, kept=none), per_record.records_of(context), None)


def _again(context: Context, last: Sample, waiting: Selected, number: int) -> Taken:
    ids = not_erased(context, last.record_ids)
    found = [record for record in once(everything(context)) if record["record_id"] in ids]
    gone = len(ids) - len(found)
    records = [found[place] for place in spread(number, len(found))]
    of = "which the last try took"
    if found and number > len(found):
        others = [
            place for place, (record, _) in enumerate(waiting) if record["record_id"] not in ids
        ]
        more = spread(number - len(found), len(others))
        records += [record for record, _ in waiting.at(others[place] for place in more)]
        if more:
            of = f"of which the last try took {len(found)}; the other {len(more)} wait"
        else:
            ended = _done(context, number - len(found), without=ids).records
            records += ended
            if ended:
                of = f"of which the last try took {len(found)}; the other {len(ended)} are done"
    return Taken(records, last.chosen_for, of, gone)


def _done(context: Context, number: int, without: Collection[str] = ()) -> Taken:
    """Some of those that are done, or that a person has corrected."""
    done = Spool(
        (
            record
            for record, state in with_state(context.ledger, once(everything(context)))
            if state is not None and state.status in ENDED and record["record_id"] not in without
        ),
        context.settings.state,
    )
    with closing(done):
        records = [*done.at(spread(number, len(done)))]
        of = f"of the {len(done):,} that are done, since none waits; what is saved stays"
        return Taken(records, context.version, of)


def not_erased(context: Context, record_ids: Sequence[str]) -> set[str]:
    """These records without those that a person had erased: nobody asks about them again."""
    states = context.ledger.states(record_ids)
    return {one for one in record_ids if one not in states or states[one].error != ERASED}


def everything(context: Context) -> Iterator[Record]:
    """Every record of the SELECT, those that are done, too."""
    options = replace(context.options, reprocess=True)
    return per_record.records_of(replace(context, options=options))
