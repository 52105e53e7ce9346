"""What second opinions may cost, for --dry-run: how many records have a runner-up, nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from common.claude import pricing
from common.claude.pricing import Tokens
from common.context import Context
from common.delivery.model_check import refuse_unfit
from common.ledger.second_answers import SHARE
from common.process.exits import JobExit


class SecondOpinionCosts:
    """Adds up what it would cost to ask the second model about all records, by message batch."""

    def __init__(self, context: Context) -> None:
        self._context = context
        model = context.job.second_opinion
        self._model = model if model != context.model else ""
        self._usd: float | None = 0.0

    def add(self, tokens: Tokens, today: date) -> None:
        """One request more that a run would send."""
        usd = pricing.usd(self._model, tokens, today, message_batch=True) if self._model else 0.0
        self._usd = None if self._usd is None or usd is None else self._usd + usd

    def figures(self) -> dict[str, object]:
        """What --json adds; nothing where no second model is asked."""
        if not self._model:
            return {}
        return {
            "second_opinion": self._model,
            "usd_second_opinion_of_all": self._usd,
            "second_opinion_refused": self._refused(),
        }

    def _refused(self) -> str:
        """Why the second model cannot be asked, "" where it can."""
        setting = f"second_opinion in jobs/{self._context.job.name}.py"
        claude = self._context.claude.asking(self._model, setting)
        context = replace(self._context, claude=claude, delivery="message_batch")
        try:
            refuse_unfit(context, claude.model)
        except JobExit as end:
            return end.message
        return ""


def words_of_second_opinion(figures: Mapping[str, object]) -> Iterator[str]:
    """The same for a person."""
    if not (model := figures.get("second_opinion")):
        return
    usd = figures["usd_second_opinion_of_all"]
    costs = f"${usd:.4f}" if isinstance(usd, float) else "unknown (no price in prices.json)"
    few = f"${usd * SHARE:.4f} at least" if isinstance(usd, float) else "unknown"
    yield (
        f"Second opinions by {model} are not in it: {few}, by message batch, for {SHARE:.0%} of the"
        f" records; {costs} if all had a runner-up."
    )
    if refused := figures["second_opinion_refused"]:
        yield f"Second opinions cannot be had: {refused}"
