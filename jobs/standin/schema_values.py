"""A JSON schema becomes a function from a text to a valid value, filled by what counting finds in
the text.
"""

import re
from collections.abc import Callable
from typing import Any

from standin.schema_rules import resolve
from standin.vocabulary import Text, plain, shorten

Value = Callable[[Text], Any]
Schema = dict[str, Any]

HINT = re.compile(r"\b(minimum|maximum|maxLength|minLength|maxItems): (-?\d+(?:\.\d+)?)")
LOOKED_FOR = {
    "url": re.compile(r"https?://[^\s<>\"')]+"),
    "link": re.compile(r"https?://[^\s<>\"')]+"),
    "email": re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+\w"),
    "phone": re.compile(r"\+?\d[\d ()/-]{6,}\d"),
    "amount": re.compile(r"[$€£]\s?\d+(?:[.,]\d+)*|\b\d+[.,]\d\d\b"),
    "number": re.compile(r"\b[A-Z]{0,3}-?\d{4,}\b"),
}
OF_FORMAT = {
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "date": "2026-01-01",
    "duration": "P1D",
    "email": "nobody@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
MOST_WORDS = re.compile(r"\bat most (\w+)(?: \w+)? words\b")
NUMBERS = dict(
    zip(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
        " sixteen seventeen eighteen nineteen twenty".split(),
        range(1, 21),
        strict=True,
    )
)
SAID_AT_LENGTH = 13  # words


def compile_value(name: str, schema: Schema, root: Schema) -> Value:
    """The function that fills a field called `name`. `schema` is one the API has taken."""
    while "$ref" in schema:
        schema = resolve(schema["$ref"], root)
    if "const" in schema:
        constant = schema["const"]
        return lambda text: constant
    if "enum" in schema:
        return compile_enum(name, schema["enum"])
    if "anyOf" in schema:
        return compile_any(name, schema["anyOf"], root)
    if "allOf" in schema:
        merged = {key: value for part in schema["allOf"] for key, value in part.items()}
        return compile_value(name, merged | {k: v for k, v in schema.items() if k != "allOf"}, root)
    kind = schema.get("type")
    if isinstance(kind, list):
        return compile_any(name, [schema | {"type": one} for one in kind], root)
    hints = {key: float(value) for key, value in HINT.findall(str(schema.get("description", "")))}
    if kind == "object":
        return compile_object(schema, root)
    if kind == "array":
        return compile_array(name, schema, root, int(hints.get("maxItems", 10)))
    if kind == "string":
        return compile_string(name, schema, hints)
    if kind in ("integer", "number"):
        return compile_number(name, kind == "integer", hints)
    if kind == "boolean":
        sign = "?" if "question" in name or name.startswith("ask") else "!"
        return lambda text: sign in text.raw
    return lambda text: None


def compile_enum(name: str, values: list[Any]) -> Value:
    """The value whose name stands in the text, else the one most of whose words do, else the last.

    A runner-up is the second best: the value that nearly fits, or the last where none does.
    """
    names = []
    for value in values:
        words = [plain(word) for word in re.findall(r"[^\W_]+", str(value))]
        names.append((value, str(value).replace("_", " ").lower(), words))

    place = 1 if name == "runner_up" else 0

    def pick(text: Text) -> Any:
        scores = []
        for value, phrase, words in names:
            score = sum(word in text.plain_words for word in words) / len(words) if words else 0.0
            if score and phrase in text.lower:
                score += 1
            if score:
                scores.append((score, value))
        scores.sort(key=lambda pair: -pair[0])
        score, value = scores[place] if len(scores) > place else (0.0, values[-1])
        if not place:
            text.overlap = min(1.0, score)
        return value

    return pick


def compile_any(name: str, branches: list[Schema], root: Schema) -> Value:
    """The first branch that is not null; null when the text has nothing to fill it with."""
    nullable = any(branch.get("type") == "null" for branch in branches)
    kept = [branch for branch in branches if branch.get("type") != "null"]
    if not kept:
        return lambda text: None
    value = compile_value(name, kept[0], root)
    pattern = pattern_for(name)

    def choose(text: Text) -> Any:
        if nullable and (not text.raw or (pattern and not pattern.search(text.raw))):
            return None
        return value(text)

    return choose


def pattern_for(name: str) -> re.Pattern[str] | None:
    return next((pattern for key, pattern in LOOKED_FOR.items() if key in name.lower()), None)


def compile_string(name: str, schema: Schema, hints: dict[str, float]) -> Value:
    longest = int(hints.get("maxLength", 80))
    shortest = int(hints.get("minLength", 0))
    pattern = pattern_for(name)
    fallback = OF_FORMAT.get(schema.get("format", ""))
    lowered = name.lower()
    words_at_most = most_words(schema)

    def fill(text: Text) -> str:
        if fallback is not None:
            return fallback
        found = pattern.search(text.raw) if pattern else None
        if found:
            value = found.group(0)
        elif lowered in ("language", "lang"):
            value = "en"
        elif lowered in ("reason", "explanation", "why"):
            words = ", ".join(text.content_words[:3]) or "none"
            if words_at_most < SAID_AT_LENGTH:
                value = f"words counted, no model: {words}"
            else:
                value = f"words found: {words} (by counting words, no model was used)"
        else:
            value = shorten(text.first_sentence, min(80, longest))
        return in_words(value, words_at_most)[:longest].ljust(shortest, ".")

    return fill


def most_words(schema: Schema) -> int:
    """How many words a description asks for at most: "in at most eight words"."""
    found = MOST_WORDS.search(schema.get("description", ""))
    number = found.group(1) if found else ""
    return int(number) if number.isdecimal() else NUMBERS.get(number, 1_000)


def in_words(text: str, most: int) -> str:
    """The first words of a text, `most` at most."""
    if text.count(" ") < most:
        return text
    words = text.split()
    return text if len(words) <= most else " ".join(words[:most])


def compile_number(name: str, whole: bool, hints: dict[str, float]) -> Value:
    """A rating by exclamation marks, or a confidence by how well the label's words matched."""
    least = hints.get("minimum")
    most = hints.get("maximum")
    by_overlap = "confidence" in name.lower() or "score" in name.lower() or most == 1

    def fill(text: Text) -> int | float:
        value: float
        if by_overlap:
            value = 0.2 + 0.75 * text.overlap
            if whole:
                value *= 100 if most is None else most
        else:
            value = (least or 0 if least is not None else 1) + text.raw.count("!")
        value = value if most is None else min(value, most)
        value = value if least is None else max(value, least)
        return int(value) if whole else round(value, 2)

    return fill


def compile_array(name: str, schema: Schema, root: Schema, most: int) -> Value:
    items = schema.get("items", {"type": "string"})
    while "$ref" in items:
        items = resolve(items["$ref"], root)
    if items.get("type") == "string" and not items.get("format") and "enum" not in items:
        return lambda text: text.capitalised[:most]
    value = compile_value(name, items, root)
    if items.get("type") == "object":
        # One object per capitalised word, such as a list of the names in a text.
        return lambda text: [value(Text(word)) for word in text.capitalised[: min(most, 5)]]
    return lambda text: [value(text)][:most]


def compile_object(schema: Schema, root: Schema) -> Value:
    properties: Schema = schema.get("properties", {})
    fields = {name: compile_value(name, child, root) for name, child in properties.items()}
    numeric = {n for n, child in properties.items() if child.get("type") in ("number", "integer")}
    # Numbers last: a confidence depends on how well the label next to it matched.
    order = sorted(fields, key=lambda name: name in numeric)
    required = schema.get("required", [])
    shown = [n for n in required if n in fields] + [n for n in fields if n not in required]

    def fill(text: Text) -> dict[str, Any]:
        values = {name: fields[name](text) for name in order}
        return {name: values[name] for name in shown}

    return fill


def enum_values(node: Any) -> set[str]:
    """Every string that an `enum` or `const` anywhere in the schema names."""
    found: set[str] = set()
    if isinstance(node, dict):
        for value in [*node.get("enum", []), node.get("const")]:
            if isinstance(value, str):
                found.add(value)
        for child in node.values():
            found |= enum_values(child)
    elif isinstance(node, list):
        for child in node:
            found |= enum_values(child)
    return found
