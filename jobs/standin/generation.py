"""One generation: a request that passed the checks becomes a message and a line on the bill."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count as counter
from typing import Any

from standin.extraction import Extraction, as_text
from standin.models import Model
from standin.problems import invalid
from standin.read_envelope import Envelope, open_envelope
from standin.scripted_faults import Fault
from standin.spoiling import change, half, spoiled_value
from standin.tokens import PromptCache, Usage, count, cut

BILLED_REFUSALS = {"bio", "frontier_llm", "reasoning_extraction"}
CHANGED_VALUES = {"missing_id", "doubled_id", "foreign_id", "wrong_case", "half_emoji"}
HALVED = {
    "half_json": "end_turn",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "model_context_window_exceeded",
}
THINKING_TOKENS = 32


@dataclass(frozen=True)
class Generation:
    """A message for the reply, and its line on the bill (None if the API would not charge)."""

    message: dict[str, Any]
    bill: dict[str, Any] | None


@dataclass
class Generator:
    """Makes messages. Keeps the prompt cache and the compiled schemas between requests."""

    extraction: Extraction = field(default_factory=Extraction)
    cache: PromptCache = field(default_factory=PromptCache)
    # Two stand-ins that use the same state directory must not give the same message ids.
    prefix: str = field(default_factory=lambda: secrets.token_hex(6))
    numbers: Any = field(default_factory=lambda: counter(1))

    def input_tokens(self, body: dict[str, Any], model: Model, schema_json: str) -> int:
        """What count_tokens answers for `body`. The prompt cache makes no difference to it."""
        return PromptCache().usage(body, model, schema_json).prompt_tokens

    def generate(
        self,
        body: dict[str, Any],
        model: Model,
        schema_json: str,
        envelope: Envelope | None = None,
        fault: Fault | None = None,
        custom_id: str | None = None,
        latency: float = 0.0,
        admit: Callable[[int], None] = lambda tokens: None,
    ) -> Generation:
        """The answer to `body`, a request that has passed the strictness checks.

        A `custom_id` says that the request is part of a message batch. Later requests can read
        what `body` writes to the prompt cache after `latency` seconds. `admit` is called before
        anything is made, with the input tokens that count for a rate limit; it may raise `Refused`.

        Raises `Refused` (400) for a prompt that is too long.
        """
        usage = self.cache.usage(body, model, schema_json, latency)
        if usage.prompt_tokens > model.context:
            raise invalid(
                f"prompt is too long: {usage.prompt_tokens} tokens > {model.context} maximum"
            )
        admit(usage.metered)
        self.cache.keep(usage)
        usage.tier = "standard" if custom_id is None else "batch"
        envelope = envelope or open_envelope(body)
        kind = fault.kind if fault else ""
        message = self._message(body, usage)
        billed = True
        if kind == "refusal" and fault:
            billed = refuse(message, fault.options.get("category"), usage)
        else:
            schema = body["output_config"]["format"]["schema"] if schema_json else None
            answer = self.extraction.answer(envelope, schema, schema_json)
            if kind in CHANGED_VALUES:
                answer = spoiled_value(kind, answer, schema or {})
            write(
                message, as_text(answer, compact=envelope.compact), body["max_tokens"], kind, usage
            )
        message["usage"] = usage.shown()
        if kind == "changed" and fault:
            change(message, fault.options)
        return Generation(message, bill(message, usage, envelope, custom_id) if billed else None)

    def _message(self, body: dict[str, Any], usage: Usage) -> dict[str, Any]:
        return {
            "id": f"msg_{self.prefix}{next(self.numbers):08d}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "stop_details": None,
            "usage": None,
        }


def write(message: dict[str, Any], text: str, max_tokens: int, kind: str, usage: Usage) -> None:
    """Put the answer's text into the message: cut to `max_tokens`, or as the fault `kind` says."""
    if kind in HALVED:
        text = half(text)
        message["stop_reason"] = HALVED[kind]
    elif kind == "unknown_stop":
        message["stop_reason"] = "a_reason_of_the_future"
    elif kind == "thinking_first":
        message["content"].append({"type": "thinking", "thinking": "", "signature": "c3RhbmQtaW4="})
        usage.thinking_tokens = min(THINKING_TOKENS, max_tokens - 1)
    room = max_tokens - usage.thinking_tokens
    tokens = count(len(text) if text.isascii() else len(text.encode()))
    if tokens > room:
        text = cut(text, room)
        tokens = count(len(text.encode()))
        message["stop_reason"] = "max_tokens"
    message["content"].append({"type": "text", "text": text})
    usage.output_tokens = tokens + usage.thinking_tokens


def refuse(message: dict[str, Any], category: str | None, usage: Usage) -> bool:
    """Make the message a refusal without output; its category decides whether it is billed."""
    message["stop_reason"] = "refusal"
    message["stop_details"] = {
        "type": "refusal",
        "category": category,
        "explanation": "The stand-in was told to refuse this request.",
    }
    if category in BILLED_REFUSALS:
        usage.output_tokens = count(0)
        return True
    usage.input_tokens = usage.cache_write_5m = usage.cache_write_1h = usage.cache_read = 0
    return False


def bill(
    message: dict[str, Any], usage: Usage, envelope: Envelope, custom_id: str | None
) -> dict[str, Any]:
    """The line of the billing log for one generation."""
    return {
        "id": message["id"],
        "custom_id": custom_id,
        "model": message["model"],
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "cache_read_tokens": usage.cache_read,
        "tier": usage.tier,
        "records": envelope.record_ids,
        "finding_keys": len(envelope.findings),
    }
