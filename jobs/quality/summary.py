"""How --try and --eval end: noted in the ledger, and the SUMMARY line in the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.context import Context
from common.ledger.states import Purpose
from common.process import exits
from common.runner.summary_line import log_summary

_FIGURES = ("records", "done", "failed", "dead", "requests", "attempts", "usd")
_TOKENS = ("input_tokens", "output_tokens")


def status_of(purpose: Purpose, code: int) -> str:
    """The word after `status=`. An evaluation ends with 3 where its gate does not let it pass."""
    if purpose is Purpose.EVAL and code == exits.RECORDS_FAILED:
        return "not_passed"
    return exits.STATUS.get(code, "error")


def finish(parts: Sequence[Context], code: int, seconds: float) -> dict[str, Any]:
    """Note the end of what was asked apart, and log its figures together: the summary of all.

    `parts` are contexts made by apart(), one for each model; at least one. `code` is the exit code.
    """
    summary = parts[0].summary(status_of(parts[0].ledger.purpose, code), code, seconds)
    for part in parts:
        part.runs.end(code, part.tally.columns())
    for part in parts[1:]:
        other = part.summary(summary["status"], code, seconds)
        for name in (*_FIGURES, *_TOKENS):
            summary[name] += other[name]
        summary["reasons"] = [*summary["reasons"], *other["reasons"]][:5]
    purpose = str(parts[0].ledger.purpose)
    empty = len(parts[0].tally.empty)
    log_summary(summary, seconds, purpose=purpose, empty=empty, **parts[0].claude.pace())
    return summary
