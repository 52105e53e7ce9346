"""Prompt caching: when the instructions are worth a cache entry that the requests of a run share.

The first request that asks for an entry makes it, and others can read it once Claude has begun to
answer that one. Writing costs more than plain input, reading a tenth: so an entry pays from the
second request on, from the third where it is to last an hour. The API does not cache instructions
below a model's minimum, and does not say so.
"""

from __future__ import annotations

from typing import Any

from common.claude.envelope import estimated_tokens
from common.claude.pricing import undated

# The least tokens that a model caches, by the beginning of its id. Others are not asked to.
_MINIMUM = {
    "claude-haiku-5-5": 512,
    "claude-sonnet-5-5": 512,
    "claude-opus-5-5": 512,
    "claude-opus-5": 512,
    "claude-fable-5": 512,
    "claude-fable-5-1": 512,
    "claude-fable-5-2": 512,
    "claude-mythos-5": 512,
    "claude-mythos-5-1": 512,
    "claude-mythos-5-2": 512,
    "claude-sonnet-5": 1_024,
    "claude-opus-4-8": 1_024,
    "claude-sonnet-4-6": 1_024,
    "claude-sonnet-4-5": 1_024,
    "claude-opus-4-7": 2_048,
    "claude-opus-4-6": 4_096,
    "claude-opus-4-5": 4_096,
    "claude-haiku-4-5": 4_096,
}


def lifetime(model_id: str, system: str, requests: int, *, message_batch: bool) -> str:
    """How long to keep the system prompt of about that many requests: "5m", "1h", "" for not."""
    if not is_long_enough(model_id, estimated_tokens(system)):
        return ""
    if message_batch:
        return "1h" if requests > 2 else ""
    return "5m" if requests > 1 else ""


def is_long_enough(model_id: str, tokens: float) -> bool:
    """Whether a model caches a system prompt of so many tokens."""
    minimum = _MINIMUM.get(undated(model_id))
    return minimum is not None and tokens >= minimum


def system_block(system: str, lifetime: str) -> str | list[dict[str, Any]]:
    """A system prompt as it travels: plain, or as a block whose end is marked."""
    if not lifetime:
        return system
    control = {"type": "ephemeral", "ttl": lifetime}
    return [{"type": "text", "text": system, "cache_control": control}]
