"""Answers that wait in the ledger are used: those of a run that died before it could, and those of message batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import groupby, islice

from common.claude.request import Request
from common.context import Context
from common.delivery.loop import Use
from common.ledger.ledger import Known, Sent
from common.process.log import log
from common.process.words import counted
from common.records.selection import with_state
from common.records.spool import Spool
from common.source.sqlite_source import Record

_TOGETHER = 100  # requests whose outputs are saved and noted in one commit each


def replay(context: Context, use: Use, records: Iterable[Record]) -> None:
    """Use every answer that waits. Records it has no output for are asked again like failed ones.

    `records` are those of the SELECT; it is read to its end before anything is saved.
    """
    answered = Spool(
        (
            (known.request_id, record)
            for record, known in with_state(context, records)
            if known is not None and known.status == "answered"
        ),
        context.settings.state,
    )
    with closing(answered):
        if answered:
            log.info("using the answers about %s that waited", counted(len(answered), "record"))
        requests = _requests(context, answered)
        while some := list(islice(requests, _TOGETHER)):
            _use(context, use, some)
    gone = sum(1 for _ in context.ledger.unsaved())
    if gone:
        log.warning(
            "%s: records that are not in the SELECT now; the answers wait", counted(gone, "request")
        )


def _requests(
    context: Context, answered: Iterable[tuple[str, Record]]
) -> Iterator[tuple[Sent, list[Record]]]:
    """Each request with its records, as far as they stand together in the SELECT."""
    for request_id, group in groupby(answered, key=lambda pair: pair[0]):
        sent = context.ledger.request(request_id)
        if sent is not None:
            yield sent, [record for _, record in group]


def _use(context: Context, use: Use, some: list[tuple[Sent, list[Record]]]) -> None:
    ledger = context.ledger
    requests = [
        Request(sent.request_id, {}, records, sent.request_id, asked_ids=sent.record_ids)
        for sent, records in some
    ]
    used = use(
        [
            (request, json.loads(sent.answer))
            for request, (sent, _) in zip(requests, some, strict=True)
        ]
    )
    with ledger.transaction():
        for request, result in zip(requests, used, strict=True):
            ledger.done(request.request_id, result.outputs)
            for record_id, fault in result.faults.items():
                ledger.failed([record_id], fault.reason)
                context.troubled.add(record_id)
            context.troubled.difference_update(result.outputs)
            context.counts.done += len(result.outputs)
        for sent, _ in some:
            if not _waits(ledger.known(sent.record_ids), sent.request_id):
                ledger.closed(sent.request_id, "done")


def _waits(known: dict[str, Known], request_id: str) -> bool:
    return any(one.status == "answered" and one.request_id == request_id for one in known.values())
