"""Which records of a SELECT a run takes up, and in which chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import Any

from common.context import Context
from common.job import Record
from common.ledger.ledger import Ledger
from common.ledger.states import RecordState, RecordStatus
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.records.chunks import Chunk, packed
from common.records.spool import Spool
from common.source.row import Row

_LOOKED_UP = 500  # records whose state is asked for at once
_PREPARED = 16  # records that are prepared at once


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
    """Whether a record is to be sent: it is fresh, failed or waiting, or an option asks for it."""
    if state is None or state.to_ask:
        return True
    if state.run_id == context.run_id:
        return False
    if state.status is RecordStatus.DEAD:
        return context.options.retry_dead
    return state.status is RecordStatus.DONE and context.options.reprocess


def is_new(context: Context, state: RecordState | None) -> bool:
    """Whether this run has not sent the record before."""
    return state is None or state.run_id != context.run_id


class Selected(Spool[tuple[Record, RecordState | None]]):
    """Records to be sent, with what the ledger holds of each, set aside on disk."""

    def __init__(self, context: Context) -> None:
        super().__init__((), context.settings.state)
        self.new = 0  # of them, those that this run has not sent before


def select(context: Context, records: Iterable[Record], room: int | None) -> Selected:
    """The records to be sent; `records` is read to its end.

    At most `room` of them (None: any number) are such as this run has not sent before.
    """
    with ExitStack() as on_failure:
        selected = Selected(context)
        on_failure.callback(selected.close)
        for record, state in with_state(context.ledger, records):
            if not is_wanted(context, state):
                continue
            if is_new(context, state):
                if room is not None and selected.new >= room:
                    continue
                selected.new += 1
            selected.add((record, state))
        on_failure.pop_all()
    return selected


def room_left(context: Context) -> int | None:
    """How many more records this run may send under --limit; None without a limit."""
    limit = context.options.limit
    return None if limit is None else limit - context.tally.records


def chunks(context: Context, selected: Selected, *, failed: bool = False) -> Iterator[Chunk]:
    """The chunks of a run: first the records that nobody suspects, then the suspects.

    Suspects were in flight in a run that died. A chunk of them is asked again as it was, with
    nothing beside it; a record that two runs died of is asked by itself, so that it harms no other.
    `failed`: all of the records have failed before.
    """
    size = context.options.chunk_size
    total = -(-len(selected) // size)
    suspects: dict[str, list[Record]] = {}
    new: set[str] = set()  # of those read and not yet in a chunk

    def unsuspected() -> Iterator[Record]:
        sent: set[str] = set()
        for record, state in selected:
            record_id = record["record_id"]
            if record_id in sent:
                log.warning("record %s comes twice in the SELECT: its first row is sent", record_id)
                continue
            sent.add(record_id)
            if is_new(context, state):
                new.add(record_id)
            if state is None or not state.to_ask or not state.crashes:
                yield record
            else:
                key = state.request_id if state.crashes == 1 else record_id
                suspects.setdefault(key, []).append(record)

    def new_of(records: list[Record]) -> int:
        ids = {record["record_id"] for record in records} & new
        new.difference_update(ids)
        return len(ids)

    number = 0
    for records in packed(context.job, _prepared(context, unsuspected()), size):
        number += 1
        label = f"chunk {number}/{max(total, number)}"
        yield Chunk(records, label, total, new_of(records), failed=failed)
    for suspected in suspects.values():
        number += 1
        label = f"chunk {number}/{max(total, number)} (alone)"
        yield Chunk([*_prepared(context, suspected)], label, total, new_of(suspected), alone=True)


def _prepared(context: Context, records: Iterable[Record]) -> Iterator[Record]:
    """The records with what the job lets them bring along.

    Raises JobExit (75) when stopped, since preparing can take its time.
    """
    prepare, note = context.job.prepare, context.job.note
    if prepare is None:
        yield from records
        return
    stream = iter(records)
    while group := list(islice(stream, _PREPARED)):
        if by := context.stop.by:
            waits = "what is left waits for the next run"
            raise JobExit(exits.NOT_NOW, f"stopped by {by}: {waits}")
        group = [*map(Row, prepare(group))]
        if note is not None:
            context.source.write(partial(_note_all, note, context.source.connection, group))
        yield from group


def _note_all(note: Callable[[Any, Record], object], db: Any, records: list[Record]) -> None:
    for record in records:
        note(db, record)
