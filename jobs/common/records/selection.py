"""Which records of a SELECT a run takes up, and in which chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from typing import TypeVar

from common.context import Context
from common.job import Record
from common.ledger.erasure.other_parts import ERASED
from common.ledger.ledger import Ledger
from common.ledger.states import RecordState, RecordStatus
from common.records.chunks import Chunk, packed
from common.records.preparing import ready
from common.records.repeated import Repeated
from common.records.spool import Spool

_LOOKED_UP = 500  # records whose state is asked for at once

T = TypeVar("T")


def with_state(
    ledger: Ledger, records: Iterable[Record]
) -> Iterator[tuple[Record, RecordState | None]]:
    """Each record with what the ledger holds of it (None: fresh), a few hundred at a time."""
    stream = iter(records)
    while group := list(islice(stream, _LOOKED_UP)):
        states = ledger.states([record["record_id"] for record in group])
        for record in group:
            yield record, states.get(record["record_id"])


def is_wanted(context: Context, state: RecordState | None) -> bool:
    """Whether a record is to be sent: it is fresh, failed or waiting, or an option asks for it.

    --retry-dead asks for dead letters alone; --reprocess and --stale beside it add what they ask
    for. A record that this run has asked already is asked again as in any run.
    """
    options = context.options
    if state is None or state.to_ask:
        if not options.retry_dead or options.reprocess or options.stale:
            return True
        return state is not None and (
            state.run_id == context.run_id or state.record_id in context.tally.failed
        )
    if state.run_id == context.run_id:
        return False
    if state.status is RecordStatus.DEAD:
        return options.retry_dead and state.error != ERASED
    if state.status is RecordStatus.CORRECTED:
        return options.reprocess
    return state.status is RecordStatus.DONE and (options.reprocess or is_stale(context, state))


def is_stale(context: Context, state: RecordState | None) -> bool:
    """Whether --stale asks for a record: an older version of the job has done it."""
    return (
        context.options.stale
        and state is not None
        and state.status is RecordStatus.DONE
        and state.version not in context.versions
    )


def has_failed(state: RecordState | None) -> bool:
    """Whether an answer about a record was judged bad, or a run died while it was in flight."""
    return state is not None and bool(state.error or state.crashes)


def is_new(context: Context, state: RecordState | None) -> bool:
    """Whether this run has not sent the record before."""
    return state is None or state.run_id != context.run_id


class Selected(Spool[tuple[Record, RecordState | None]]):
    """Records to be sent, with what the ledger holds of each, set aside on disk."""

    def __init__(self, context: Context) -> None:
        super().__init__((), context.settings.state)
        self.new = 0  # of them, those that this run has not sent before
        self.answered: list[str] = []  # of all records, those with an answer that nobody has used
        # Of those wanted, the ones that have an answer apart: its request, by record id.
        self.kept: dict[str, str] = {}
        self.empty: list[Record] = []  # of those made ready, the ones without a text
        self.failed = 0  # of them, those that have failed before
        self.fresh = False  # whether any was never asked, or is asked anew: not left over

    def take(self, record: Record, state: RecordState | None) -> None:
        """Set one more aside."""
        self.add((record, state))
        self.failed += has_failed(state)
        self.fresh |= state is None or not state.to_ask


def select(
    context: Context, records: Iterable[Record], room: int | None, *, tells: bool = True
) -> Selected:
    """The records to be sent, each once; `records` is read to its end.

    At most `room` of them (None: any number) are such as this run has not sent before. Those that
    an older version has done come last, the newest first: from the end of the SELECT.
    `tells`: a warning is logged where rows give a record again.
    """
    with ExitStack() as on_failure, Selected(context) as stale:
        selected, repeated = Selected(context), Repeated()
        on_failure.callback(selected.close)

        def wanted() -> Iterator[tuple[Record, RecordState | None]]:
            for record, state in with_state(context.ledger, records):
                if state is not None and state.status is RecordStatus.ANSWERED:
                    selected.answered.append(state.record_id)
                if is_wanted(context, state) and not repeated.again(record):
                    yield record, state

        def take(record: Record, state: RecordState | None) -> None:
            if is_new(context, state):
                if room is not None and selected.new >= room:
                    return
                selected.new += 1
            selected.take(record, state)

        for record, state in _without_kept(context, wanted(), selected.kept):
            if is_stale(context, state):
                stale.add((record, state))
            else:
                take(record, state)
        for record, state in stale.backwards():
            take(record, state)
        if tells:
            repeated.tell()
        on_failure.pop_all()
    return selected


def _without_kept(
    context: Context, records: Iterable[tuple[Record, RecordState | None]], kept: dict[str, str]
) -> Iterator[tuple[Record, RecordState | None]]:
    """Those of these records that no answer is kept for; `kept` gets the requests of the others."""
    stream = iter(records)
    while group := list(islice(stream, _LOOKED_UP)):
        states = {record["record_id"]: state for record, state in group}
        kept.update(
            (record_id, request_id)
            for record_id, request_id in context.kept.of([*states]).items()
            if _may_use(context, states[record_id], request_id)
        )
        yield from (pair for pair in group if pair[0]["record_id"] not in kept)


def _may_use(context: Context, state: RecordState | None, request_id: str) -> bool:
    """Whether a record in that state can have an answer that stands apart.

    An answer that an earlier run took over and could not save is not used again. With --reprocess,
    a record that has an answer gets a new one.
    """
    if state is None:
        return True
    is_anew = context.options.reprocess and not state.to_ask
    return state.request_id != request_id and not is_anew


def room_left(context: Context) -> int | None:
    """How many more records this run may send under --limit; None without a limit."""
    limit = context.options.limit
    return None if limit is None else limit - context.tally.records


def chunks(context: Context, selected: Selected, *, failed: bool = False) -> Iterator[Chunk]:
    """The chunks of a run: first the records that nobody suspects, then waves of suspects.

    Suspects were in flight, or at work, in a run that died. `failed`: all of the records have
    failed before. Records without a text are in no chunk, but in `selected.empty`.
    """
    size = context.options.chunk_size
    total = -(-len(selected) // size)
    suspects: list[tuple[Record, RecordState]] = []
    new: set[str] = set()  # of those read and not yet in a chunk

    def unsuspected() -> Iterator[Record]:
        for record, state in selected:
            if is_new(context, state):
                new.add(record["record_id"])
            if state is not None and state.to_ask and state.crashes:
                suspects.append((record, state))
            else:
                yield record

    def new_of(records: list[Record]) -> int:
        ids = {record["record_id"] for record in records} & new
        new.difference_update(ids)
        return len(ids)

    number = 0
    for records in packed(ready(context, unsuspected(), selected.empty.append), size):
        number += 1
        label = f"chunk {number}/{max(total, number)}"
        yield Chunk(records, label, total, new_of(records), failed=failed)
    for wave, suspected in _waves(suspects):
        # By itself, since prepare() of several may have ended the process.
        if records := [
            record for record, _ in ready(context, suspected, selected.empty.append, together=1)
        ]:
            number += 1
            label = f"chunk {number}/{max(total, number)} (suspected)"
            yield Chunk(records, label, total, new_of(records), wave=wave)


def _waves(suspects: Iterable[tuple[Record, RecordState]]) -> Iterator[tuple[int, list[Record]]]:
    """Suspects in chunks, each with the number of its wave, from 1: see Chunk.

    What was in flight at the last death goes out by halves: a few more deaths find the one that the
    process dies of, and innocent ones hardly wait. Suspects of earlier deaths, which were not in
    flight at that one, go out together; one that was alone at a death goes out alone.
    """
    sure: list[Record] = []
    runs: dict[str, dict[str, list[Record]]] = {}
    for record, state in suspects:
        if state.crashes > 1:
            sure.append(record)
        else:
            runs.setdefault(state.run_id, {}).setdefault(state.request_id, []).append(record)
    # A run's id begins with the time at which it began.
    *earlier, last = [[*runs[run_id].values()] for run_id in sorted(runs)] or [[]]
    if len(last) == 1:
        last = [*_halves(last[0])]
    waves = [*_halves(last), [*chain.from_iterable(earlier)], *([[record]] for record in sure)]
    for number, wave in enumerate(filter(None, waves), 1):
        yield from ((number, records) for records in wave)


def _halves(things: list[T]) -> Iterator[list[T]]:
    middle = (len(things) + 1) // 2
    yield from (half for half in (things[:middle], things[middle:]) if half)
