"""Whether two outputs about the same record say the same."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from quality.fields import RUNNER_UP, Kind, comparable, fields_of


def compared_fields(output: type[BaseModel]) -> list[str]:
    """The fields with few values, whose agreement says something; none: all are compared."""
    return [
        field.name
        for field in fields_of(output)
        if field.kind is Kind.VALUES and field.name != RUNNER_UP
    ]


def agree(first: str, second: str, fields: list[str]) -> bool:
    """Whether two outputs, as JSON, are the same in these fields; none: in all but a runner-up.

    Case and space around a text make no difference.
    """
    one, other = json.loads(first), json.loads(second)
    names = fields or sorted({*one, *other} - {RUNNER_UP})
    return all(_folded(one.get(name)) == _folded(other.get(name)) for name in names)


def _folded(value: Any) -> str:
    written = json.dumps(comparable(value), sort_keys=True, ensure_ascii=False)
    return written.casefold().strip('" ')
