"""--dry-run: what a run would send and what it would cost. It changes nothing and costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from common.claude import pricing
from common.claude.envelope import estimated_tokens
from common.claude.faults import Fault, is_refused_for_the_job
from common.claude.models_api import Model
from common.claude.pricing import Tokens
from common.claude.request import ask_about
from common.context import Context
from common.delivery.model_check import refuse_unfit
from common.job import Record
from common.process import exits
from common.process.exits import JobExit
from common.records.days import Survey, days, in_order, none_found, records_of, report_zone, survey
from common.records.planned import planned
from common.records.selection import room_left, select
from common.runner import per_record
from common.runner.first_request import about_one, first_of
from common.runner.first_request import in_words as in_full
from common.runner.second_opinion_costs import SecondOpinionCosts, words_of_second_opinion
from common.times import Day

_OVERHEAD = 300  # tokens of a request beside records and instructions: the envelope, the format
SHARE_OF_OUTPUT = 0.5  # of what an answer may need at most
_MERGE = Tokens(input=3_000, output=1_500)  # of a day's digests, roughly


def estimate(context: Context) -> dict[str, object]:
    """Records, requests, tokens and USD, live and by message batch.

    Input tokens are estimated from the texts' length; where Claude can be asked, it counts the
    first chunk, which corrects the estimate of all. `counted_on` says on how many records, and
    `note` why on none. `empty`: records without a text. `none_found`: which days have no record,
    where a report has none to tell of. `kept`: records that --try or --eval has answered, which are
    not paid for again. `first_request`, with --show: see first_request.py.
    """
    instructions = estimated_tokens(context.job.instructions) + _OVERHEAD
    total = Total(context)
    sample: _Sample | None = None
    room = room_left(context)
    records = empty = kept = 0
    first: dict[str, Any] | None = None
    none: list[str] = []
    looked_at: list[Day] = []
    known = Known(context)
    for group in _groups(context, none, looked_at):
        with closing(select(context, group, room)) as selected:
            room = None if room is None else room - selected.new
            wanted = (record for record, _ in selected)
            for chunk in planned(context, wanted, selected.empty.append):
                records += len(chunk.records)
                answer = round(len(chunk.records) * context.job.output_tokens * SHARE_OF_OUTPUT)
                estimated = instructions + sum(chunk.weights)
                sample = sample or _counted(context, known, chunk.records, estimated)
                total.add(Tokens(input=round(estimated * sample.correction), output=answer))
            empty += len(selected.empty)
            kept += len(selected.kept)
            if context.options.show and first is None and len(selected):
                first = first_of(context, selected, *known.model)
        if len(selected) and context.job.per_day:
            total.add(_MERGE)
    if context.options.show and first is None:
        first = about_one(context, _of_any_state(context, looked_at), *known.model)
    return {
        **({"first_request": first} if context.options.show else {}),
        "job": context.job.name,
        "model": context.model,
        "records": records,
        "requests": total.requests,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "usd_live": total.usd[False],
        "usd_message_batch": total.usd[True],
        "counted_on": sample.records if sample else 0,
        "note": sample.note if sample else "",
        "empty": empty,
        "none_found": "".join(none),
        "kept": kept,
        **total.second.figures(),
    }


class Total:
    """What all requests together would be, and cost."""

    def __init__(self, context: Context) -> None:
        self.requests = self.input_tokens = self.output_tokens = 0
        # By whether they go by message batch; None where no price is known.
        self.usd: dict[bool, float | None] = {False: 0.0, True: 0.0}
        self.second = SecondOpinionCosts(context)
        self._model = context.model
        self._today = datetime.now(UTC).date()

    def add(self, tokens: Tokens) -> None:
        """One request more."""
        self.requests += 1
        self.input_tokens += tokens.input
        self.output_tokens += tokens.output
        for message_batch, so_far in self.usd.items():
            cost = pricing.usd(self._model, tokens, self._today, message_batch=message_batch)
            self.usd[message_batch] = None if so_far is None or cost is None else so_far + cost
        self.second.add(tokens, self._today)


@dataclass(frozen=True)
class _Sample:
    """What counting one chunk says about the estimate."""

    records: int = 0
    correction: float = 1.0
    note: str = ""


class Known:
    """What is known of the run's model, asked once."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def model(self) -> tuple[Model, str]:
        """What it takes; or what any model does, and why no more is known.

        Raises JobExit (78) where it cannot do what is asked of it.
        """
        try:
            model = self._context.claude.model
        except JobExit as end:
            return Model(self._context.model), end.message
        refuse_unfit(self._context, model)
        return model, ""


