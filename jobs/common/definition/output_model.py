"""Which output models structured outputs can carry, and what is wrong with the others.

A pydantic model can say more than the API compiles, and transform_schema of the SDK keeps quiet
about much of the rest: a `dict[str, str]` becomes an object without keys, which comes back as {}.
Here each of these is found before anything is sent, with the field's path and the remedy.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from common.definition.output_schema import SchemaWalk

# Every request carries the schema, beside up to 60,000 tokens of records: together they must stay
# under 100,000, from where on a token costs more.
_MOST_BYTES = 60_000
_WRITE = "write class Output(BaseModel) with a field for each thing that must come back"


def misfits(output: object, *, own_id: bool) -> Iterator[str]:
    """What keeps an output model from working: a sentence each, with the remedy.

    `own_id`: each output travels with the field `id`, the record's.
    """
    name = getattr(output, "__name__", repr(output)) if isinstance(output, type) else repr(output)
    if not (isinstance(output, type) and issubclass(output, BaseModel)) or output is BaseModel:
        yield f"output={name} is no pydantic model: {_WRITE}"
        return
    if issubclass(output, RootModel):
        yield f"output={name} is a RootModel, which has no fields: {_WRITE}"
        return
    schema = _schema_of(output)
    if schema is None:
        yield _without_schema(output)
        return
    walk = SchemaWalk(schema)
    yield from walk.misfits(name)
    yield from _model_misfits(output, name, {output})
    if own_id and "id" in schema.get("properties", {}):
        yield f"{name}.id is taken: the record's id travels under this name: call it otherwise"
    if (size := len(json.dumps(schema, default=str))) > _MOST_BYTES:
        yield (
            f"{name} has a schema of {size:,} bytes, and each request carries it: at most "
            f"{_MOST_BYTES:,}: shorten its descriptions and lists of values"
        )


def _schema_of(model: type[BaseModel]) -> dict[str, Any] | None:
    """The model's JSON schema; None where pydantic has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of defaults that JSON cannot show
        try:
            return model.model_json_schema()
        except (PydanticUserError, TypeError, ValueError, RecursionError, NameError):
            return None


def _without_schema(model: type[BaseModel]) -> str:
    """Which field it is that has no JSON schema."""
    for name, field in model.model_fields.items():
        try:
            TypeAdapter[Any](field.annotation).json_schema()  # type: ignore[arg-type]
        except Exception:
            kind = _type_name(field.annotation)
            return f"{model.__name__}.{name} is a {kind}, which JSON cannot carry: write str"
    return f"{model.__name__} is not complete: define what its fields name, above it"


def _type_name(annotation: object) -> str:
    return getattr(annotation, "__name__", None) or str(annotation).replace("typing.", "")


def _model_misfits(
    model: type[BaseModel], path: str, inside: set[type[BaseModel]]
) -> Iterator[str]:
    """What a model's schema does not tell of its fields, and of those of the models in it."""
    schema = _schema_of(model) or {}
    if "$ref" in schema:
        schema = schema.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], {})
    properties = schema.get("properties", {})
    if model.model_config.get("extra") == "allow":
        yield f"{path} allows extra fields, and Claude gives none: take extra='allow' away"
    keys: dict[str, str] = {}
    for name, field in model.model_fields.items():
        where = f"{path}.{name}"
        key = _answered_as(model, name)
        if key in keys:
            yield f"{where} and {keys[key]} are both called {key!r} in an answer: give each its own"
        elif key not in properties:
            yield f"{where} is never asked for, as its alias or SkipJsonSchema hides it: drop these"
        elif field.exclude:
            yield f"{where} is paid for and then left out (exclude=True): leave it out in save()"
        keys.setdefault(key, name)
        yield from _type_misfits(field.annotation, where, inside)


def _answered_as(model: type[BaseModel], name: str) -> str:
    """The key under which validation looks for a field; "" where no plain one leads to it."""
    config = model.model_config
    by_name = bool(config.get("validate_by_name") or config.get("populate_by_name"))
    alias = model.model_fields[name].validation_alias
    if alias is None:
        return name
    if config.get("validate_by_alias") is False:
        return ""  # the schema gives the alias, validation wants the name
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    plain = [
        str(one.path[0] if isinstance(one, AliasPath) else one)
        for one in choices
        if not isinstance(one, AliasPath) or len(one.path) == 1
    ]
    return plain[0] if plain else name if by_name else ""


def _type_misfits(annotation: Any, path: str, inside: set[type[BaseModel]]) -> Iterator[str]:
    """The models and the fixed values in a field's type."""
    if get_origin(annotation) is Literal or (
        isinstance(annotation, type) and issubclass(annotation, Enum)
    ):
        yield from _value_misfits(annotation, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in inside:
            yield from _model_misfits(annotation, path, inside | {annotation})
    else:
        for part in get_args(annotation):
            yield from _type_misfits(part, path, inside)


def _value_misfits(annotation: Any, path: str) -> Iterator[str]:
    """Values that the schema offers, and validation then refuses: bytes, dates."""
    adapter = TypeAdapter(annotation)
    try:
        schema = adapter.json_schema()
    except (PydanticUserError, TypeError, ValueError):
        return
    for value in [*schema.get("enum", []), *([schema["const"]] if "const" in schema else [])]:
        try:
            adapter.validate_json(json.dumps(value))
        except (TypeError, ValidationError):
            yield f"{path}: Claude would answer {value!r}, which its type refuses: use text values"
            return
