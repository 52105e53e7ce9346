"""Merges the digests of a day: by one request where they fit into it, else in rounds.

A merge's request id is made of what it asks, so an answer that was paid for is found again by any
later run. Where Claude will not merge, the findings stand as they are: the report is written all
the same, and says why.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, create_model

from common.claude.answers import output_of_chunk
from common.claude.faults import Fault
from common.claude.message import stored_message
from common.claude.request import COMPACT, parameters
from common.context import Context
from common.delivery.loop import Loop
from common.process.log import log
from common.report import digests
from common.report.digests import Group

_ASKED = 3  # times, where asking again can change the answer
_BASE_TOKENS = 4_000
_TOKENS_PER_FINDING = 12


class _Entry(BaseModel):
    title: str
    detail: str
    findings: list[str]


@dataclass
class Merged:
    """A day's groups, its summary or why there is none, and the requests that made them."""

    groups: list[Group]
    summary: str = ""
    missing: str = ""
    request_ids: list[str] = field(default_factory=list)


def merge(context: Context, loop: Loop, period: str, records: int, groups: list[Group]) -> Merged:
    """Unite the groups of a day (2026-11-21) or a week (2026-W47) that say the same.

    Raises JobExit where the run has to end before that.
    """
    result = Merged(groups)
    if not groups:
        result.missing = "nothing was found in the records"
        return result
    while True:
        packs = digests.packs(result.groups)
        united: list[Group] = []
        for number, pack in enumerate(packs, 1):
            label = f"{period}: merge" + (f" {number}/{len(packs)}" if len(packs) > 1 else "")
            answer = _ask(context, loop, period, records, pack, label, result)
            if isinstance(answer, Fault):
                result.missing = answer.reason
                united += pack
            else:
                result.summary = answer["summary"]
                united += digests.united(answer, digests.sections_of(context.job.output), pack)
        shrunk = len(united) < len(result.groups)
        result.groups = united
        if len(packs) == 1 or result.missing or not shrunk:
            break
    if result.missing or len(packs) > 1:
        result.missing = result.missing or "the findings were too many to be merged"
        result.summary = ""
        context.tally.lack(f"{period}: the digests could not be merged: {result.missing}")
        log.error(
            "%s: the digests could not be merged (%s): the report shows them as they are",
            period,
            result.missing,
        )
    return result


def _ask(
    context: Context,
    loop: Loop,
    period: str,
    records: int,
    pack: list[Group],
    label: str,
    result: Merged,
) -> dict[str, Any] | Fault:
    """One merge, from the ledger where it was answered before."""
    sections = digests.sections_of(context.job.output)
    text = digests.merge_text(period, records, pack)
    schema = digests.merge_schema(sections, period)
    model = create_model(
        "Merge", summary=(str, ...), **dict.fromkeys(sections, (list[_Entry], ...))
    )  # type: ignore[call-overload]
    # A copy of the job may share its ledger, and find the same.
    content = json.dumps([context.job.name, context.model, context.job.merge, text, schema])
    base = f"merge-{period}-{hashlib.blake2b(content.encode(), digest_size=12).hexdigest()}"
    fault: Fault | None = None
    for asked in range(1, _ASKED + 1):
        request_id = f"{base}-{asked}"
        if stored := context.ledger.request(request_id):
            message = stored_message(stored.answer)
        else:
            needed = (_BASE_TOKENS + _TOKENS_PER_FINDING * len(pack)) * asked
            system = f"{context.job.merge.strip()}\n{COMPACT}"
            params = parameters(loop.model, system, text, schema, needed)
            reply = loop.ask_once(request_id, params, label)
            if isinstance(reply, Fault):
                return reply
            message = reply
        result.request_ids.append(request_id)
        output, fault = output_of_chunk(model, message)
        if output is not None:
            return output.model_dump()
        if fault is not None and fault.final:
            break
    assert fault is not None
    return fault
