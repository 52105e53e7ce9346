"""What people have corrected: the fields that they filled in, as they stand now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from common.ledger.ledger_database import LedgerDatabase
from common.ledger.lookup import looked_up
from common.ledger.states import Purpose, RecordStatus

# Where an answer of a person's says which fields were filled in: beside the content, in which the
# whole output stands, as {record_id: {field: value}}.
FILLED_IN = "filled_in"

_STANDS = (RecordStatus.CORRECTED, RecordStatus.ANSWERED)  # answered: it is in, and not saved yet


def corrected_fields(file: LedgerDatabase, job: str) -> dict[str, dict[str, Any]]:
    """The fields that a person filled in, as JSON values by record id, of all that stand corrected.

    The fields that a person left as they were are not among them. A correction that another one
    replaced, or that --reprocess asked about again, stands no more.
    """
    fields: dict[str, dict[str, Any]] = {}
    for request_id, filled_in in _answers(file, job):
        for record_id, state in looked_up(file.db, job, [*filled_in]).items():
            if state.request_id == request_id and state.status in _STANDS:
                fields[record_id] = filled_in[record_id]
    return fields


def _answers(file: LedgerDatabase, job: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each answer that a person gave: the id of its request, and the fields that were filled in."""
    ids = file.db.execute(
        "select request_id from requests where job = ? and purpose = ? order by created_at",
        (job, Purpose.CORRECTION),
    ).fetchall()
    for (request_id,) in ids:
        (answer,) = file.db.execute(
            "select answer from requests where request_id = ?", (request_id,)
        ).fetchone()
        yield request_id, json.loads(answer)[FILLED_IN] if answer else {}
