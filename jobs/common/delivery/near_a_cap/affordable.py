"""The requests of a deferred delivery, up to a cost cap: as many as surely do not pass it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from common.claude.request import Request
from common.context import Context
from common.delivery.near_a_cap.counting import TOGETHER, TokenCounter
from common.delivery.near_a_cap.rooms import Rooms
from common.delivery.spending import Spending
from common.process.log import log

_SHARE_TO_LEARN = 0.1  # of what is left, which answers to learn from may cost at most


class Affordable:
    """Reserves what requests can cost; where a cap binds, no more than what they really can."""

    def __init__(self, context: Context, spending: Spending) -> None:
        self._runs = context.runs
        self._spending = spending
        self._rooms = spending.rooms or Rooms(context)
        self._counter = TokenCounter(context, spending)
        self.reserved = 0.0  # USD, for all that came out here and is not settled
        self._spent = 0.0  # USD, by what this run has settled

    def of(self, requests: Iterator[Request], delivery: str) -> Iterator[Request]:
        """The requests up to a cap, each with its cost reserved.

        As soon as it shows that not all will fit, answers get less room, and requests are counted.
        """
        spending = self._spending
        self._rooms.look_again()
        left, usd, records, together, binds = spending.budget.left, 0.0, 0, 1, False
        while group := list(islice(requests, together)):
            for request in group:
                request.delivery = delivery
            if spending.budget.capped and not binds:
                usd += spending.most_usd(group[0])
                records += len(group[0].records)
                binds = usd * max(1.0, spending.ahead / max(1, records)) > left
                if binds:
                    log.info("not all fits under the cost cap: tokens are counted (free)")
            if binds:
                for request in group:
                    self._rooms.lower(request)
                self._counter.count(group)
            for request in group:
                if not spending.reserve(request):
                    return
                self.reserved += request.reserved_usd
                yield request
            if binds:
                more = spending.budget.left / (group[-1].most_usd or 1.0)
                together = 1 + int(min(more, TOGETHER - 1))

    def settle(self, delivery: str) -> None:
        """Nothing more comes in now: what was reserved makes room for what was or can be spent."""
        spent = self._runs.spent_by(delivery)
        self._spending.budget.settle(self.reserved, spent - self._spent)
        self._spending.budget.read_again()
        self.reserved, self._spent = 0.0, spent


def to_learn_from(spending: Spending) -> int:
    """How many more requests had better go live: their answers tell how much room answers need.

    0 where all that is ahead fits anyway, where enough is known, or where it could cost too much.
    """
    if spending.rooms is None or spending.last_live is None:
        return 0
    request, _, usd = spending.last_live
    records = len(request.records)
    # By message batch: half price.
    if request.most_usd / 2 * spending.ahead / records <= spending.budget.left:
        return 0
    spending.rooms.look_again()
    lacking = spending.rooms.lacking(records)
    return lacking if lacking * usd <= _SHARE_TO_LEARN * spending.budget.left else 0
