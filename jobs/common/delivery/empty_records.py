"""Records without a text: nothing is sent about them, and nothing is paid.

Where the job says what they are worth (`empty=`), they are done with that; in a report they stand
as records in which nothing was found. The answer that the job gives in Claude's place goes the way
of any other: committed first, and then used, by this run or by the next.
"""

from __future__ import annotations

import json
import secrets
from itertools import islice

from common.claude.travel_ids import travel_ids
from common.context import Context
from common.delivery.loop import Use
from common.delivery.replay import use_stored
from common.job import Job, Record
from common.ledger.set_aside import Answer
from common.ledger.states import NOT_SENT, Intent, StoredRequest
from common.process import exits
from common.process.exits import JobExit
from common.process.words import counted

_TOGETHER = 500  # records in one answer of ours


def settle(context: Context, records: list[Record], use: Use) -> None:
    """Bring records without a text to their end, or leave them where the job says of none.

    Raises JobExit (78) where no record that this job was ever given had a text.
    """
    if not records:
        return
    job, tally = context.job, context.tally
    tally.empty.update(record["record_id"] for record in records)
    if job.empty is None and not tally.records and not context.runs.ever_sent():
        nothing = f"not one of {counted(len(records), 'record')} has a text"
        remedy = "does the SELECT give the right column, and show() that one?"
        raise JobExit(exits.SETTINGS, f"{nothing}: nothing is sent: {remedy}")
    if job.empty is None and not job.per_day:
        if context.options.stale:
            # Else --limit would choose them night after night, and never come to others.
            with context.ledger.transaction():
                context.ledger.left_as_done(record["record_id"] for record in records)
        return
    stream = iter(records)
    while group := list(islice(stream, _TOGETHER)):
        use_stored(context, use, [(_answered(context, group), group)])


def _answered(context: Context, records: list[Record]) -> StoredRequest:
    """A request that was never sent, in the ledger with the answer that the job gives itself."""
    record_ids = [record["record_id"] for record in records]
    request_id = f"{context.run_id}-empty-{secrets.token_hex(6)}"
    answer = _answer(context.job, record_ids)
    with context.ledger.transaction():
        context.ledger.intend(
            [
                Intent(
                    request_id=request_id,
                    record_ids=record_ids,
                    delivery=NOT_SENT,
                    model=context.model,
                    most_usd=0.0,
                )
            ]
        )
        context.ledger.answered([Answer(request_id, record_ids, answer)])
    return StoredRequest(
        request_id, context.run_id, record_ids, answer.encode(), context.ledger.version
    )


def _answer(job: Job, record_ids: list[str]) -> str:
    if job.empty_output is None:
        said: dict[str, object] = {section: [] for section in job.output.model_fields}
    else:
        output = job.empty_output.model_dump(mode="json", by_alias=True)
        said = {"results": [{"id": name, **output} for name in travel_ids(record_ids)]}
    message = {
        "type": "message",
        "model": "",  # none was asked
        "content": [{"type": "text", "text": json.dumps(said)}],
        "stop_reason": "end_turn",
    }
    return json.dumps(message)
