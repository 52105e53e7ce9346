"""The JSON schema of an answer as it travels: what structured outputs take, and no more words.

Each request carries it, and is billed for it. What says nothing to a model stays here: titles that
only repeat a field's or a class's name, defaults that are empty, and what the system prompt says of
ids already.
"""

from __future__ import annotations

from typing import Any

ID = "the record's id, exactly as given"  # what Job.schema says of `id`, and the system prompt too

_made: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of pydantic's in the form that travels, made once for each."""
    if id(schema) not in _made:
        from anthropic import transform_schema

        whole = _terse(schema, schema.get("$defs", {}))
        # The schema itself is kept too, so that its id cannot become another's.
        _made[id(schema)] = schema, transform_schema(whole)
    return _made[id(schema)][1]


def _terse(node: Any, definitions: dict[str, Any], name: str = "") -> Any:
    """A part of a schema without what says nothing; `name`: of the field or definition that it is.

    A reference that has a description is replaced by what it refers to: transform_schema drops all
    that stands beside a `$ref`, and a field's description would be lost.
    """
    if isinstance(node, list):
        return [_terse(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node and node.get("description"):
        target = definitions.get(node["$ref"].rpartition("/")[2], {})
        node = {**target, "title": name, "description": node["description"]}
    terse: dict[str, Any] = {}
    for key, part in node.items():
        if key in ("properties", "$defs"):
            fields = {one: _terse(field, definitions, one) for one, field in part.items()}
            terse |= {key: fields} if fields or key == "properties" else {}
        elif not _says_nothing(key, part, name):
            terse[key] = part if key in ("default", "enum", "const") else _terse(part, definitions)
    return terse


def _says_nothing(key: str, value: Any, name: str) -> bool:
    if key == "title":
        # Of a field pydantic makes it from the name; of a model and an Enum it is the class's name.
        words = str(value).casefold().replace(" ", "_")
        return words == name.casefold() or (not name and str(value).isidentifier())
    if key == "default":
        return value is None or value in ("", [], {})
    return key == "description" and name == "id" and value == ID
