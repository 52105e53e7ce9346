"""Which output models can work with structured outputs, and how the others are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    RootModel,
    SecretStr,
    create_model,
)
from pydantic.json_schema import SkipJsonSchema

from common.answer_schema import strict
from common.claude.answers import output_of_chunk
from common.definition.output_model import misfits
from rigs.label_answers import message
from standin.schema_rules import check_schema


class Tag(BaseModel):
    key: str
    value: str | None = None


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Folder(BaseModel):
    inside: Shelf | None


class Shelf(BaseModel):
    folders: list[Folder]


class Tagged(BaseModel):
    tags: dict[str, int] | None = None


class Point(NamedTuple):
    x: int
    y: int


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Day(Enum):
    FIRST = date(2026, 1, 1)


class Empty(BaseModel):
    pass


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


def model(kind: Any, **more: Any) -> type[BaseModel]:
    return create_model("Out", field=(kind, ...), **more)


def configured(kind: Any, **config: Any) -> type[BaseModel]:
    made: type[BaseModel] = create_model("Out", __config__=config, field=(kind, ...))  # type: ignore[call-overload]
    return made


REFUSED: dict[str, tuple[Any, str]] = {
    "no class": (None, "output=None is no pydantic model: write class Output(BaseModel)"),
    "dict": (dict, "output=dict is no pydantic model"),
    "a list of models": (list[Tag], "is no pydantic model"),
    "a model that is made": (Tag(key="a"), "is no pydantic model"),
    "BaseModel": (BaseModel, "output=BaseModel is no pydantic model"),
    "RootModel": (RootModel[list[str]], "is a RootModel, which has no fields"),
    "no fields": (Empty, "Empty has no fields"),
    "no fields inside": (model(list[Empty]), "Out.field[] has no fields"),
    "id": (create_model("Out", id=(int, ...)), "Out.id is taken: the record's id travels"),
    "id by alias": (model(Annotated[str, Field(alias="id")]), "Out.id is taken"),
    "Any": (model(Any), "Out.field can be anything (Any)"),
    "object": (model(object), "Out.field can be anything"),
    "Any in a union": (model(list[Any] | int), "Out.field is a list of anything"),
    "a bare list": (model(list), "Out.field is a list of anything"),
    "a bare set": (model(set), "Out.field is a list of anything"),
    "a mapping": (model(dict[str, str]), "Out.field is a free-form mapping (dict)"),
    "a mapping with known keys": (model(dict[Literal["a"], int]), "Out.field is a free-form"),
    "a mapping deep inside": (
        model(list[Tagged]),
        "Out.field[].tags is a free-form mapping",
    ),
    "extra fields": (configured(int, extra="allow"), "Out allows extra fields"),
    "a tuple": (model(tuple[str, int]), "Out.field is a tuple of a fixed length"),
    "a named tuple": (model(list[Point]), "Out.field[] is a tuple of a fixed length"),
    "bytes": (model(bytes), "Out.field is bytes, which Claude cannot give: write str"),
    "a secret": (model(SecretStr), "Out.field is a secret"),
    "JSON in a text": (model(Json[list[int]]), "Out.field is JSON within a text"),
    "a set of models": (model(set[Tag]), "Out.field is a set of what no set can hold"),
    "recursion": (Node, "Node.children[] is a Node within a Node"),
    "recursion by way of another": (Folder, "is a Folder within a Folder"),
    "bytes to choose from": (model(Literal[b"x"]), "Out.field: Claude would answer 'x'"),
    "dates to choose from": (model(Day | None), "Out.field: Claude would answer '2026-01-01'"),
    "a member of an Enum": (model(Literal[Colour.RED]), "Out.field: Claude would answer 'red'"),
    "pairs to choose from": (model(Enum("Pair", {"a": (1, 2)})), "offers the value [1, 2]"),
    "case alone": (model(Literal["Yes", "yes"]), "offers 'Yes' and 'yes'"),
    "a function": (model(Callable[[], int]), "Out.field is a"),
    "left out": (model(Annotated[int, Field(exclude=True)]), "Out.field is paid for and then left"),
    "hidden": (model(SkipJsonSchema[int], more=(int, ...)), "Out.field is never asked for"),
    "two of one name": (
        model(Annotated[int, Field(alias="x")], other=(str, Field(alias="x"))),
        "Out.other and field are both called 'x'",
    ),
    "a path as an alias": (
        model(Annotated[int, Field(validation_alias=AliasPath("names", 0))]),
        "Out.field is never asked for",
    ),
    "an alias that is not read": (
        create_model(
            "Out",
            __config__=ConfigDict(validate_by_alias=False, validate_by_name=True),
            field=(int, Field(alias="x")),
        ),
        "Out.field is never asked for",
    ),
    "25 optional fields": (
        create_model("Out", **{f"f{n}": (int, 0) for n in range(25)}),  # type: ignore[call-overload]
        "Out has 25 optional fields, and Claude takes 24",
    ),
    "17 unions": (
        create_model("Out", **{f"f{n}": (int | None, ...) for n in range(17)}),  # type: ignore[call-overload]
        "Out has 17 fields of several types, and Claude takes 16",
    ),
    "too large": (model(Annotated[int, Field(description="x" * 60_000)]), "has a schema of"),
    "not complete": (model("Nowhere"), "Out.field is a"),
    "a hand-written union": (
        configured(int, json_schema_extra={"anyOf": [{"required": ["field"]}]}),
        "Out mixes anyOf with other types",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_model_that_cannot_work_is_refused_with_the_path_and_the_remedy(name):
    output, expected = REFUSED[name]
    found = [*misfits(output, own_id=True)]
    assert any(expected in words for words in found), found
    assert all(": " in words and "\n" not in words for words in found)


ACCEPTED: dict[str, type[BaseModel]] = {
    "scalars": create_model("Out", a=(str, ...), b=(int, ...), c=(float, ...), d=(bool, ...)),
    "a date": model(date),
    "a decimal": model(Decimal),
    "a choice": model(Literal["a", "b", 1] | None),
    "an Enum": model(Colour),
    "a list of models": model(list[Tag]),
    "a tuple of any length": model(tuple[str, ...]),
    "a set of texts": model(set[str]),
    "a choice of models": model(Annotated[Cat | Dog, Field(discriminator="kind")]),
    "a model or none": model(Tag | None),
    "an alias": model(Annotated[str, Field(alias="Feld")]),
    "two aliases": model(Annotated[str, Field(validation_alias=AliasChoices("a", "b"))]),
    "limits": model(Annotated[int, Field(ge=1, le=5)]),
    "a described model": model(Annotated[Tag, Field(description="the main one")]),
    "16 unions": create_model("Out", **{f"f{n}": (int | None, ...) for n in range(16)}),  # type: ignore[call-overload]
    "24 optional": create_model("Out", **{f"f{n}": (int, 0) for n in range(24)}),  # type: ignore[call-overload]
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_model_that_works_is_accepted_here_and_by_the_api(name):
    output = ACCEPTED[name]
    assert [*misfits(output, own_id=True)] == []
    check_schema(strict(output.model_json_schema()))


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_whatever_the_api_would_refuse_is_refused_here(name):
    output, _ = REFUSED[name]
    try:
        check_schema(strict(output.model_json_schema()))
    except Exception:
        assert [*misfits(output, own_id=False)]


def test_an_id_is_free_where_no_record_s_id_travels_with_the_output():
    assert [*misfits(create_model("Out", id=(int, ...)), own_id=False)] == []


def test_the_description_of_a_field_that_is_a_model_reaches_claude():
    travels = strict(ACCEPTED["a described model"].model_json_schema())
    assert travels["properties"]["field"]["description"] == "the main one"


def test_a_strict_model_takes_dates_and_enums_from_the_text_that_they_travel_as():
    strict = create_model(
        "Out", __config__=ConfigDict(strict=True), on=(date, ...), in_=(Colour, ...)
    )
    answer = message('{"on": "2026-01-02", "in_": "RED"}')
    output, fault = output_of_chunk(strict, answer)
    assert fault is None and output is not None
    assert output.model_dump() == {"on": date(2026, 1, 2), "in_": Colour.RED}
