"""The stand-in's bill in USD."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from common.claude import pricing
from common.claude.pricing import Tokens

# Of requests in the ledger: the USD spent, and the USD possibly spent.
COST = "coalesce(sum(usd), 0), coalesce(sum(unsettled_usd), 0)"


def usd_of(lines: list[dict[str, Any]]) -> float:
    """The cost of these lines of the billing log, at today's prices."""
    today = datetime.now(UTC).date()
    return sum(
        pricing.usd(line["model"], tokens_of(line), today, message_batch=line["tier"] == "batch")
        or 0.0
        for line in lines
    )


def tokens_of(line: dict[str, Any]) -> Tokens:
    """The tokens in a line of the billing log."""
    written, for_an_hour = line["cache_write_tokens"], line["cache_write_1h_tokens"]
    return Tokens(
        input=line["input_tokens"],
        output=line["output_tokens"],
        cache_write_5m=written - for_an_hour,
        cache_write_1h=for_an_hour,
        cache_read=line["cache_read_tokens"],
    )
