"""Makes records ready to be sent: with what the job lets them bring along, and as it shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from functools import partial
from itertools import islice
from typing import Any

from common.claude.code_faults import CodeError, gave, must_have_run
from common.claude.envelope import Shown, envelope, estimated_tokens, is_blank
from common.claude.faults import Fault
from common.context import Context
from common.job import Record
from common.process import exits
from common.process.exits import JobExit
from common.row import Row
from common.source.source_database import SourceDatabase

SHOW = "show()"
PREPARE = "prepare()"
NOTE = "note()"
_TOGETHER = 16  # records that are prepared at once


def ready(
    context: Context,
    records: Iterable[Record],
    leave_out: Callable[[Record], object],
    together: int = _TOGETHER,
) -> Iterator[tuple[Record, int]]:
    """Each record as it is to be sent, with its estimated tokens.

    `leave_out` gets those without a text; those that prepare(), note() or show() fails for are dead
    letters. Raises JobExit: 78 where it is so for three in a row, 75 when stopped, since preparing
    can take its time.
    """

    def give_up(record_id: str, fault: Fault) -> None:
        context.code.bury(SHOW, record_id, fault)

    yield from shown(context, _prepared(context, records, together), give_up, leave_out)


def shown(
    context: Context,
    records: Iterable[Record],
    give_up: Callable[[str, Fault], None],
    leave_out: Callable[[Record], object],
) -> Iterator[tuple[Record, int]]:
    """Each record that the job can show, with its estimated tokens.

    The others are given up; those that show nothing are left out.
    """
    job, code = context.job, context.code
    for record in records:
        record_id = record["record_id"]
        try:
            sendable = code.call(SHOW, [record_id], Shown, job, record)
        except CodeError as error:
            give_up(record_id, error.fault)
            continue
        code.worked(SHOW)
        text = envelope(job, sendable)
        if is_blank(text):
            leave_out(record)
        else:
            yield sendable, estimated_tokens(text)


def _prepared(context: Context, records: Iterable[Record], together: int) -> Iterator[Record]:
    if context.job.prepare is None:
        yield from records
        return
    stream = iter(records)
    while group := list(islice(stream, together)):
        if by := context.stop.by:
            waits = "what is left waits for the next run"
            raise JobExit(exits.NOT_NOW, f"stopped by {by}: {waits}")
        yield from _with_more(context, group)


def _with_more(context: Context, group: list[Record]) -> Iterator[Record]:
    """These records after prepare() and note(), one by one where either fails for all together."""
    code, note, database = context.code, context.job.note, context.source
    record_ids = [record["record_id"] for record in group]
    try:
        more = code.call(PREPARE, record_ids, _filled, context, group, record_ids)
        if note is not None:
            noted = partial(_note_all, note, database, more)
            code.call(NOTE, record_ids, database.write, noted)
    except CodeError as error:
        if len(group) > 1:
            for record in group:
                yield from _with_more(context, [record])
        else:
            code.bury(PREPARE, record_ids[0], error.fault)
        return
    code.worked(PREPARE)
    yield from more


def _note_all(
    note: Callable[[Any, Record], object], database: SourceDatabase, records: list[Record]
) -> None:
    for record in records:
        must_have_run(NOTE, note(database.connection, copy(record)))


def _filled(context: Context, group: list[Record], record_ids: list[str]) -> list[Record]:
    """What prepare() gives: the same records. One that it left out would vanish silently."""
    prepare = context.job.prepare
    # Copies, since it is called again for each of them where it fails for one.
    more = prepare([copy(record) for record in group]) if prepare else group
    if not isinstance(more, list | tuple):
        raise CodeError(gave(PREPARE, more, "a list of records"))
    if [record["record_id"] for record in more] != record_ids:
        raise CodeError(gave(PREPARE, more, "the records that it got, in their order"))
    return [*map(Row, more)]
