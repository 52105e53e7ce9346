"""What each record cost: its share of the requests that it travelled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise

from common.claude import pricing
from common.claude.answers import sizes_per_record
from common.claude.message import stored_message
from common.claude.pricing import Tokens
from common.ledger.tries import AskedRequest


@dataclass
class Share:
    """One record's part of its requests; `usd` is None where one of them has no known price."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0
    requests: int = 0
    together: int = 0  # the records of the last one, this one included
    paid_now: bool = False  # by the run that is going on

    def add(self, input_tokens: int, output_tokens: int, usd: float | None) -> None:
        """Count its part of one more request."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.usd = None if usd is None or self.usd is None else self.usd + usd
        self.requests += 1


def shares(
    requests: Iterable[AskedRequest],
    run_id: str,
    model: str,
    around: int,
    weight: Callable[[str], float | None],
) -> dict[str, Share]:
    """Each record's share of these requests. The shares of a request add up to the request.

    Of the prompt, what stands `around` the records (estimated tokens) belongs to all alike, and the
    rest to each by its own `weight` (None: not known; then it is as the others). Of the answer,
    each has what is written about it.
    """
    found: dict[str, Share] = {}
    for request in requests:
        ids = request.record_ids
        weights = weights_of(request, weight)
        inputs = parted(request.input_tokens, [around / len(ids) + one for one in weights])
        sizes = sizes_per_record(stored_message(request.answer), ids)
        outputs = parted(request.output_tokens, [sizes[record_id] for record_id in ids])
        costs = _costs(request.usd, model, inputs, outputs)
        for record_id, tokens, answered, usd in zip(ids, inputs, outputs, costs, strict=True):
            share = found.setdefault(record_id, Share())
            share.add(tokens, answered, usd)
            share.together = len(ids)
            share.paid_now |= request.run_id == run_id
    return found


def weights_of(request: AskedRequest, weight: Callable[[str], float | None]) -> list[float]:
    """The weights of a request's records; the mean of the others for one that is not known."""
    given = [weight(record_id) for record_id in request.record_ids]
    known = [one for one in given if one is not None]
    mean = sum(known) / len(known) if known else 1.0
    return [mean if one is None else one for one in given]


def parted(whole: int, weights: Sequence[float]) -> list[int]:
    """A whole number parted by weights, alike where all are 0: the parts add up to it."""
    total = sum(weights)
    if not total:
        weights, total = [1.0] * len(weights), float(len(weights))
    ends = [0, *(round(whole * upto / total) for upto in accumulate(weights))]
    return [end - begin for begin, end in pairwise(ends)]


def _costs(
    usd: float | None, model: str, inputs: Sequence[int], outputs: Sequence[int]
) -> list[float | None]:
    """The USD of a request parted by what input and output cost."""
    if usd is None:
        return [None] * len(inputs)
    day = datetime.now(UTC).date()
    pairs = zip(inputs, outputs, strict=True)
    parts = [
        pricing.usd(model, Tokens(input=sent, output=answered), day) or 0.0
        for sent, answered in pairs
    ]
    total = sum(parts)
    if not total:
        return [usd / len(parts)] * len(parts)
    return [usd * part / total for part in parts]
