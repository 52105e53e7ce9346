"""The money side of a run: --max-cost for this run, MAX_COST_USD for this job and UTC day.

What a request can cost at most is reserved before it is sent, and settled when its outcome is
known. An attempt whose outcome stays unknown may have been billed: what was reserved for it counts
as spent.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from common.budget import Budget
from common.claude import pricing
from common.claude.faults import Fault, Kind
from common.claude.pricing import Tokens
from common.claude.request import Outcome, Request, most_input_tokens
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log


class Spending:
    """Reserves what requests can cost, and prices answers, at the price of the model of each."""

    def __init__(self, budget: Budget, model: str) -> None:
        self._budget = budget
        self._model = model

    def check_price(self, model: str) -> None:
        """Raises JobExit (78) where there is a cap and the model that is asked has no price.

        `model` is how Claude calls it: the run's model may be another name for it.
        """
        if self._usd(Tokens(), model, self._model) is not None:
            return
        if self._budget.capped:
            raise JobExit(
                exits.SETTINGS,
                f"{pricing.PRICES} has no price for {self._model},"
                " so the cost cap cannot be kept: add one",
            )
        log.warning("%s has no price for %s: its cost is unknown", pricing.PRICES, self._model)

    def reserve(self, request: Request) -> bool:
        """Reserve what one attempt of a request can cost; False where that could pass a cap."""
        # As if all of it were written to the cache for an hour: the dearest that input can be.
        most = Tokens(
            cache_write_1h=most_input_tokens(request), output=request.params["max_tokens"]
        )
        half_price = request.delivery == "message_batch"
        asked = str(request.params.get("model"))
        usd = self._usd(most, asked, self._model, message_batch=half_price)
        request.most_usd = usd or 0.0
        if not self._budget.reserve(request.most_usd):
            return False
        request.reserved_usd = request.most_usd
        return True

    def reserve_again(self, request: Request, most_usd: float) -> bool:
        """Reserve one more attempt; `most_usd`: of all attempts that can have been billed."""
        # Only an attempt that may have been billed keeps its reservation: after any other there is
        # nothing more to reserve.
        more = max(0.0, most_usd - request.reserved_usd)
        if not self._budget.reserve(more):
            return False
        request.reserved_usd += more
        return True

    def settle(self, request: Request, spent: float) -> None:
        """Give back what was reserved for a request, and count what it cost or can have cost."""
        self._budget.settle(request.reserved_usd, spent)

    @property
    def capped(self) -> bool:
        """Whether there is any cap to keep."""
        return self._budget.capped

    def reserve_more(self, usd: float) -> bool:
        """Reserve one more attempt of a request that somebody else sends."""
        return self._budget.reserve(usd)

    def settle_deferred(self, reserved: float, spent: float) -> None:
        """The same for all that another hand sent for this run, once none is under way any more."""
        self._budget.settle(reserved, spent)
        self._budget.read_again()

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

    def _usd(self, tokens: Tokens, *models: str, message_batch: bool = False) -> float | None:
        """The cost at the price of the first of these models that has one; None for none."""
        prices = (pricing.usd(one, tokens, _today(), message_batch=message_batch) for one in models)
        return next((usd for usd in prices if usd is not None), None)

    def cap_reached(self) -> Fault:
        """The fault of a request that a cost cap forbids."""
        return Fault(Kind.CAPPED, f"cost cap: {self._budget.reached()}")


def _today() -> date:
    return datetime.now(UTC).date()
