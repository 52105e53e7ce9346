"""Answers that reached the ledger in a run that died before it used them: used now, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable

from common.context import Context
from common.database import Record
from common.exchange import Use
from common.log import log
from common.request import Request

# The records with these ids, as far as they are still there.
Find = Callable[[set[str]], dict[str, Record]]


def replay(context: Context, use: Use, find: Find) -> None:
    """Use every answer that waits in the ledger. Records it has no output for are asked again like failed ones."""
    ledger = context.ledger
    # An answer about no record is a merge's: it is found by its id when its report is written.
    unsaved = [sent for sent in ledger.unsaved() if sent.record_ids]
    if not unsaved:
        return
    found = find({record_id for sent in unsaved for record_id in sent.record_ids})
    log.info("using %d answers that the run before had no time for", len(unsaved))
    for sent in unsaved:
        still_its_own = ledger.known(sent.record_ids)
        records = [
            found[record_id]
            for record_id, known in still_its_own.items()
            if known.request_id == sent.request_id
            and known.status == "answered"
            and record_id in found
        ]
        gone = sum(known.status == "answered" for known in still_its_own.values()) - len(records)
        if gone:
            log.warning(
                "%d answered records are not in the SELECT now: their outputs wait in the ledger",
                gone,
            )
        request = Request(sent.request_id, {}, records)
        used = use([(request, json.loads(sent.answer))])[0]
        with ledger.transaction():
            ledger.done(sent.request_id, used.outputs)
            for record_id, fault in used.faults.items():
                ledger.failed([record_id], fault.reason)
            if not gone:
                ledger.closed(sent.request_id, "done")
        context.counts.done += len(used.outputs)
