"""Reading an answer: may it be used, and what does it say about which record?

The stop reason is looked at first, and our own validation comes after the API's, which promises
neither complete JSON nor the case of an enum's values. Whatever an answer holds can be judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from common.claude.code_faults import ends_the_run, gave, raised
from common.claude.faults import Fault, Kind
from common.claude.message import is_message, lenient
from common.claude.travel_ids import ids_by_name
from common.job import Job
from common.process.log import shortened

Validated = tuple[BaseModel | None, Fault | None]

_USABLE = ("end_turn", "stop_sequence")
_FENCES = ("`" * 3, "~" * 3)
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
# What JSON has to hold for one: the half itself, or the escape of one.
_MAY_HOLD_HALF = re.compile("[\ud800-\udfff]|\\\\u[dD][89a-fA-F]")


def outputs_per_record(
    job: Job,
    message: dict[str, Any],
    record_ids: Sequence[str],
    asked_ids: Sequence[str] = (),
    validate: Callable[[str, type[BaseModel], Any], Validated] = lambda _, model, data: validated(
        model, data
    ),
) -> tuple[dict[str, BaseModel], dict[str, Fault], int]:
    """An answer's outputs by record id, what is wrong with the records that have none, and how many
    results are about ids that were not asked for.

    `asked_ids`: those of all the request's records in order, where `record_ids` are but some.
    `validate` calls `validated`, and knows for which record.

    An id that was not asked for is dropped; one that is answered twice counts as missing.
    """
    data, fault = _json(message)
    results = data.get("results") if isinstance(data, dict) else None
    if fault is None and not isinstance(results, list):
        fault = _wrong("an answer without results")
    if fault is not None:
        return {}, dict.fromkeys(record_ids, fault), 0
    names = ids_by_name(asked_ids or record_ids)
    entries: dict[str, list[dict[str, Any]]] = {record_id: [] for record_id in record_ids}
    foreign = 0
    for entry in results or []:
        record_id = names.get(_name_in(entry))
        if record_id in entries:
            entries[record_id].append(entry)
        elif record_id is None and isinstance(entry, dict):
            foreign += 1
    outputs: dict[str, BaseModel] = {}
    faults: dict[str, Fault] = {}
    for record_id, found in entries.items():
        if len(found) != 1:
            faults[record_id] = _wrong("answered twice" if found else "missing from the answer")
            continue
        fields = {name: value for name, value in found[0].items() if name != "id"}
        output, fault = validate(record_id, job.output, fields)
        if output is None:
            faults[record_id] = fault or _wrong("no output")
        else:
            outputs[record_id] = output
    return outputs, faults, foreign


def output_of_chunk(model: type[BaseModel], message: dict[str, Any]) -> Validated:
    """An answer's one output, or what is wrong with it."""
    data, fault = _json(message)
    return (None, fault) if fault else validated(model, data)


def sizes_per_record(message: dict[str, Any], record_ids: Sequence[str]) -> dict[str, int]:
    """How many characters of an answer are about each of its request's records; none are 0."""
    data, _ = _json(message)
    results = data.get("results") if isinstance(data, dict) else None
    sizes = dict.fromkeys(record_ids, 0)
    names = ids_by_name(record_ids)
    for entry in results if isinstance(results, list) else []:
        if (record_id := names.get(_name_in(entry))) is not None:
            sizes[record_id] += len(json.dumps(entry, ensure_ascii=False))
    return sizes


def _name_in(entry: object) -> str:
    """The name of the record that a result is about, "" for none.

    A model may write a number for an id of digits, and nothing else.
    """
    name = entry.get("id") if isinstance(entry, dict) else None
    return str(name) if type(name) in (str, int) else ""


