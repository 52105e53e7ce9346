"""What the log says of an answer and of a verdict."""

from __future__ import annotations

from common.claude.message import tokens_of
from common.claude.request import Outcome
from common.delivery.triage import Verdict
from common.process.log import brief, log
from common.process.words import counted, duration


def log_answer(outcome: Outcome) -> None:
    """Log an answer: what it is about, its tokens, its cost and its time."""
    request, tokens = outcome.request, tokens_of(outcome.message or {})
    log.info(
        "%s: %s%s in %s out tokens, %s, %s",
        request.label,
        f"{counted(len(request.records), 'record')} answered, " if request.records else "",
        f"{tokens.prompt:,}",
        f"{tokens.output:,}",
        "cost unknown" if outcome.usd is None else f"${outcome.usd:.4f}",
        duration(outcome.seconds),
    )


def log_verdict(verdict: Verdict) -> None:
    """Log what a verdict means for records that have no output."""
    for record_id, reason in verdict.dead.items():
        log.error("record %s is a dead letter: %s", brief(record_id), reason)
    if verdict.alone:
        for record_id, reason in verdict.failed.items():
            log.warning("record %s, asked alone: %s: asked again", brief(record_id), reason)
    elif verdict.failed:
        log.warning(
            "%s: %d of %d records without an output (%s): asked again %s",
            verdict.request.label,
            len(verdict.failed),
            len(verdict.request.records),
            verdict.reason,
            verdict.how,
        )
