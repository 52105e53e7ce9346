"""Answers into the ledger, before anybody looks into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from common.claude.message import tokens_of
from common.claude.request import Outcome, Request
from common.context import Context
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


def store(
    context: Context, answered: Sequence[Outcome], along: Callable[[], None] | None = None
) -> JobExit | None:
    """Commit answers, whose prices are known, and count them.

    `along` notes what is to be committed with them; where it fails, they are committed without.
    Returns the end of the run where `along` or the disk brought it. On a full disk the answers are
    stored on its last reserve.
    """
    if not answered:
        return None
    answers = [
        Answer(
            outcome.request.request_id,
            outcome.request.record_ids,
            outcome.answer,
            outcome.api_request_id,
            tokens_of(outcome.message or {}),
            outcome.usd,
            outcome.unsettled_usd,
        )
        for outcome in answered
    ]
    end = _commit_somehow(context, answers, along)
    for outcome, answer in zip(answered, answers, strict=True):
        prompt, output = answer.tokens.prompt, answer.tokens.output
        context.tally.answered(outcome.attempts, prompt, output, answer.usd or 0.0)
    if end is not None and not isinstance(end, JobExit):
        raise end
    return end


class _AlongFailed(Exception):
    """What was to be committed with answers cannot be: the cause says why."""


def _commit_somehow(
    context: Context, answers: Sequence[Answer], along: Callable[[], None] | None
) -> BaseException | None:
    """Commit answers, on the disk space kept in reserve if need be: why the run ends then."""
    end: BaseException | None = None
    # Each character is written twice: to SQLite's log, and from there to its file.
    room = 4 * sum(len(answer.text) for answer in answers)
    while True:
        try:
            _commit(context, answers, None if end else along)
        except _AlongFailed as error:
            end = error.__cause__
        except JobExit as error:
            end = end or error
            if error.code != exits.CANNOT_WRITE or not context.ledger.release_ballast(room):
                context.ledger.set_aside(answers)
                raise end from error
        else:
            return end


def _commit(context: Context, answers: Sequence[Answer], along: Callable[[], None] | None) -> None:
    with context.ledger.transaction(context.claude.meanwhile):
        context.ledger.answered(answers)
        if along:
            try:
                along()
            except Exception as error:
                raise _AlongFailed from error