def _json(message: dict[str, Any]) -> tuple[Any, Fault | None]:
    """The JSON value in an answer's text, or the fault that its stop reason or its text is."""
    if not is_message(message):
        return None, _wrong("an answer that cannot be read")
    stop = message.get("stop_reason")
    if stop == "refusal":
        category = (message.get("stop_details") or {}).get("category") or "no category given"
        return None, Fault(Kind.REFUSAL, f"refused ({shortened(str(category), 40)})")
    if stop in ("max_tokens", "model_context_window_exceeded"):
        return None, Fault(Kind.UNUSABLE, f"cut off ({stop})")
    if stop not in _USABLE:
        return None, _wrong(f"stopped for a reason unknown here ({shortened(str(stop), 40)})")
    text = "".join(block["text"] for block in message["content"] if block.get("type") == "text")
    for form in (str, _unfenced):
        try:
            data = lenient(form(text))
            return (_whole(data) if _MAY_HOLD_HALF.search(text) else data), None
        except (ValueError, RecursionError):
            continue
    return None, _wrong("an answer that is not the JSON asked for")


def _unfenced(text: str) -> str:
    """What stands in a text between the marks of a code block, without the name of its language.

    Models without structured outputs, and some gateways, put JSON into one.
    """
    text = text.strip("\ufeff \t\r\n")
    fences = [text.find(fence) for fence in _FENCES if fence in text]
    if text[:1] not in ("{", "[", "`", "~"):
        # Something is said before it. Without a fence the text has to speak for itself.
        text = text[min(fences) :] if fences else ""
    opening = [text.find(bracket) for bracket in "{[" if bracket in text]
    return text[min(opening, default=0) : max(text.rfind("}"), text.rfind("]")) + 1]


def _whole(data: Any) -> Any:
    """A JSON value in which U+FFFD stands for every half of a surrogate pair.

    Models write `\\ud83d` alone, half an emoji: no file and no database takes it.
    """
    text = json.dumps(data, ensure_ascii=False)
    if _HALF_A_CHARACTER.search(text) is None:
        return data
    return json.loads(_HALF_A_CHARACTER.sub("\ufffd", text))


def validated(model: type[BaseModel], data: Any) -> Validated:
    """Data as an output, or what is wrong with it."""
    schema = _schema(model)
    try:
        cased = _in_case(data, schema, schema.get("$defs", {}))
        # As JSON, in which a model that is strict takes a date or an enum from a text.
        output: object = model.model_validate_json(json.dumps(cased))
    except ValidationError as error:
        # Where and what, never the value: it may quote a record.
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part in _names(model))
        return None, _wrong(f"wrong schema ({where}: {first['type']})")
    except RecursionError:
        return None, _wrong("an answer nested too deeply to be read")
    except BaseException as error:  # a validator of the job's own
        if ends_the_run(error):
            raise
        return None, raised(f"a validator of {model.__name__}", error)
    if not isinstance(output, model):
        return None, gave(f"a validator of {model.__name__}", output, "the output")
    return output, None


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


@cache
def _names(model: type[BaseModel]) -> set[int | str]:
    """The names of all fields. The path to an error may also hold keys, which the model wrote."""
    schema = _schema(model)
    objects = [schema, *schema.get("$defs", {}).values()]
    return {name for one in objects for name in one.get("properties", {})}


def _in_case(data: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """`data` with every value of an enum in the enum's own case."""
    if "$ref" in schema:
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    for choice in schema.get("anyOf", []):
        data = _in_case(data, choice, definitions)
    if isinstance(data, dict):
        fields = schema.get("properties", {})
        return {
            name: _in_case(value, fields.get(name, {}), definitions) for name, value in data.items()
        }
    if isinstance(data, list):
        return [_in_case(value, schema.get("items", {}), definitions) for value in data]
    if isinstance(data, str):
        values = [*schema.get("enum", []), schema.get("const")]
        for value in () if data in values else values:
            if isinstance(value, str) and value.casefold() == data.casefold():
                return value
    return data


def _wrong(reason: str) -> Fault:
    return Fault(Kind.UNUSABLE, reason)
