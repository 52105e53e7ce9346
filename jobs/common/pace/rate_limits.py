"""What the headers of a reply say about the account's rate limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite

from common import times

_PREFIX = "anthropic-ratelimit-"
# `tokens` stands for input and output together, where nothing is said about either.
_BOTH = "tokens"
NAMES = ("requests", "input_tokens", "output_tokens", _BOTH)
_MOST = 1e12  # of anything in a minute: what is more is nonsense
_LONGEST = timedelta(minutes=10)  # until a bucket is full: what is longer is no such bucket's


@dataclass(frozen=True)
class RateLimit:
    """One limit, as a reply has told it."""

    limit: float  # a minute
    remaining: float
    capacity: float | None  # what the bucket holds when it is full, where the reply lets us know


def limits_in(headers: Mapping[str, str], server_now: datetime | None) -> dict[str, RateLimit]:
    """Every limit that headers tell in full, by name. What is missing or nonsense is left out.

    `server_now` is the instant by Claude's clock, at which `reset`, by the same clock, is when the
    bucket will be full. From the API's page "Rate limits".
    """
    found = {name: one for name in NAMES if (one := _limit(headers, name, server_now))}
    if "input_tokens" in found or "output_tokens" in found:
        found.pop(_BOTH, None)
    return found


def _limit(headers: Mapping[str, str], name: str, server_now: datetime | None) -> RateLimit | None:
    prefix = f"{_PREFIX}{name.replace('_', '-')}"
    limit, remaining = (_number(headers.get(f"{prefix}-{end}")) for end in ("limit", "remaining"))
    if not limit or remaining is None:
        return None
    reset = _instant(headers.get(f"{prefix}-reset"))
    capacity = None
    if reset and server_now and timedelta(0) <= reset - server_now <= _LONGEST:
        capacity = remaining + limit / 60 * (reset - server_now).total_seconds()
    return RateLimit(limit, remaining, capacity)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if isfinite(number) and 0 <= number <= _MOST else None


def _instant(text: str | None) -> datetime | None:
    try:
        return times.instant(datetime.fromisoformat(text or ""))
    except (ValueError, OverflowError):
        return None
