"""The money side of a run: what budget.py lets it spend, and what requests and answers cost.

What a request can cost at most is reserved before it is sent, and settled when its outcome is
known. An attempt whose outcome stays unknown may have been billed: what was reserved for it counts
as spent.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from common.budget import Budget
from common.claude import pricing
from common.claude.faults import Fault, Kind
from common.claude.pricing import Tokens
from common.claude.request import Outcome, Request
from common.delivery.near_a_cap.rooms import Rooms
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log

# Of input, that a request is billed for and that cannot be seen in it: what describes the format.
UNSEEN_TOKENS = 500


class Spending:
    """Reserves what requests can cost, and prices answers, at the price of the model of each."""

    def __init__(self, budget: Budget, model: str, rooms: Rooms | None = None) -> None:
        self.budget = budget
        self._model = model
        self.rooms = rooms  # lowers max_tokens where a request would not fit under a cap otherwise
        self.ahead = 0  # records that are to be sent by a deferred delivery
        # The last live request that was answered under a cap, what it was billed for, and its cost.
        self.last_live: tuple[Request, Tokens, float] | None = None

    def check_price(self, model: str) -> None:
        """Raises JobExit (78) where there is a cap and the model that is asked has no price.

        `model` is how Claude calls it: the run's model may be another name for it.
        """
        if self._usd(Tokens(), model, self._model) is not None:
            return
        if self.budget.capped:
            raise JobExit(
                exits.SETTINGS,
                f"{pricing.PRICES} has no price for {self._model},"
                " so the cost cap cannot be kept: add one",
            )
        log.warning("%s has no price for %s: its cost is unknown", pricing.PRICES, self._model)

    def most_usd(self, request: Request) -> float:
        """What one attempt of a request can cost at most; 0 where no price is known."""
        most = replace(most_input(request), output=request.params["max_tokens"])
        half_price = request.delivery == "message_batch"
        asked = str(request.params.get("model"))
        return self._usd(most, asked, self._model, message_batch=half_price) or 0.0

    def reserve(self, request: Request) -> bool:
        """Reserve what one attempt of a request can cost; False where that could pass a cap."""
        if self._reserve(request):
            return True
        return self.rooms is not None and self.rooms.lower(request) and self._reserve(request)

    def _reserve(self, request: Request) -> bool:
        request.most_usd = self.most_usd(request)
        if not self.budget.reserve(request.most_usd):
            return False
        request.reserved_usd = request.most_usd
        return True

    def reserve_again(self, request: Request, most_usd: float) -> bool:
        """Reserve one more attempt; `most_usd`: of all attempts that can have been billed."""
        # Only an attempt that may have been billed keeps its reservation: after any other there is
        # nothing more to reserve.
        more = max(0.0, most_usd - request.reserved_usd)
        if not self.budget.reserve(more):
            return False
        request.reserved_usd += more
        return True

    def settle(self, request: Request, spent: float) -> None:
        """Give back what was reserved for a request, and count what it cost or can have cost."""
        self.budget.settle(request.reserved_usd, spent)

    def reserve_more(self, usd: float) -> bool:
        """Reserve one more attempt of a request that somebody else sends."""
        return self.budget.reserve(usd)

    def price(self, outcome: Outcome, tokens: Tokens) -> None:
        """Note in the outcome what its answer cost, at the price of the model that answered.

        Where the answer does not say what it was billed for, that stays unknown: what was reserved
        for it counts, as for an attempt of unknown outcome.
        """
        if not tokens.known:
            outcome.unsettled_usd += outcome.request.most_usd
            return
        request = outcome.request
        outcome.usd = self._usd(
            tokens,
            str((outcome.message or {}).get("model")),
            str(request.params.get("model")),
            request.model or self._model,
            message_batch=request.delivery == "message_batch",
        )
        if self.budget.capped and request.delivery == "live" and request.records:
            self.last_live = request, tokens, outcome.usd or 0.0
        if self.rooms and outcome.cut_off_by_a_cap:
            self.rooms.too_small()

    def _usd(self, tokens: Tokens, *models: str, message_batch: bool = False) -> float | None:
        """The cost at the price of the first of these models that has one; None for none."""
        prices = (pricing.usd(one, tokens, _today(), message_batch=message_batch) for one in models)
        return next((usd for usd in prices if usd is not None), None)

    def cap_reached(self) -> Fault:
        """The fault of a request that a cost cap forbids."""
        return Fault(Kind.CAPPED, f"cost cap: {self.budget.reached()}")


def most_input(request: Request) -> Tokens:
    """The most input that a request can be billed for: a token is at least a byte.

    What comes before its records is written to the prompt cache where it is marked for that, and
    the records never are. Claude bills each token once: as input, as written or, cheaper, as read.
    """
    content, system = request.params["messages"][0]["content"], request.params["system"]
    in_all = len(request.body) + UNSEEN_TOKENS
    head = in_all - len(content)  # characters are no more than bytes
    if request.counted:
        head, in_all = min(head, request.counted[0]), min(in_all, request.counted[1])
    head = min(head, in_all)
    if isinstance(system, str):
        return Tokens(input=in_all)
    if system[-1]["cache_control"]["ttl"] == "5m":
        return Tokens(input=in_all - head, cache_write_5m=head)
    return Tokens(input=in_all - head, cache_write_1h=head)


def _today() -> date:
    return datetime.now(UTC).date()
