"""A message as it came back: is it one, and what was it billed for? Its shape is never trusted.

A gateway, a proxy or a damaged file can put any JSON, or none, where a message should be.
"""

from __future__ import annotations

import json
from typing import Any, TypeGuard

from common.claude.faults import Fault, Kind
from common.claude.pricing import Tokens

# Reads JSON. A raw control character in a text is no reason to pay for it again.
lenient = json.JSONDecoder(strict=False).decode
# Far more tokens than any request or answer can have: a number above it counts nothing.
_MOST_TOKENS = 1_000_000_000


def message_in(body: str) -> dict[str, Any] | Fault:
    """The message that the body of a 200 holds, or the fault that it is none: nobody's."""
    found = _json(body)
    if is_message(found):
        return found
    # What calls itself a message was generated: a page of some proxy was not.
    generated = isinstance(found, dict) and found.get("type") == "message"
    reason = "an answer that is not a message"
    return Fault(Kind.UNREACHABLE, reason, may_be_billed=True, wasted=generated)


def stored_message(answer: bytes) -> dict[str, Any]:
    """A message out of the ledger; {} where it cannot be read, which answers.py then judges."""
    found = _json(answer)
    return found if is_message(found) else {}


def is_message(found: object) -> TypeGuard[dict[str, Any]]:
    """Whether something is a message whose text and stop reason can be read.

    What it was billed for is another question: an answer without good figures is an answer.
    """
    if not isinstance(found, dict) or found.get("type") != "message":
        return False
    blocks = found.get("content")
    return (
        isinstance(blocks, list)
        and all(map(_is_block, blocks))
        and isinstance(found.get("stop_reason"), str | None)
        and isinstance(found.get("stop_details"), dict | None)
    )


def _is_block(block: object) -> bool:
    return isinstance(block, dict) and (
        block.get("type") != "text" or isinstance(block.get("text"), str)
    )


def tokens_of(message: dict[str, Any]) -> Tokens:
    """What an answer was billed for; `known` is False where its figures are missing or no figures.

    Each number is one that can be: what is none counts as 0.
    """
    usage = message.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    split = usage.get("cache_creation")
    split = {} if split is None else split
    given = (
        _count(usage.get("input_tokens")),
        _count(usage.get("output_tokens")),
        _count(usage.get("cache_creation_input_tokens"), missing=0),
        _count(usage.get("cache_read_input_tokens"), missing=0),
        _count(split.get("ephemeral_1h_input_tokens"), missing=0)
        if isinstance(split, dict)
        else None,
    )
    sent, answered, written, read, for_an_hour = (number or 0 for number in given)
    return Tokens(
        input=sent,
        output=answered,
        cache_write_5m=max(0, written - for_an_hour),
        cache_write_1h=for_an_hour,
        cache_read=read,
        known=None not in given,
    )


def _count(number: object, *, missing: int | None = None) -> int | None:
    """A number of tokens; None for what cannot be one."""
    if number is None:
        return missing
    # Some gateways write whole numbers as 10.0.
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if type(number) is int and 0 <= number <= _MOST_TOKENS:
        return number
    return None


def _json(text: str | bytes) -> Any:
    try:
        return lenient(text if isinstance(text, str) else text.decode())
    except (ValueError, TypeError, RecursionError):  # not JSON, no text, or too deep to be read
        return None
