"""Counts the tokens of a request, and simulates the prompt cache.

Four bytes of UTF-8 make one token. No real tokeniser counts so, but with this rule a test can
compare the stand-in's bill with a job's ledger to the token.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from standin.models import Model

COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
LIFETIME = {"5m": 300.0, "1h": 3600.0}


def count(size: int) -> int:
    """The tokens of `size` bytes of text, at least 1."""
    return max(1, (size + 3) // 4)


def text_of(block: dict[str, Any]) -> str:
    """The part of a content block that counts: its text, or the JSON of any other block."""
    text = block.get("text")
    return text if isinstance(text, str) else COMPACT.encode(block)


def blocks_of(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """The texts of a request that count, in prefix order, each with its `cache_control` or None."""
    system = body.get("system")
    if isinstance(system, str):
        yield system, None
    elif system:
        for block in system:
            yield text_of(block), block.get("cache_control")
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):
            yield content, None
        else:
            for block in content:
                yield text_of(block), block.get("cache_control")


def schema_json_of(body: Any) -> str:
    """The compact JSON of the answer's schema; "" if the request has no (valid) one."""
    config = body.get("output_config") if isinstance(body, dict) else None
    wanted = config.get("format") if isinstance(config, dict) else None
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    return COMPACT.encode(schema) if isinstance(schema, dict) else ""


def extras_of(body: dict[str, Any], schema_json: str) -> str:
    """The JSON that is billed as input like the texts: the answer's schema and the tools."""
    tools = body.get("tools")
    return schema_json + (COMPACT.encode(tools) if tools else "")


@dataclass
class Usage:
    """The tokens that one generation is billed for."""

    input_tokens: int
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    tier: str = "standard"
    # What the cache gets by it: key -> (readable from, until).
    cached: dict[bytes, tuple[float, float]] = field(default_factory=dict)

    @property
    def metered(self) -> int:
        """The input that counts for a rate limit: all but what was read from the cache."""
        return self.prompt_tokens - self.cache_read

    @property
    def prompt_tokens(self) -> int:
        return self.input_tokens + self.cache_write_5m + self.cache_write_1h + self.cache_read

    def shown(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_creation_input_tokens": self.cache_write_5m + self.cache_write_1h,
            "cache_read_input_tokens": self.cache_read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write_5m,
                "ephemeral_1h_input_tokens": self.cache_write_1h,
            },
            "output_tokens_details": {"thinking_tokens": self.thinking_tokens},
            "service_tier": self.tier,
            "inference_geo": "global",
        }


@dataclass
class PromptCache:
    """The prefixes in the cache: key -> (readable from, until), by the monotonic clock.

    They are in memory only, since a restart may forget them.
    """

    entries: dict[bytes, tuple[float, float]] = field(default_factory=dict)

    def usage(
        self, body: dict[str, Any], model: Model, schema_json: str, ready_in: float = 0.0
    ) -> Usage:
        """The input tokens of `body`, after a look into the cache.

        What it would write can be read `ready_in` seconds later, once `keep` has written it.
        """
        extras = extras_of(body, schema_json)
        size = len(extras) if extras.isascii() else len(extras.encode())
        whole_message = body.get("cache_control")
        if not whole_message and not _marked(body):
            for text, _ in blocks_of(body):
                size += len(text) if text.isascii() else len(text.encode())
            return Usage(count(size))
        return self._cached_usage(body, model, schema_json, size, ready_in)

    def keep(self, usage: Usage) -> None:
        """Write what a request that is carried out brings into the cache."""
        self.entries.update(usage.cached)

    def _cached_usage(
        self, body: dict[str, Any], model: Model, schema_json: str, extras: int, ready_in: float
    ) -> Usage:
        # A prefix is found again only for the same model, format, tools and thinking.
        settings = [model.id, extras_of(body, schema_json), body.get("thinking")]
        digest = sha256(json.dumps(settings).encode())
        breakpoints: list[tuple[int, str, bytes]] = []
        size = 0
        blocks = list(blocks_of(body))
        if body.get("cache_control"):
            blocks[-1] = (blocks[-1][0], body["cache_control"])
        for text, control in blocks:
            raw = text.encode()
            size += len(raw)
            digest.update(b"\0" + raw)
            if control and count(size) >= model.cache_minimum:
                breakpoints.append((count(size), control.get("ttl", "5m"), digest.digest()))
        now = time.monotonic()
        usage = Usage(0)
        reached = 0
        for tokens, ttl, key in breakpoints:
            ready, expires = self.entries.get(key, (0.0, 0.0))
            if ready <= now < expires:
                usage.cache_read = reached = tokens
                usage.cached[key] = (ready, now + LIFETIME[ttl])
        for tokens, ttl, key in breakpoints:
            if tokens > reached:
                if ttl == "1h":
                    usage.cache_write_1h += tokens - reached
                else:
                    usage.cache_write_5m += tokens - reached
                reached = tokens
                usage.cached[key] = (now + ready_in, now + ready_in + LIFETIME[ttl])
        usage.input_tokens = max(0, count(size + extras) - reached)
        return usage


def _marked(body: dict[str, Any]) -> bool:
    """Whether any block asks for caching. Requests without it need no hashes."""
    return any(control for _, control in blocks_of(body))


def cut(text: str, tokens: int) -> str:
    """The beginning of `text`: at most `tokens` tokens, and no half character at the end."""
    raw = text.encode()
    return raw[: tokens * 4].decode(errors="ignore")