def _counted(context: Context, known: Known, chunk: list[Record], estimated: int) -> _Sample:
    model, unsure = known.model
    if unsure:
        return _Sample(note=unsure)
    try:
        counted = context.claude.input_tokens(ask_about(context.job, model, chunk))
    except JobExit as end:
        return _Sample(note=end.message)
    if isinstance(counted, Fault) and is_refused_for_the_job(counted):
        so = f"Claude refuses the first request, as it would in a run: {counted.reason}"
        raise JobExit(exits.SETTINGS, f"{so}: mend jobs/{context.job.name}.py")
    if isinstance(counted, Fault):
        return _Sample(note=counted.reason)
    return _Sample(len(chunk), counted / estimated)


def money(usd: object) -> str:
    """USD for a person; None where no price is known."""
    return f"${usd:.4f}" if isinstance(usd, float) else "unknown (no price in prices.json)"


def in_words(figures: dict[str, object]) -> str:
    """An estimate for a person."""
    first = figures.get("first_request")
    return "\n".join(
        [
            *(in_full(first) if isinstance(first, dict) else ()),
            f"{figures['job']} with {figures['model']} would send, about:",
            f"  records        {figures['records']:>12,}",
            f"  requests       {figures['requests']:>12,}",
            f"  input tokens   {figures['input_tokens']:>12,}",
            f"  output tokens  {figures['output_tokens']:>12,}",
            f"  live           {money(figures['usd_live']):>12}",
            f"  message batch  {money(figures['usd_message_batch']):>12}",
            *_sources(figures),
            "Nothing was sent, nothing was changed.",
        ]
    )


def _sources(figures: dict[str, object]) -> Iterator[str]:
    """Where the figures come from."""
    if figures["none_found"]:
        yield f"No record: {figures['none_found']}."
    if figures["empty"]:
        yield f"Records without a text, about which nothing is sent: {figures['empty']}."
    if figures["kept"]:
        yield f"Records that --try or --eval has answered, not paid for again: {figures['kept']}."
    if figures["counted_on"]:
        counted_on = f"{figures['counted_on']} records"
        yield f"Input tokens are those that count_tokens says of {counted_on}, for all of them."
    elif figures["records"]:
        yield f"Input tokens are estimated from the texts' length ({figures['note']})."
    yield "Output tokens are half of what the answers may need."
    yield from words_of_second_opinion(figures)


def _of_any_state(context: Context, looked_at: list[Day]) -> Iterator[Record]:
    """Records that need not wait: of the SELECT, or of the days looked at, the last one first."""
    if context.job.per_day:
        for day in reversed(looked_at):
            yield from records_of(context, day)
    else:
        options = replace(context.options, reprocess=True)
        yield from per_record.records_of(replace(context, options=options))


def _groups(context: Context, none: list[str], looked_at: list[Day]) -> Iterator[Iterator[Record]]:
    """The records of each group that the run would work on.

    `looked_at` gets the days of a report. Where these have no record, `none` gets the words for
    that.
    """
    if not context.job.per_day:
        yield per_record.records_of(context)
        return
    zone_name, zone = report_zone(context.settings)
    looked_at += days(context, zone, context.clock.utc_now())
    found = survey(context, looked_at) if looked_at else Survey()
    if looked_at and not any(found.records[day.date] for day in looked_at):
        none.append(none_found(looked_at, zone_name, found))
    for day in in_order(context, looked_at, found):
        if found.wanted[day.date]:
            yield records_of(context, day)
