"""Whether two outputs about the same record say the same."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from quality.fields import RUNNER_UP, Kind, comparable, fields_of

_APART = 0.1  # of the larger number, and of 1


def compared_fields(output: type[BaseModel]) -> list[str]:
    """The fields with few values, whose agreement says something; none: all are compared."""
    return [
        field.name
        for field in fields_of(output)
        if field.kind is Kind.VALUES and field.name != RUNNER_UP
    ]


def agree(first: str, second: str, fields: list[str]) -> bool:
    """Whether two outputs, as JSON, are the same in these fields; none: in all but a runner-up."""
    one, other = json.loads(first), json.loads(second)
    names = fields or sorted({*one, *other} - {RUNNER_UP})
    return all(same(one.get(name), other.get(name)) for name in names)


def same(first: Any, second: Any) -> bool:
    """Whether two values of a field, as JSON, say the same.

    Case and space around a text make no difference, nor do numbers that are nearly the same, where
    one of them is no whole number: what a model is unsure of moves about.
    """
    if isinstance(first, float) or isinstance(second, float):
        if not isinstance(first, int | float) or not isinstance(second, int | float):
            return False
        return abs(first - second) <= _APART * max(1.0, abs(first), abs(second))
    return _folded(first) == _folded(second)


def _folded(value: Any) -> str:
    written = json.dumps(comparable(value), sort_keys=True, ensure_ascii=False)
    return written.casefold().strip('" ')
