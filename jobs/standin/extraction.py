"""The stand-in's answers: it counts words where a model would write, or has notes for a demo.

The schema decides what an answer is: one result per record, a digest of a chunk, a merge of
digests, or anything else, which gets valid values.
"""

import json
from collections.abc import Callable
from typing import Any

from standin import digesting, merging
from standin.read_envelope import LEAVE_OUT, Envelope
from standin.schema_rules import resolve
from standin.schema_values import Schema, Value, compile_value
from standin.tokens import COMPACT
from standin.vocabulary import Text, shorten

Answer = Callable[[Envelope], Any]
MOST_COMPILED = 1_000


class Extraction:
    """Answers requests. It compiles each schema once."""

    def __init__(self) -> None:
        self._compiled: dict[str, Answer] = {}

    def answer(self, envelope: Envelope, schema: Schema | None, schema_json: str) -> Any:
        """The answer as a JSON value, or a str when no schema asks for JSON."""
        if schema is None:
            begin = shorten(envelope.text, 80)
            return f"The stand-in read {len(envelope.text)} characters beginning: {begin}"
        answer = self._compiled.get(schema_json)
        if answer is None:
            answer = compile_answer(schema)
            if len(self._compiled) < MOST_COMPILED:
                self._compiled[schema_json] = answer
        return answer(envelope)


def as_text(answer: Any, *, compact: bool) -> str:
    """An answer as it is written: JSON with a blank between its parts, or without."""
    if isinstance(answer, str):
        return answer
    try:
        text = COMPACT.encode(answer) if compact else json.dumps(answer, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which a model can only write as an escape
        return json.dumps(answer)
    return text


def followed(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = resolve(schema["$ref"], root)
    return schema


def entries_of(schema: Schema, root: Schema) -> Schema | None:
    """The properties of an array's objects; None when it is no array of objects."""
    schema = followed(schema, root)
    if schema.get("type") != "array":
        return None
    entry = followed(schema["items"], root)
    return entry.get("properties", {}) if entry.get("type") == "object" else None


def compile_answer(schema: Schema) -> Answer:
    """The function that answers with this schema: per record, digest, merge, or plain values."""
    properties: Schema = followed(schema, schema).get("properties", {})
    entries = {name: entries_of(child, schema) for name, child in properties.items()}
    results = entries.get("results")
    if results is not None and "id" in results:
        entry = followed(followed(properties["results"], schema)["items"], schema)
        return per_record(entry, schema)
    sections = {name: fields for name, fields in entries.items() if fields is not None}
    if sections and all("findings" in fields for fields in sections.values()):
        return merge_of(sections, properties, schema)
    only_sections = bool(sections) and len(sections) == len(properties)
    if only_sections and all("records" in fields for fields in sections.values()):
        return digest_of(sections, schema)
    value = compile_value("", schema, schema)
    return lambda envelope: value(Text(envelope.text))


def per_record(entry: Schema, root: Schema) -> Answer:
    fields = {name: field for name, field in entry["properties"].items() if name != "id"}
    required = [name for name in entry.get("required", []) if name in fields]
    fill = compile_value(
        "results", {"type": "object", "properties": fields, "required": required}, root
    )
    id_of = typed_id(entry["properties"]["id"], root)
    optional = fields.keys() - {*required}
    asked = {name for name in optional if LEAVE_OUT.search(fields[name].get("description", ""))}

    def answer(envelope: Envelope) -> Any:
        left_out = optional if envelope.leaves_out else asked
        results = []
        for record in envelope.records:
            values = fill(Text(record.text))
            for name in left_out:
                if values[name] in ("", [], None):
                    del values[name]
            results.append({"id": id_of(record.id), **values})
        return {"results": results}

    return answer


def typed_id(schema: Schema, root: Schema) -> Callable[[str], Any]:
    """The function that turns an id into the type that the schema asks for: str or int."""
    if followed(schema, root).get("type") == "integer":
        return lambda name: int(name) if name.lstrip("-").isdecimal() else 0
    return lambda name: name


def other_fields(fields: Schema, root: Schema, known: set[str]) -> dict[str, Value]:
    return {n: compile_value(n, child, root) for n, child in fields.items() if n not in known}


def entry_maker(fields: Schema, root: Schema, ids_field: str) -> Callable[..., Any]:
    """The function that makes an entry from a title, a detail, ids and an urgency.

    The entry has its fields in the schema's order. Fields without a known name are filled from
    the title and detail.
    """
    known = {"title", "detail", ids_field}
    if ids_field == "findings":
        known.add("continues")
    if "now" in followed(fields.get("urgency", {}), root).get("enum", []):
        known.add("urgency")
    rest = other_fields(fields, root, known)
    ids = followed(fields[ids_field], root)
    id_of = typed_id(ids.get("items", {}), root)

    def make(
        title: str, detail: str, names: list[str], urgency: str = "", continues: str = ""
    ) -> dict[str, Any]:
        values: dict[str, Any] = {"title": title, "detail": detail, "urgency": urgency}
        values["continues"] = continues
        values[ids_field] = [id_of(name) for name in names]
        text = Text(f"{title}: {detail}")
        return {name: rest[name](text) if name in rest else values[name] for name in fields}

    return make


def digest_of(sections: dict[str, Schema], root: Schema) -> Answer:
    makers = {name: entry_maker(fields, root, "records") for name, fields in sections.items()}

    def answer(envelope: Envelope) -> Any:
        records = digesting.read(envelope.records)
        return {
            name: [
                make(e.title, e.detail, e.ids, e.urgency) for e in digesting.section(name, records)
            ]
            for name, make in makers.items()
        }

    return answer


def merge_of(sections: dict[str, Schema], properties: Schema, root: Schema) -> Answer:
    makers = {name: entry_maker(fields, root, "findings") for name, fields in sections.items()}
    rest = other_fields(properties, root, {*sections, "summary"})

    def answer(envelope: Envelope) -> Any:
        findings, total = envelope.findings, envelope.total
        words = merging.summary(findings, total)
        values: dict[str, Any] = {"summary": words} if "summary" in properties else {}
        for name, make in makers.items():
            values[name] = [
                make(e.title, e.detail, e.keys, continues=e.continues)
                for e in merging.merged(findings, name, total, envelope.earlier)
            ]
        values |= {name: fill(Text(words)) for name, fill in rest.items()}
        return {name: values[name] for name in properties}

    return answer
