"""Which answer schemas the API compiles, and what it says of the others.

They catch a wrong schema in the test of a job, before the API refuses it in production.
"""

import re
from typing import Any

from standin.problems import invalid

ANNOTATIONS = {"title", "description", "default", "examples", "$schema", "$comment"}
STRUCTURE = {"type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions"}
OF_TYPE: dict[str, set[str]] = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems"},
    "string": {"format", "pattern"},
    "integer": set(),
    "number": set(),
    "boolean": set(),
    "null": set(),
}
FORMATS = (
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
)
MOST_OPTIONAL = 24
MOST_UNIONS = 16
UNSUPPORTED_PATTERN = re.compile(r"\(\?[=!<]|\\[1-9bB]")
WHERE = "output_config.format.schema"


class SchemaCheck:
    """One walk over one schema. It raises `Refused` at the first thing the API would refuse."""

    def __init__(self, schema: dict[str, Any], where: str = WHERE) -> None:
        self.root = schema
        self.where = where
        self.optional = 0
        self.unions = 0
        self.seen: set[str] = set()

    def check(self) -> None:
        self.walk(self.root, ())
        if self.optional > MOST_OPTIONAL or self.unions > MOST_UNIONS:
            raise invalid("Schema is too complex for compilation.")

    def refuse(self, words: str) -> Exception:
        return invalid(f"{self.where}: {words}")

    def walk(self, node: Any, inside: tuple[str, ...]) -> None:
        """Check `node`. `inside` are the references that lead to it: they show recursion."""
        if not isinstance(node, dict):
            raise self.refuse("Input should be a valid dictionary")
        if "$ref" in node:
            self.reference(node["$ref"], inside)
            return
        types = self.types(node)
        allowed = ANNOTATIONS | STRUCTURE
        for kind in types:
            allowed = allowed | OF_TYPE[kind]
        unknown = sorted(set(node) - allowed)
        if unknown:
            kind = f"For '{types[0]}' type" if types else "Here"
            noun = "property" if len(unknown) == 1 else "properties"
            verb = "is" if len(unknown) == 1 else "are"
            raise self.refuse(f"{kind}, {noun} '{', '.join(unknown)}' {verb} not supported")
        if not types and not {"enum", "const", "anyOf", "allOf"} & set(node):
            raise self.refuse("Schema must have a 'type', 'anyOf', 'allOf', 'enum' or '$ref'")
        self.values(node)
        self.choices(node, inside)
        for kind in types:
            if kind == "object":
                self.object(node, inside)
            elif kind == "array":
                self.array(node, inside)
            elif kind == "string":
                self.string(node)

    def types(self, node: dict[str, Any]) -> list[str]:
        if "type" not in node:
            return []
        kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
        if isinstance(node["type"], list):
            self.unions += 1
        for kind in kinds:
            if not isinstance(kind, str) or kind not in OF_TYPE:
                raise self.refuse(f"Invalid schema type: {kind!r}")
        return kinds

    def values(self, node: dict[str, Any]) -> None:
        if "enum" not in node:
            return
        values = node["enum"]
        if not isinstance(values, list) or not values:
            raise self.refuse("'enum' must be a list with at least one value")
        if any(isinstance(value, dict | list) for value in values):
            raise self.refuse("'enum' values must be strings, numbers, booleans or null")

    def choices(self, node: dict[str, Any], inside: tuple[str, ...]) -> None:
        if "anyOf" in node:
            self.unions += 1
        for keyword in ("anyOf", "allOf"):
            if keyword not in node:
                continue
            branches = node[keyword]
            if not isinstance(branches, list) or not branches:
                raise self.refuse(f"'{keyword}' must be a list with at least one schema")
            for branch in branches:
                if keyword == "allOf" and isinstance(branch, dict) and "$ref" in branch:
                    raise self.refuse("'$ref' inside 'allOf' is not supported")
                self.walk(branch, inside)

    def object(self, node: dict[str, Any], inside: tuple[str, ...]) -> None:
        if node.get("additionalProperties") is not False:
            raise self.refuse(
                "For 'object' type, 'additionalProperties' must be explicitly set to false"
            )
        properties = node.get("properties", {})
        required = node.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise self.refuse("'properties' must be an object and 'required' a list")
        for name in required:
            if not isinstance(name, str) or name not in properties:
                raise self.refuse(f"'required' names '{name}', which is not in 'properties'")
        self.optional += sum(name not in required for name in properties)
        for child in properties.values():
            self.walk(child, inside)

    def array(self, node: dict[str, Any], inside: tuple[str, ...]) -> None:
        least = node.get("minItems", 0)
        if isinstance(least, bool) or least not in (0, 1):
            raise self.refuse(
                "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
            )
        if "items" not in node:
            raise self.refuse("For 'array' type, 'items' must be given")
        self.walk(node["items"], inside)

    def string(self, node: dict[str, Any]) -> None:
        if "format" in node and node["format"] not in FORMATS:
            raise self.refuse(f"For 'string' type, format '{node['format']}' is not supported")
        pattern = node.get("pattern")
        if pattern is None:
            return
        if not isinstance(pattern, str) or UNSUPPORTED_PATTERN.search(pattern):
            raise self.refuse(f"For 'string' type, pattern {pattern!r} is not supported")

    def reference(self, reference: Any, inside: tuple[str, ...]) -> None:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self.refuse(f"External $ref {reference!r} is not supported")
        if reference in inside or reference == "#":
            raise self.refuse(f"Recursive schemas are not supported: {reference}")
        target = resolve(reference, self.root)
        if target is None:
            raise self.refuse(f"$ref {reference!r} does not lead anywhere")
        # A definition that is used twice counts once, and so do its optional properties.
        if reference not in self.seen:
            self.walk(target, (*inside, reference))
            self.seen.add(reference)


def resolve(reference: str, root: dict[str, Any]) -> Any:
    """The schema that a local `$ref` points to, or None."""
    node: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if not isinstance(node, dict):
            return None
        node = node.get(part.replace("~1", "/").replace("~0", "~"))
    return node


def check_schema(schema: Any, where: str = WHERE) -> None:
    """Raise `Refused` (400) when the API would not compile `schema`."""
    if not isinstance(schema, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    SchemaCheck(schema, where).check()
