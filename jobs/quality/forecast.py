"""What the records that wait would cost, live and by message batch, by what a try measured.

Every record is walked through and packed as the run will pack it. What the try was billed corrects
the estimated tokens of the prompts; the answers are as long as those of the try, with the length of
the record taken into account. The interval holds the total in 95 of 100 cases as far as the tried
records are like the others: it comes from the spread between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import cycle
from statistics import fmean

from common.claude import caching, pricing
from common.claude.envelope import estimated_tokens
from common.claude.pricing import Tokens
from common.claude.request import system_prompt
from common.context import Context
from common.delivery.deliver import LITTLE
from common.job import Record
from common.ledger.states import RecordState
from common.records.chunks import packed
from common.records.planned import planned
from common.records.selection import Selected, has_failed, select
from common.runner import per_record
from quality.answer_line import OF_ONE, Line, fitted, mean_is_off

# The narrowest interval, on each side: what no sample of this size can be surer of.
FLOOR = 0.07
_PROMPTS = 0.03  # how well the prompts of other records are known, whose texts are at hand
# Of the reads that a prompt cache could serve in a message batch, 30 to 98 % are served.
_LEAST_HITS = 0.3

Interval = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """What a try says about the records that it did not take."""

    around: int  # estimated tokens that each request has beside its records
    correction: float  # measured tokens of the prompts over the estimated ones
    again: float  # how often a record was asked, since some have to be asked in smaller chunks
    weights: list[float]  # the estimated tokens of each record tried
    outputs: list[float]  # the tokens of what was answered about each


@dataclass
class Rest:
    """The records that wait, and what they would cost. Without a price the intervals are None."""

    records: int = 0
    requests: int = 0
    usd_live: Interval | None = (0.0, 0.0)
    usd_message_batch: Interval | None = (0.0, 0.0)
    # The middle of each: what it would cost, were all as in the try.
    live: float = 0.0
    message_batch: float = 0.0


@dataclass
class _Bill:
    """The cost of some requests to be."""

    records: int = 0
    requests: int = 0
    grown: float = 0.0  # of the weights of the records: see Line
    prompts: float = 0.0  # USD
    answers: float = 0.0
    dearer: float = 0.0  # USD more, where the prompt cache serves few
    priced: bool = True

    def __add__(self, other: _Bill) -> _Bill:
        return _Bill(
            self.records + other.records,
            self.requests + other.requests,
            self.grown + other.grown,
            self.prompts + other.prompts,
            self.answers + other.answers,
            self.dearer + other.dearer,
            self.priced and other.priced,
        )


def forecast(context: Context, measured: Measured) -> Rest:
    """What the records that wait would cost, those that have an answer already left out."""
    line = fitted(measured.weights, measured.outputs)
    # The try has told already of rows that give a record again.
    with closing(select(context, per_record.records_of(context), None, tells=False)) as selected:
        live, deferred = _priced(context, measured, line, selected)
    rest = Rest(live.records, live.requests)
    # What was tried of all is known, and only the others can be off.
    others = 1.0 - len(measured.outputs) / max(1, live.records + len(measured.outputs))
    answers = line.off_at(live.grown / max(1, live.records)) * math.sqrt(others)
    prompts = _prompts_off(context, measured)
    rest.usd_live, rest.live = _interval(live, answers, prompts)
    rest.usd_message_batch, rest.message_batch = _interval(deferred, answers, prompts)
    return rest


def _priced(
    context: Context, measured: Measured, line: Line, selected: Selected
) -> tuple[_Bill, _Bill]:
    """The bills live and by message batch, as delivery/deliver.py sends them."""

    def pricing_of(records: int, *, message_batch: bool) -> _Pricing:
        return _Pricing(context, measured, line, records, message_batch=message_batch)

    failed, fresh = 0, False
    for _, state in selected:
        failed += has_failed(state)
        fresh |= state is None or not state.to_ask
    others = len(selected) - failed
    live = pricing_of(len(selected), message_batch=False)
    deferred = pricing_of(others, message_batch=True)
    for chunk in _chunks(context, measured, selected, lambda state: True):
        live.add(chunk)
        if not failed:
            deferred.add(chunk)
    if others <= LITTLE * context.options.chunk_size and not fresh:
        return live.bill, live.bill  # so little that all of it goes live
    if not failed:
        return live.bill, deferred.bill
    for chunk in _chunks(context, measured, selected, lambda state: not has_failed(state)):
        deferred.add(chunk)
    again = pricing_of(failed, message_batch=False)
    for chunk in _chunks(context, measured, selected, has_failed):
        again.add(chunk)
    return live.bill, deferred.bill + again.bill


def _chunks(
    context: Context,
    measured: Measured,
    selected: Selected,
    wanted: Callable[[RecordState | None], bool],
) -> Iterator[list[float]]:
    """The chunks of those of the selected records that are wanted: the weights of each."""
    records = (record for record, state in selected if wanted(state))
    if context.job.prepare is None:
        for chunk in planned(context, records, lambda record: None):
            yield [float(weight) for weight in chunk.weights]
        return
    # What prepare() would add is not known before it is called: they are taken to be as those of
    # the try.
    as_tried = cycle(measured.weights)

    def weighed() -> Iterator[tuple[Record, int]]:
        for _ in records:
            weight = next(as_tried)
            yield {"weight": weight}, math.ceil(weight)

    for group in packed(weighed(), context.options.chunk_size):
        yield [record["weight"] for record in group]


class _Pricing:
    """Prices the requests of one delivery as the night bills them."""

    def __init__(
        self, context: Context, measured: Measured, line: Line, records: int, *, message_batch: bool
    ) -> None:
        self.bill = _Bill()
        self._model = context.model
        self._measured = measured
        self._line = line
        self._message_batch = message_batch
        self._day: date = datetime.now(UTC).date()
        system = system_prompt(context.job)
        total = -(-records // context.options.chunk_size)
        self._lifetime = caching.lifetime(context.model, system, total, message_batch=message_batch)
        self._system = round(measured.correction * estimated_tokens(system))
        if not caching.is_long_enough(context.model, self._system):
            self._lifetime = ""  # it is asked for in vain

    def add(self, weights: list[float]) -> None:
        """Add the next chunk to the bill. By message batch the first one goes live."""
        first = not self.bill.requests
        self.bill += self._request(weights, first=first, deferred=self._message_batch and not first)

    def _request(self, weights: list[float], *, first: bool, deferred: bool) -> _Bill:
        measured, line = self._measured, self._line
        prompt = round(measured.correction * (measured.around + sum(weights)))
        answer = round(line.tokens(weights))
        cached = self._cached(prompt, first=first)
        prompts = self._usd(cached, deferred)
        whole = self._usd(self._cached(prompt, first=first, output=answer), deferred)
        written = self._usd(self._cached(prompt, first=True), deferred)
        if prompts is None or whole is None or written is None:
            return _Bill(len(weights), 1, priced=False)
        dearer = (written - prompts) * (1 - _LEAST_HITS) if deferred else 0.0
        again = measured.again
        grown = line.grown(weights)
        return _Bill(len(weights), 1, grown, prompts * again, whole - prompts, dearer)

    def _cached(self, prompt: int, *, first: bool, output: int = 0) -> Tokens:
        if not self._lifetime:
            return Tokens(input=prompt, output=output)
        input_tokens, system = max(0, prompt - self._system), self._system
        if not first:
            return Tokens(input=input_tokens, output=output, cache_read=system)
        if self._lifetime == "5m":
            return Tokens(input=input_tokens, output=output, cache_write_5m=system)
        return Tokens(input=input_tokens, output=output, cache_write_1h=system)

    def _usd(self, tokens: Tokens, deferred: bool) -> float | None:
        return pricing.usd(self._model, tokens, self._day, message_batch=deferred)


def _prompts_off(context: Context, measured: Measured) -> float:
    """How far off the prompts may be, as a part of them."""
    if context.job.prepare is None:
        return _PROMPTS
    if len(measured.weights) < 2:
        return OF_ONE
    return max(_PROMPTS, mean_is_off(measured.weights) / fmean(measured.weights))


def _interval(bill: _Bill, answers: float, prompts: float) -> tuple[Interval | None, float]:
    """From and to, and the middle; `answers` and `prompts` say how far off either may be."""
    if not bill.priced:
        return None, 0.0
    middle = bill.prompts + bill.answers
    half = math.hypot(bill.answers * answers, bill.prompts * prompts)
    half = max(half, middle * FLOOR)
    least = bill.prompts * (1 - prompts)
    return (max(least, middle - half), middle + half + bill.dearer), middle
