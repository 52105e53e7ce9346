"""What the stand-in billed, in money."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from common.claude import pricing
from common.claude.pricing import Tokens


def usd_of(lines: list[dict[str, Any]]) -> float:
    """What the lines of a bill cost."""
    today = datetime.now(UTC).date()
    usd = 0.0
    for line in lines:
        written, for_an_hour = line["cache_write_tokens"], line["cache_write_1h_tokens"]
        spent = Tokens(
            line["input_tokens"],
            line["output_tokens"],
            written - for_an_hour,
            for_an_hour,
            line["cache_read_tokens"],
        )
        usd += (
            pricing.usd(line["model"], spent, today, message_batch=line["tier"] == "batch") or 0.0
        )
    return usd
