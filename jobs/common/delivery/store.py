"""Answers into the ledger, with what they cost, before anybody looks into them."""

from __future__ import annotations

from collections.abc import Sequence

from common.claude.message import tokens_of
from common.claude.request import Outcome
from common.context import Context
from common.delivery.spending import Spending
from common.process import exits
from common.process.exits import JobExit


def store(context: Context, spending: Spending, answered: Sequence[Outcome]) -> JobExit | None:
    """Commit answers and count them, each priced first.

    Returns the end of the run where the disk is full, after storing them on its last reserve.
    """
    if not answered:
        return None
    full = None
    for outcome in answered:
        spending.price(outcome, tokens_of(outcome.message or {}))
    try:
        _commit(context, answered)
    except JobExit as error:
        if error.code != exits.CANNOT_WRITE:
            raise
        context.ledger.release_ballast()
        _commit(context, answered)
        full = error
    for outcome in answered:
        tokens = tokens_of(outcome.message or {})
        context.tally.answered(outcome.attempts, tokens.prompt, tokens.output, outcome.usd or 0.0)
    return full


def _commit(context: Context, answered: Sequence[Outcome]) -> None:
    with context.ledger.transaction():
        for outcome in answered:
            context.ledger.answered(
                outcome.request.request_id,
                outcome.request.record_ids,
                outcome.answer,
                outcome.api_request_id,
                tokens_of(outcome.message or {}),
                outcome.usd,
                outcome.unsettled_usd,
            )
