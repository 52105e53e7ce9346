"""Which records of a SELECT a run takes up, and in which chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from common.context import Context
from common.ledger.ledger import Known
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.records.chunks import Chunk, packed
from common.records.spool import Spool
from common.source.sqlite_source import Record

Taken = Spool[tuple[Record, Known | None]]

_LOOKED_UP = 500  # records whose state is asked for at once
_PREPARED = 16  # records that are prepared at once


def with_state(
    context: Context, records: Iterable[Record]
) -> Iterator[tuple[Record, Known | None]]:
    """Each record with what the ledger holds of it (None: fresh), in order, a few hundred looked up at a time."""
    stream = iter(records)
    while group := list(islice(stream, _LOOKED_UP)):
        known = context.ledger.known([record["record_id"] for record in group])
        for record in group:
            yield record, known.get(record["record_id"])


def is_wanted(context: Context, known: Known | None) -> bool:
    """Whether a record is to be sent: it is fresh or failed, or an option asks for it again."""
    if known is None or known.status == "failed":
        return True
    if known.request_id.startswith(f"{context.run_id}-"):
        return False
    if known.status == "dead":
        return context.options.retry_dead
    return known.status == "done" and context.options.reprocess


def is_new(context: Context, known: Known | None) -> bool:
    """Whether a record counts as taken up: what this run has sent before and takes up again counts once."""
    return known is None or not known.request_id.startswith(f"{context.run_id}-")


def take_up(context: Context, records: Iterable[Record]) -> Taken:
    """The records to be sent in this run, at most --limit of them in all; `records` is read to its end."""
    return Spool(_limited(context, records), context.settings.state)


def _limited(context: Context, records: Iterable[Record]) -> Iterator[tuple[Record, Known | None]]:
    limit, counts = context.options.limit, context.counts
    for record, known in with_state(context, records):
        if not is_wanted(context, known):
            continue
        if is_new(context, known):
            if limit is not None and counts.records >= limit:
                continue
            counts.records += 1
        yield record, known


def chunks(context: Context, taken: Taken, *, failed: bool = False) -> Iterator[Chunk]:
    """The chunks of a run: first the records nobody suspects, then those that were in flight in a run that died.

    `failed`: all of them have failed before.

    A chunk of suspects is asked again as it was, with nothing beside it; a record that two runs died of is asked all by
    itself, so that it harms no other.
    """
    size = context.options.chunk_size
    total = -(-len(taken) // size)
    suspects: dict[str, list[Record]] = {}

    def unsuspected() -> Iterator[Record]:
        sent: set[str] = set()
        for record, known in taken:
            record_id = record["record_id"]
            if record_id in sent:
                log.warning("record %s comes twice in the SELECT: its first row is sent", record_id)
                continue
            sent.add(record_id)
            if known is None or known.status != "failed" or not known.crashes:
                yield record
            else:
                key = known.request_id if known.crashes == 1 else record_id
                suspects.setdefault(key, []).append(record)

    number = 0
    for records in packed(context.job, _prepared(context, unsuspected()), size):
        number += 1
        yield Chunk(records, f"chunk {number}/{max(total, number)}", total, failed=failed)
    for suspected in suspects.values():
        number += 1
        label = f"chunk {number}/{max(total, number)} (alone)"
        yield Chunk([*_prepared(context, suspected)], label, total, alone=True)


def _prepared(context: Context, records: Iterable[Record]) -> Iterator[Record]:
    """The records with what the job lets them bring along. Raises JobExit (75) when stopped, as this can take its time."""
    prepare, note = context.job.prepare, context.job.note
    if prepare is None:
        yield from records
        return
    stream = iter(records)
    while group := list(islice(stream, _PREPARED)):
        if by := context.stop.by:
            waits = "what is left waits for the next run"
            raise JobExit(exits.NOT_NOW, f"stopped by {by}: {waits}")
        group = prepare(group)
        if note is not None:
            context.source.write(partial(_note_all, note, context.source.connection, group))
        yield from group


def _note_all(note: Callable[[Any, Record], object], db: Any, records: list[Record]) -> None:
    for record in records:
        note(db, record)
