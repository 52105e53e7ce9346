"""The SUMMARY line of the log, which alerts and people read: the last but one of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.process.log import log


def log_summary(summary: Mapping[str, Any], seconds: float, **more: int | str) -> None:
    """Log the line. `summary` is Context.summary's; of `more`, what is not 0 or "" is added."""
    line = " ".join(
        f"{name}={summary[name]}"
        for name in ("job", "run", "status", "records", "done", "failed", "dead", "requests")
    )
    log.info(
        "SUMMARY %s attempts=%d input_tokens=%d output_tokens=%d usd=%.4f warnings=%d%s"
        " seconds=%.0f",
        line,
        summary["attempts"],
        summary["input_tokens"],
        summary["output_tokens"],
        summary["usd"],
        summary["warnings"],
        "".join(f" {name}={value}" for name, value in more.items() if value),
        seconds,
    )
