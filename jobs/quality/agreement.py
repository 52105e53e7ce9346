"""Whether two outputs about the same record say the same."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

_NOT_COMPARED = "runner_up"  # it says what else could be right


def compared_fields(output: type[BaseModel]) -> list[str]:
    """The fields with few values, whose agreement says something; none: all are compared."""
    schema = output.model_json_schema(mode="serialization")
    fields = schema.get("properties", {})
    return [
        name
        for name, field in fields.items()
        if name != _NOT_COMPARED and _has_few_values(field, schema.get("$defs", {}))
    ]


def _has_few_values(field: Any, definitions: dict[str, Any]) -> bool:
    if "$ref" in field:
        field = definitions.get(field["$ref"].rpartition("/")[2], {})
    kinds = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    if kinds != [field]:
        return bool(kinds) and all(_has_few_values(one, definitions) for one in kinds)
    return "enum" in field or "const" in field or field.get("type") == "boolean"


def agree(first: str, second: str, fields: list[str]) -> bool:
    """Whether two outputs, as JSON, are the same in these fields; none: in all but a runner-up.

    Case and space around a text make no difference.
    """
    one, other = json.loads(first), json.loads(second)
    names = fields or sorted({*one, *other} - {_NOT_COMPARED})
    return all(_folded(one.get(name)) == _folded(other.get(name)) for name in names)


def _folded(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).casefold().strip('" ')
