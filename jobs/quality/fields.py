"""The fields of a job's output: what kind each is, and how a cell of a table is read as its value.

A cell is read by the job's own model, as an answer is: an enum in any case, a date in ISO form. An
empty cell says nothing; `(empty)` says that the field is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from common.claude.answers import validated
from common.process.command_line import quoted
from common.process.words import nearest
from quality.cell_values import ABSENT, DATES, candidates, choices

EMPTY = "(empty)"
RUNNER_UP = "runner_up"  # the field for what else could be right, which is no answer

_REFUSES = ("value_error", "assertion_error")  # what a validator of the job's own raises
_NAMED = 12  # values that a message names


class Kind(StrEnum):
    """What can be measured of a field."""

    VALUES = "values"  # few: a Literal, an Enum, a bool
    NUMBER = "number"
    TEXT = "text"
    LIST = "list"
    OTHER = "other"


@dataclass(frozen=True)
class Field:
    """One field of an output model."""

    name: str
    key: str  # in an answer: its name, or an alias
    model: type[BaseModel]
    schema: dict[str, Any]  # its own, in which nothing is a reference
    kind: Kind
    values: tuple[Any, ...]  # those of a field with few, as JSON has them

    @property
    def names(self) -> tuple[str, ...]:
        """What a column may be called, in any case."""
        info = self.model.model_fields[self.name]
        aliases = (info.alias, info.validation_alias, info.serialization_alias)
        return tuple({self.name, self.key, *(one for one in aliases if isinstance(one, str))})

    def of(self, output: Mapping[str, Any]) -> Any:
        """Its value in an output, as JSON; None for everything that is empty."""
        return comparable(self.written_in(output))

    def written_in(self, output: Mapping[str, Any], default: Any = None) -> Any:
        """Its value as an output has it, under any of its names; else the default."""
        return next((output[name] for name in (self.name, *self.names) if name in output), default)

    def read(self, cell: str) -> Any:
        """What a cell says, as JSON; None for everything that is empty.

        Raises ValueError with the reason for a value that the field can never have.
        """
        return comparable(self.value(cell))

    def value(self, cell: str) -> Any:
        """What a cell says, as an output has it in JSON: `(empty)` is null, "", [] or {}.

        Raises ValueError as `read` does.
        """
        text = cell.strip()
        found: Iterator[Any] = candidates(text, self.schema)
        if text.casefold() == EMPTY and not any(
            str(one).casefold() == EMPTY for one in self.values
        ):
            found = iter((None, "", [], {}))
        for candidate in found:
            with suppress(ValueError):
                return self.taken(candidate)
        if text.casefold() == EMPTY:
            raise ValueError(f"{self.name} cannot be empty")
        if self.kind is Kind.VALUES:
            raise ValueError(f"{quoted(text)} is no value of {self.name}: {self._meant(text)}")
        raise ValueError(f"{quoted(text)} is not what {self.name} can be ({self._why(text)})")

    def taken(self, value: Any) -> Any:
        """A JSON value as an output has it. Raises ValueError where none can."""
        taken = self._validated(value)
        if taken is ABSENT or (self.values and taken not in self.values):
            raise ValueError(f"{self.name} cannot be so")
        return taken

    def _meant(self, text: str) -> str:
        names = [*map(shown, self.values)]
        meant = nearest(text, names)
        if meant.startswith("there are") and len(names) > _NAMED:
            return f"there are {len(names)}, such as {', '.join(names[:_NAMED])}"
        return meant

    def _why(self, text: str) -> str:
        if any(choice.get("format") in DATES for choice in choices(self.schema)):
            return "write it as 2026-11-28, or 2026-11-28T06:30"
        candidate = next(candidates(text, self.schema), ABSENT)
        if candidate is ABSENT:
            example = {Kind.NUMBER: "write a number such as 0.5", Kind.LIST: "write it as a; b"}
            return example.get(self.kind, "write JSON")
        _, fault = validated(self._alone, {self.key: candidate})
        return fault.reason if fault else "a validator refuses it"

    @cached_property
    def _alone(self) -> type[BaseModel]:
        """A model of this field alone."""
        info: FieldInfo = self.model.model_fields[self.name]
        alone: type[BaseModel] = create_model(
            self.model.__name__,
            __config__=ConfigDict(**self.model.model_config),
            **{self.name: (info.annotation, info)},  # type: ignore[call-overload]
        )
        return alone

    def _validated(self, value: Any) -> Any:
        """A value as an output has it; ABSENT where no output can have it."""
        output, _ = validated(self._alone, {self.key: value})
        if output is None:
            return ABSENT
        typed, (dumped,) = getattr(output, self.name), output.model_dump(mode="json").values()
        return self._by_validators(typed, dumped)

    def _by_validators(self, typed: Any, dumped: Any) -> Any:
        """A value as the job's own validators of this field write it; ABSENT where one refuses."""
        try:
            whole = self.model.model_construct()  # it calls model_post_init
            self.model.__pydantic_validator__.validate_assignment(whole, self.name, typed)
            (written,) = whole.model_dump(mode="json", include={self.name}).values()
        except ValidationError as error:
            errors = error.errors(include_input=False, include_url=False)
            refused = any(
                one["type"] in _REFUSES and one["loc"][:1] == (self.name,) for one in errors
            )
            return ABSENT if refused else dumped
        except Exception:  # one that wants the other fields, too: an answer is judged by it
            return dumped
        return written


def fields_of(model: type[BaseModel]) -> list[Field]:
    """The fields of an output model, in its order."""
    whole = model.model_json_schema()
    definitions = whole.get("$defs", {})
    # The schema has them in the same order, by the names that an answer has.
    properties = zip(model.model_fields, whole.get("properties", {}).items(), strict=False)
    fields = []
    for name, (key, schema) in properties:
        plain = _resolved(schema, definitions)
        kind, values = _kind(plain)
        fields.append(Field(name, key, model, plain, kind, values))
    return fields


def comparable(value: Any) -> Any:
    """A JSON value, in which everything that is empty is None."""
    return None if value is None or value in ("", [], {}) else value


def shown(value: Any) -> str:
    """A JSON value for a person: a text as it is, `(empty)` for one that is empty."""
    if comparable(value) is None:
        return EMPTY
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema with what it refers to in the place of references."""
    if isinstance(schema, list):
        return [_resolved(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions.get(schema["$ref"].rpartition("/")[2], {})
        return _resolved(target, definitions)
    return {name: _resolved(one, definitions) for name, one in schema.items()}


def _kind(schema: dict[str, Any]) -> tuple[Kind, tuple[Any, ...]]:
    values: list[Any] = []
    kinds: set[Kind] = set()
    for choice in choices(schema):
        kind = choice.get("type")
        if "enum" in choice or "const" in choice:
            values += choice.get("enum", []) or [choice["const"]]
            kinds.add(Kind.VALUES)
        elif kind == "boolean":
            values += [True, False]
            kinds.add(Kind.VALUES)
        elif kind == "null":
            values.append(None)
        else:
            kinds.add(
                {
                    "integer": Kind.NUMBER,
                    "number": Kind.NUMBER,
                    "string": Kind.TEXT,
                    "array": Kind.LIST,
                }.get(str(kind), Kind.OTHER)
            )
    if kinds == {Kind.VALUES}:
        return Kind.VALUES, tuple(values)
    return (kinds.pop() if len(kinds) == 1 else Kind.OTHER), ()
