"""Uses the answers that wait in the ledger: of runs that died first, and of deferred deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby
from typing import Any

from common.claude.faults import Fault, Kind
from common.claude.message import stored_message
from common.claude.request import Request
from common.context import Context
from common.delivery.loop import Use
from common.delivery.triage import Reading
from common.job import Record
from common.ledger.states import A_PERSON, Ending, RecordStatus, RequestStatus, StoredRequest
from common.process.log import log
from common.process.words import counted
from common.records.repeated import Repeated
from common.records.selection import with_state
from common.records.spool import Spool

_TOGETHER = 500  # records whose outputs are saved and noted in one commit each, at least

_GONE = "records of it were not in the SELECT any more when its answer came"

Waiting = tuple[StoredRequest, list[Record]]


def replay(context: Context, use: Use, records: Iterable[Record]) -> None:
    """Use every answer that waits. Records it has no output for are asked again like failed ones.

    `records` are those of the SELECT; it is read to its end before anything is saved.
    """
    use_answered(context, use, records)
    _close_the_rest(context)


def use_answered(context: Context, use: Use, records: Iterable[Record]) -> None:
    """Use the answers that wait about these records; it is read to its end before any is saved."""
    repeated = Repeated()
    answered = Spool(
        (
            (state.request_id, record)
            for record, state in with_state(context.ledger, records)
            if state is not None
            and state.status is RecordStatus.ANSWERED
            and not repeated.again(record)
        ),
        context.settings.state,
    )
    with closing(answered):
        if answered:
            log.info("using the answers about %s that waited", counted(len(answered), "record"))
        for group in _together(answered):
            stored = context.ledger.requests([request_id for request_id, _ in group])
            waiting = [(stored[name], records) for name, records in group if name in stored]
            use_stored(context, use, waiting)


def _close_the_rest(context: Context) -> None:
    """What is left is about records that are not in the SELECT: deleted, most likely.

    Their answers stay in the ledger, closed, and are opened again where the records come back.
    """
    rest = [stored.request_id for stored in context.ledger.unsaved()]
    if not rest:
        return
    what = f"{counted(len(rest), 'answer')} about records that are not in the SELECT now"
    if context.options.since or context.options.until:
        log.info("%s, with --since or --until: kept for a run without them", what)
        return
    with context.ledger.transaction():
        context.ledger.closed(rest, RequestStatus.DONE, _GONE)
    log.warning("%s: kept in the ledger, and saved if the records come back", what)


def _together(answered: Iterable[tuple[str, Record]]) -> Iterator[list[tuple[str, list[Record]]]]:
    """The ids of requests, each with its records, as far as they stand together in the SELECT."""
    group: list[tuple[str, list[Record]]] = []
    count = 0
    for request_id, pairs in groupby(answered, key=lambda pair: pair[0]):
        records = [record for _, record in pairs]
        group.append((request_id, records))
        count += len(records)
        if count >= _TOGETHER:
            yield group
            group, count = [], 0
    if group:
        yield group


def use_stored(context: Context, use: Use, group: list[Waiting]) -> None:
    """Use stored answers, each with the records that it is about, and note what came of them."""
    ledger = context.ledger
    readings = use(with_messages(group))
    endings = [
        _ending(stored, reading) for (stored, _), reading in zip(group, readings, strict=True)
    ]
    with ledger.transaction():
        ledger.apply(endings)
        partly = {one.request_id for one in endings if one.status is RequestStatus.ANSWERED}
        over = [
            stored.request_id
            for stored, _ in group
            if stored.request_id in partly and not _waits(context, stored)
        ]
        ledger.closed(over, RequestStatus.DONE)
    context.tally.apply(endings)


def with_messages(group: Iterable[Waiting]) -> list[tuple[Request, dict[str, Any]]]:
    """Stored answers as a run has them: each request with the message that came back."""
    return [
        (
            Request(
                stored.request_id,
                {},
                records,
                stored.request_id,
                run_id=stored.run_id,
                asked_ids=stored.record_ids,
            ),
            stored_message(stored.answer),
        )
        for stored, records in group
    ]


def _ending(request: StoredRequest, reading: Reading) -> Ending:
    by_a_person = request.model == A_PERSON

    def is_final(fault: Fault) -> bool:
        # What a person has given is not asked again: where it cannot be used, a person has to look.
        return fault.kind is Kind.CODE or by_a_person

    faults = reading.faults.items()
    judged = reading.outputs.keys() | reading.faults.keys()
    return Ending(
        request_id=request.request_id,
        version=request.version,
        corrected=by_a_person,
        # It stays answered as long as a record of it is not in the SELECT.
        status=RequestStatus.DONE if judged >= {*request.record_ids} else RequestStatus.ANSWERED,
        done=reading.outputs,
        failed={name: fault.reason for name, fault in faults if not is_final(fault)},
        dead={name: fault.reason for name, fault in faults if is_final(fault)},
    )


def _waits(context: Context, request: StoredRequest) -> bool:
    return any(
        state.status is RecordStatus.ANSWERED and state.request_id == request.request_id
        for state in context.ledger.states(request.record_ids).values()
    )
