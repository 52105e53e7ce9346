"""What a JSON schema says that structured outputs refuse, or that the SDK drops without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# The API's limits for one request.
_MOST_OPTIONAL = 24
_MOST_UNIONS = 16

_PRIMITIVE = (str, int, float, bool, type(None))
_A_MODEL = "write a model with a field for each"
# Formats of strings that no text of Claude's can be.
_FORMATS = {
    "binary": ("bytes", "write str"),
    "base64url": ("bytes", "write str"),
    "base64": ("bytes", "write str"),
    "password": ("a secret", "write str"),
}
# Keywords that the SDK moves into the description, where they bind nobody.
_DROPPED = {
    "prefixItems": ("a tuple of a fixed length", _A_MODEL),
    "contentSchema": ("JSON within a text", "write the type itself in place of Json[…]"),
    "contentMediaType": ("JSON within a text", "write the type itself in place of Json[…]"),
    "patternProperties": ("a free-form mapping", _A_MODEL),
    "not": ("a schema with `not`", "take it out of json_schema_extra"),
    "if": ("a schema with `if`", "take it out of json_schema_extra"),
}


class SchemaWalk:
    """One walk over the schema of an output model, in pydantic's form."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._definitions: dict[str, Any] = schema.get("$defs", {})
        self._counted: set[str] = set()  # a definition that is used twice counts once
        self._optional = 0
        self._unions = 0

    def misfits(self, name: str) -> Iterator[str]:
        """What does not fit, with the path of the field, which begins with the model's name."""
        yield from self._walk(self._schema, name, (), count=True)
        for number, most, what, remedy in (
            (self._optional, _MOST_OPTIONAL, "optional fields", "take the defaults away"),
            (self._unions, _MOST_UNIONS, "fields of several types", "write str in place of unions"),
        ):
            if number > most:
                yield f"{name} has {number} {what}, and Claude takes {most} at most: {remedy}"

    def _walk(
        self, node: dict[str, Any], path: str, inside: tuple[str, ...], *, count: bool
    ) -> Iterator[str]:
        if "$ref" in node:
            yield from self._reference(node["$ref"], path, inside)
            return
        kind = node.get("type")
        choices = [key for key in ("anyOf", "oneOf", "allOf") if key in node]
        values = [*node.get("enum", []), *([node["const"]] if "const" in node else [])]
        dropped = next((_DROPPED[key] for key in _DROPPED if key in node), None)
        if dropped or (kind == "string" and (dropped := _FORMATS.get(node.get("format", "")))):
            yield f"{path} is {dropped[0]}, which Claude cannot give: {dropped[1]}"
        elif choices:
            self._unions += count
            if kind or "properties" in node or len(choices) > 1:
                yield f"{path} mixes {choices[0]} with other types: take json_schema_extra away"
            for choice in node[choices[0]]:
                yield from self._walk(choice, path, inside, count=count)
        elif "enum" in node or "const" in node:
            yield from _value_misfits(values, path)
        elif kind == "object":
            yield from self._object(node, path, inside, count=count)
        elif kind == "array":
            yield from self._array(node, path, inside, count=count)
        elif kind is None:
            yield f"{path} can be anything (Any), and Claude must know its type: write str"
        elif not isinstance(kind, str):
            yield f"{path} has the types {kind}: write them as a union, `str | None`"

    def _reference(self, reference: str, path: str, inside: tuple[str, ...]) -> Iterator[str]:
        name = reference.rpartition("/")[2]
        if name in inside:
            flat = "write a flat list, whose entries name their parent"
            yield f"{path} is a {name} within a {name}, and Claude takes no recursive model: {flat}"
            return
        count = name not in self._counted
        self._counted.add(name)
        target = self._definitions.get(name, {})
        yield from self._walk(target, path, (*inside, name), count=count)

    def _object(
        self, node: dict[str, Any], path: str, inside: tuple[str, ...], *, count: bool
    ) -> Iterator[str]:
        fields = node.get("properties", {})
        if not fields:
            what = "is a free-form mapping (dict), which would come back empty"
            if node.get("additionalProperties") in (None, False):
                what = "has no fields"
            yield f"{path} {what}: {_A_MODEL} key that can occur"
        elif isinstance(node.get("additionalProperties"), dict):
            yield f"{path} takes fields of any name, and Claude gives none: {_A_MODEL}"
        self._optional += count * len(fields.keys() - set(node.get("required", [])))
        for name, field in fields.items():
            yield from self._walk(field, f"{path}.{name}", inside, count=count)

    def _array(
        self, node: dict[str, Any], path: str, inside: tuple[str, ...], *, count: bool
    ) -> Iterator[str]:
        items = node.get("items")
        if not items or not isinstance(items, dict):
            yield f"{path} is a list of anything, and Claude must know of what: write list[str]"
            return
        target = self._definitions.get(items.get("$ref", "").rpartition("/")[2], items)
        if node.get("uniqueItems") and target.get("type") in ("object", "array"):
            yield f"{path} is a set of what no set can hold: write list in place of set"
        yield from self._walk(items, f"{path}[]", inside, count=count)


def _value_misfits(values: list[Any], path: str) -> Iterator[str]:
    """What is wrong with the values of a Literal or of an Enum."""
    if not values:
        yield f"{path} has no value to choose from: give its Literal or Enum some"
    if odd := [value for value in values if not isinstance(value, _PRIMITIVE)]:
        yield f"{path} offers the value {odd[0]!r}: Claude takes text, numbers, true, false, null"
    folded: dict[str, str] = {}
    for value in values:
        if (
            isinstance(value, str)
            and (other := folded.setdefault(value.casefold(), value)) != value
        ):
            yield f"{path} offers {other!r} and {value!r}, and Claude promises no case: keep one"
