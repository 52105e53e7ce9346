"""Answers into the ledger, with what they cost, before anybody looks into them."""

from __future__ import annotations

from collections.abc import Sequence

from common.claude.message import tokens_of
from common.claude.request import Outcome, Request
from common.context import Context
from common.delivery.spending import Spending
from common.ledger.set_aside import Answer
from common.process import exits
from common.process.exits import JobExit

# An answer's text stands in JSON within JSON, and its request and records are written with it.
_BYTES_OF_A_TOKEN = 10
_LEAST_BYTES = 1 << 16


def make_room(context: Context, going: Sequence[Request], in_flight: int) -> None:
    """Make sure that every answer could be stored, were the disk full by then.

    Raises JobExit (74) where it could not: nothing is paid for that would be lost.
    """
    if going:
        tokens = max(int(request.params["max_tokens"]) for request in going)
        each = max(_LEAST_BYTES, _BYTES_OF_A_TOKEN * tokens)
        context.ledger.ready(each * (in_flight + len(going)))


def store(context: Context, spending: Spending, answered: Sequence[Outcome]) -> JobExit | None:
    """Commit answers and count them, each priced first.

    Returns the end of the run where the disk is full, after storing them on its last reserve.
    """
    if not answered:
        return None
    answers = []
    for outcome in answered:
        tokens = tokens_of(outcome.message or {})
        spending.price(outcome, tokens)
        answers.append(
            Answer(
                outcome.request.request_id,
                outcome.request.record_ids,
                outcome.answer,
                outcome.api_request_id,
                tokens,
                outcome.usd,
                outcome.unsettled_usd,
            )
        )
    full = _commit_somehow(context, answers)
    for outcome, answer in zip(answered, answers, strict=True):
        prompt, output = answer.tokens.prompt, answer.tokens.output
        context.tally.answered(outcome.attempts, prompt, output, answer.usd or 0.0)
    return full


def _commit_somehow(context: Context, answers: Sequence[Answer]) -> JobExit | None:
    """Commit answers, on the disk space kept in reserve if need be; then, the fault of the disk."""
    full = None
    # Each character is written twice: to SQLite's log, and from there to its file.
    room = 4 * sum(len(answer.text) for answer in answers)
    while True:
        try:
            _commit(context, answers)
        except JobExit as error:
            full = full or error
            if error.code != exits.CANNOT_WRITE or not context.ledger.release_ballast(room):
                context.ledger.set_aside(answers)
                raise full from error
        else:
            return full


def _commit(context: Context, answers: Sequence[Answer]) -> None:
    with context.ledger.transaction(context.claude.meanwhile):
        context.ledger.answered(answers)
