"""Merges the digests of a day: by one request where they fit into it, else in rounds.

A merge's request id is made of what it asks, so an answer that was paid for is found again by any
later run. Where Claude will not merge, the findings stand as they are: the report is written all
the same, and says why. Which earlier theme each one goes on with is asked for by the request that
ends the merge: see earlier_themes.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, create_model

from common.claude.answers import output_of_chunk
from common.claude.faults import Fault
from common.claude.message import stored_message
from common.claude.models_api import Model
from common.claude.request import COMPACT, parameters
from common.context import Context
from common.delivery.loop import Loop
from common.ledger.reported.stored_merges import newest_merge
from common.process.log import log
from common.report import digests
from common.report.digests import Group
from common.report.trend import earlier_themes
from common.report.trend.earlier_themes import Heading

_ASKED = 3  # times, where asking again can change the answer
_BASE_TOKENS = 4_000
_TOKENS_PER_FINDING = 12


class _Entry(BaseModel):
    title: str
    detail: str
    findings: list[str]
    continues: object = ""


@dataclass
class Merged:
    """A day's groups, its summary or why there is none, and the requests that made them.

    `traced`: its themes say which earlier ones they go on with.
    """

    groups: list[Group]
    summary: str = ""
    missing: str = ""
    request_ids: list[str] = field(default_factory=list)
    traced: bool = False


def merge(
    context: Context,
    loop: Loop,
    period: str,
    records: int,
    groups: list[Group],
    earlier: Sequence[Heading] = (),
    *,
    written: bool = False,
) -> Merged:
    """Unite the groups of a day (2026-11-21) or a week (2026-W47) that say the same.

    `earlier`: the headings that travel with the request that ends the merge. `written`: there was
    a report of just these groups, so that its merge is taken whatever travelled with it then.
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
            question = Question(context, period, records, pack, earlier if len(packs) == 1 else ())
            answer = _ask(context, loop, question, label, result, written=written)
            if isinstance(answer, Fault):
                result.missing = answer.reason
                united += pack
            else:
                result.summary = answer["summary"]
                united += digests.united(answer, question.sections, pack)
        shrunk = len(united) < len(result.groups)
        result.groups = united
        if len(packs) == 1 or result.missing or not shrunk:
            break
    if result.missing or len(packs) > 1:
        result.missing = result.missing or "the findings were too many to be merged"
        result.summary = ""
        result.groups = digests.unplaced(result.groups)
        context.tally.lack(f"{period}: the digests could not be merged: {result.missing}")
        log.error(
            "%s: the digests could not be merged (%s): the report shows them as they are",
            period,
            result.missing,
        )
    return result


def questions(
    context: Context, period: str, records: int, groups: list[Group], earlier: Sequence[Heading]
) -> list[Question]:
    """What the merge of these groups asks first: one question, where they fit into it."""
    packs = digests.packs(groups)
    return [
        Question(context, period, records, pack, earlier if len(packs) == 1 else ())
        for pack in packs
    ]


class Question:
    """What one merge asks, and what its request is called by that."""

    def __init__(
        self,
        context: Context,
        period: str,
        records: int,
        pack: list[Group],
        earlier: Sequence[Heading],
    ) -> None:
        job, self.pack, self.earlier = context.job, pack, earlier
        self.sections = digests.sections_of(job.output)
        findings = digests.merge_text(period, records, pack)
        self.text, rules = findings, [job.merge.strip(), COMPACT]
        if earlier:
            self.text = f"{earlier_themes.shown(earlier)}\n{findings}"
            rules.insert(1, earlier_themes.RULE)
        self.system = "\n".join(rules)
        self.schema = digests.merge_schema(self.sections, period, continuing=bool(earlier))
        # The name begins with what the findings are, as it was before anything else was asked: a
        # merge that a version before has paid for is found by it. A copy of the job may share its
        # ledger, and find the same.
        plain = digests.merge_schema(self.sections, period, plain=True)
        about = [job.name, context.model, job.merge, findings, plain]
        self.beginning = f"merge-{period}-{_hash(about, 12)}-"
        self.name = f"{self.beginning}{_hash([self.system, self.text, self.schema], 4)}"

    def params(self, model: Model, asked: int = 1) -> dict[str, Any]:
        """The parameters of its request, with `asked` times the usual room for its answer."""
        return parameters(model, self.system, self.text, self.schema, self.needed * asked)

    @property
    def needed(self) -> int:
        """The tokens that its answer may need."""
        return _BASE_TOKENS + _TOKENS_PER_FINDING * len(self.pack)

    def read(self, output: BaseModel, *, traced: bool) -> dict[str, Any]:
        """An answer, whose themes have the ids of the earlier ones that they go on with.

        Its keys mean nothing where it was not `traced`: asked about just these earlier themes.
        """
        answer = output.model_dump()
        for section in self.sections:
            for entry in answer[section]:
                key = entry.pop("continues") if traced else ""
                entry["theme"] = earlier_themes.continued(key, section, self.earlier)
        return answer


def _hash(content: list[Any], size: int) -> str:
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=size).hexdigest()


def _ask(
    context: Context,
    loop: Loop,
    question: Question,
    label: str,
    result: Merged,
    *,
    written: bool,
) -> dict[str, Any] | Fault:
    """One merge, from the ledger where it was answered before."""
    model = create_model(
        "Merge", summary=(str, ...), **dict.fromkeys(question.sections, (list[_Entry], ...))
    )  # type: ignore[call-overload]
    ids = [f"{question.name}-{asked}" for asked in range(1, _ASKED + 1)]
    ledger = context.ledger
    if written and not ledger.requests(ids):
        former = newest_merge(ledger.database.db, question.beginning)
        if (stored := ledger.request(former)) and (
            output := output_of_chunk(model, stored_message(stored.answer))[0]
        ):
            result.request_ids.append(former)
            return question.read(output, traced=False)
    fault: Fault | None = None
    for asked, request_id in enumerate(ids, 1):
        if stored := ledger.request(request_id):
            message = stored_message(stored.answer)
        else:
            reply = loop.ask_once(request_id, question.params(loop.model, asked), label)
            if isinstance(reply, Fault):
                return reply
            message = reply
        result.request_ids.append(request_id)
        output, fault = output_of_chunk(model, message)
        if output is not None:
            result.traced = bool(question.earlier)
            return question.read(output, traced=result.traced)
        if fault is not None and fault.final:
            break
    assert fault is not None
    return fault
