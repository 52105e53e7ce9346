"""The money side of a run: what a request can cost is reserved before it is sent, what it did cost is put down with its
answer, and an answer is put down before anybody looks into it."""

from __future__ import annotations

from datetime import UTC, datetime

from common.claude import pricing
from common.claude.answers import tokens_of
from common.claude.pricing import Tokens
from common.claude.request import Outcome, Request, most_input_tokens
from common.context import Context
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted, duration


class Accounts:
    """Reserves, stores, counts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ledger = context.ledger
        self._budget = context.budget

    def reserve(self, request: Request) -> bool:
        """Reserve what one attempt of a request can cost; False where that could pass a cap."""
        # As if all of it were written to the cache for an hour, which is the dearest that input can be.
        most = Tokens(
            cache_write_1h=most_input_tokens(request), output=request.params["max_tokens"]
        )
        today = datetime.now(UTC).date()
        half_price = request.delivery == "message_batch"
        request.most_usd = (
            pricing.usd(self._context.model, most, today, message_batch=half_price) or 0.0
        )
        if not self._budget.reserve(request.most_usd):
            return False
        request.reserved_usd = request.most_usd
        return True

    def cap_reached(self) -> JobExit:
        """The end of a run at its cost cap."""
        return JobExit(exits.COST_CAP, f"cost cap: {self._budget.reached()}; the rest waits")

    def may_send_again(self, request: Request, attempts: int, most_usd: float) -> bool:
        """Commit the intent of one more attempt, unless a cap forbids it. `most_usd`: of all attempts that may be billed."""
        # Only an attempt that may have been billed keeps its reservation: after any other, there is no more to reserve.
        more = max(0.0, most_usd - request.reserved_usd)
        if not self._budget.reserve(more):
            return False
        request.reserved_usd += more
        with self._ledger.transaction():
            self._ledger.attempted(request.request_id, attempts, most_usd)
        return True

    def store(self, answered: list[Outcome]) -> JobExit | None:
        """Commit answers. Returns the end of the run where the disk is full, after storing them on its last reserve."""
        if not answered:
            return None
        full = None
        today = datetime.now(UTC).date()
        tokens = [tokens_of(outcome.message or {}) for outcome in answered]
        costs = [
            pricing.usd(
                outcome.request.model or self._context.model,
                spent,
                today,
                message_batch=outcome.request.delivery == "message_batch",
            )
            for outcome, spent in zip(answered, tokens, strict=True)
        ]
        try:
            self._commit(answered, tokens, costs)
        except JobExit as error:
            if error.code != exits.CANNOT_WRITE:
                raise
            self._ledger.release_ballast()
            self._commit(answered, tokens, costs)
            full = error
        for outcome, spent, usd in zip(answered, tokens, costs, strict=True):
            self._count(outcome, spent, usd)
        return full

    def _commit(
        self, answered: list[Outcome], tokens: list[Tokens], costs: list[float | None]
    ) -> None:
        with self._ledger.transaction():
            for outcome, spent, usd in zip(answered, tokens, costs, strict=True):
                self._ledger.answered(
                    outcome.request.request_id,
                    outcome.request.record_ids,
                    outcome.answer,
                    outcome.api_request_id,
                    spent,
                    usd,
                    outcome.unsettled_usd,
                )

    def _count(self, outcome: Outcome, tokens: Tokens, usd: float | None) -> None:
        request, counts = outcome.request, self._context.counts
        counts.attempts += outcome.attempts
        counts.input_tokens += tokens.prompt
        counts.output_tokens += tokens.output
        counts.usd += usd or 0.0
        if request.delivery != "live":  # settled when its message batch has come to its end
            return
        self._budget.settle(request.reserved_usd, (usd or 0.0) + outcome.unsettled_usd)
        log.info(
            "%s: %s%s in %s out tokens, %s, %s",
            request.label,
            f"{counted(len(request.records), 'record')} answered, " if request.records else "",
            f"{tokens.prompt:,}",
            f"{tokens.output:,}",
            "cost unknown" if usd is None else f"${usd:.4f}",
            duration(outcome.seconds),
        )

    def unanswered(self, outcome: Outcome) -> None:
        """Count and settle a request without an answer, inside a ledger transaction."""
        request = outcome.request
        self._context.counts.attempts += outcome.attempts
        self._budget.settle(request.reserved_usd, outcome.unsettled_usd)
        self._ledger.attempted(request.request_id, max(1, outcome.attempts), outcome.unsettled_usd)
