"""The SUMMARY line of the log, which alerts and people read: the last but one of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.process.log import log

_FIGURES = (
    *("job", "run", "status", "records", "done", "failed", "dead"),
    *("requests", "attempts", "input_tokens", "output_tokens"),
)


def log_summary(summary: Mapping[str, Any], seconds: float, **more: int | str) -> None:
    """Log the line. `summary` is Context.summary's; of `more`, what is not 0 or "" is added."""
    line = " ".join(f"{name}={summary[name]}" for name in _FIGURES)
    added = "".join(f" {name}={value}" for name, value in more.items() if value)
    usd, warnings = summary["usd"], summary["warnings"]
    log.info("SUMMARY %s usd=%.4f warnings=%d%s seconds=%.0f", line, usd, warnings, added, seconds)
