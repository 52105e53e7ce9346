"""What the text of a cell may mean, where a JSON schema says what a field can be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

ABSENT: Any = object()
DATES = ("date", "date-time", "time")  # the formats of texts

# Spreadsheets write a truth value in the language of their user.
_YES = ("yes", "true", "1", "y", "wahr", "vrai", "vero", "verdadero", "verdadeiro", "waar")
_NO = ("no", "false", "0", "n", "falsch", "faux", "falso", "onwaar")
# `0,5` can mean one thing alone; `1,250` could be a thousand and more.
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+)")


def choices(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """What a schema can be, each without a choice in it."""
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return [choice for one in schema[key] for choice in choices(one)]
    return [schema]


def candidates(text: str, schema: dict[str, Any]) -> Iterator[Any]:
    """What a text may mean where a schema says what it can be, the likeliest first."""
    for choice in choices(schema):
        kind = choice.get("type")
        if "enum" in choice or "const" in choice:
            yield text
            yield from _numbers(text)
            yield from _truth(text)
        elif kind == "boolean":
            yield from _truth(text)
        elif kind in ("integer", "number"):
            # A spreadsheet writes a long number as 1.23E+15, and drops the other digits.
            if kind == "number" or "e" not in text.casefold():
                yield from _numbers(text)
        elif kind == "array":
            yield from _lists(text, choice.get("items") or {})
        elif kind == "string":
            # A bare number would be seconds since 1970, and a spreadsheet's is something else.
            if choice.get("format") not in DATES or not text.isdecimal():
                yield text
        elif kind != "null":
            yield from _json(text)


def _truth(text: str) -> Iterator[bool]:
    folded = text.casefold()
    if folded in (*_YES, *_NO):
        yield folded in _YES


def _numbers(text: str) -> Iterator[int | float]:
    plain = text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text
    for number in (int, float):
        try:
            value = number(plain)
            is_number = math.isfinite(value) and "_" not in plain
        except (OverflowError, ValueError):  # hundreds of digits, or none
            continue
        if is_number:
            yield value


def _lists(text: str, items: dict[str, Any]) -> Iterator[list[Any]]:
    if text.startswith("["):
        yield from (value for value in _json(text) if isinstance(value, list))
        return
    parts: Sequence[str] = text.split(";" if ";" in text else ",")
    found = []
    for part in filter(None, map(str.strip, parts)):
        value = next(candidates(part, items), ABSENT)
        if value is ABSENT:
            return
        found.append(value)
    yield found


def _json(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except (RecursionError, ValueError):
        return
