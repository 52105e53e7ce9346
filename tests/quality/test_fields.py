"""What a cell of a table says about a field, read by the job's own model."""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Literal

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from quality.fields import Kind, comparable, fields_of, shown


class Colour(Enum):
    RED = "red"
    DARK_BLUE = "Dark Blue"


class Part(BaseModel):
    size: int


class Everything(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    label: Literal["Refund", "sales", ""]
    level: Literal[1, 2, "high"]
    colour: Colour | None = Field(default=None, alias="Farbe")
    urgent: bool
    count: Annotated[int, Field(ge=0)] = Field(validation_alias=AliasChoices("zahl", "number"))
    share: float | None = None
    text: str
    day: date
    at: datetime | None = None
    tags: list[Literal["x", "Y"]] = []
    sizes: list[int] = []
    part: Part | None = None
    either: int | str = ""


FIELDS = {field.name: field for field in fields_of(Everything)}


def test_each_field_is_of_a_kind():
    assert {name: field.kind for name, field in FIELDS.items()} == {
        "label": Kind.VALUES,
        "level": Kind.VALUES,
        "colour": Kind.VALUES,
        "urgent": Kind.VALUES,
        "count": Kind.NUMBER,
        "share": Kind.NUMBER,
        "text": Kind.TEXT,
        "day": Kind.TEXT,
        "at": Kind.TEXT,
        "tags": Kind.LIST,
        "sizes": Kind.LIST,
        "part": Kind.OTHER,
        "either": Kind.OTHER,
    }
    assert FIELDS["level"].values == (1, 2, "high")
    assert FIELDS["colour"].values == ("red", "Dark Blue", None)
    assert FIELDS["urgent"].values == (True, False)
    assert set(FIELDS["colour"].names) == {"colour", "Farbe"}
    assert {"count", "zahl"} == set(FIELDS["count"].names)


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("label", "refund", "Refund"),
        ("label", " SALES ", "sales"),
        ("label", "(empty)", None),
        ("label", "(EMPTY)", None),
        ("level", "2", 2),
        ("level", "HIGH", "high"),
        ("colour", "dark blue", "Dark Blue"),
        ("colour", "(empty)", None),
        *(("urgent", cell, True) for cell in ("yes", "TRUE", "True", "1", "y")),
        *(("urgent", cell, False) for cell in ("no", "FALSE", "0", "n")),
        ("count", "12", 12),
        ("count", "12.0", 12),
        ("share", "0.5", 0.5),
        ("share", "0,5", 0.5),
        ("share", "-12,75", -12.75),
        ("share", "0,125", 0.125),
        ("share", "1e-3", 0.001),
        ("share", "(empty)", None),
        ("text", " as it is ", "as it is"),
        ("text", "12", "12"),
        ("text", "(empty)", None),
        ("day", "2026-11-28", "2026-11-28"),
        ("at", "2026-11-28T06:30", "2026-11-28T06:30:00"),
        ("at", "(empty)", None),
        ("tags", "x;y", ["x", "Y"]),
        ("tags", "X, Y,", ["x", "Y"]),
        ("tags", '["x"]', ["x"]),
        ("tags", "[]", None),
        ("tags", "(empty)", None),
        ("sizes", "1; 2", [1, 2]),
        ("part", '{"size": 3}', {"size": 3}),
        ("part", "(empty)", None),
        ("either", "7", 7),
        ("either", "seven", "seven"),
    ],
)
def test_a_cell_says_a_value(name, cell, value):
    found = FIELDS[name].read(cell)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("label", "(empty)", ""),
        ("colour", "(empty)", None),
        ("share", "(empty)", None),
        ("text", "(empty)", ""),
        ("tags", "(empty)", []),
        ("tags", "[]", []),
        ("part", "(empty)", None),
        ("label", "refund", "Refund"),
        ("urgent", "WAHR", True),
        ("urgent", "Faux", False),
    ],
)
def test_what_is_empty_is_so_as_the_output_has_it(name, cell, value):
    found = FIELDS[name].value(cell)
    assert found == value and type(found) is type(value)


def test_a_long_number_that_a_spreadsheet_cut_is_no_whole_number():
    with pytest.raises(ValueError, match=r"1\.23E"):
        FIELDS["count"].read("1.23E+15")
    assert FIELDS["share"].read("1.5E+3") == 1500


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        ("label", "refnd", "'refnd' is no value of label: did you mean Refund?"),
        ("label", "nothing", "no value of label: there are Refund, sales, (empty)"),
        ("level", "3", "'3' is no value of level"),
        ("level", "(empty)", "level cannot be empty"),
        ("urgent", "maybe", "no value of urgent: there are true, false"),
        ("urgent", "(empty)", "urgent cannot be empty"),
        ("count", "many", "'many' is not what count can be (write a number such as 0.5)"),
        ("count", "-1", "greater_than_equal"),
        ("count", "1.5", "'1.5' is not what count can be"),
        ("count", "1_000", "write a number"),
        ("share", "1,250", "write a number"),
        ("share", "nan", "write a number"),
        ("day", "28.11.2026", "write it as 2026-11-28"),
        ("day", "11/28/2026", "write it as 2026-11-28"),
        ("day", "86400", "write it as 2026-11-28"),
        ("at", "46354", "write it as 2026-11-28"),
        ("day", "(empty)", "day cannot be empty"),
        pytest.param("count", "9" * 400, "write a number", id="hundreds of digits"),
        pytest.param("part", "[" * 100_000, "write JSON", id="nested too deeply"),
        ("tags", "x; z", "'x; z' is not what tags can be"),
        ("tags", '["x"', "write it as a; b"),
        ("sizes", "1; two", "write it as a; b"),
        ("part", "three", "write JSON"),
        (
            "part",
            '{"size": "x"}',
            "is not what part can be (wrong schema (part.size: int_parsing))",
        ),
    ],
)
def test_what_no_answer_can_be_is_refused(name, cell, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        FIELDS[name].read(cell)


def test_of_many_values_a_refusal_names_some():
    class Many(BaseModel):
        label: Literal[*[f"label_{n}" for n in range(77)]]  # type: ignore[valid-type]

    with pytest.raises(ValueError, match=r"there are 77, such as label_0, .*label_11$"):
        fields_of(Many)[0].read("zzzzzz")


class Validated(BaseModel):
    label: str = Field(json_schema_extra={"enum": ["a", "b"]})
    code: str
    low: int = 0
    high: int = 9

    @field_validator("code")
    @classmethod
    def upper(cls, value: str) -> str:
        if not value.isalpha():
            raise ValueError("letters only")
        return value.upper()

    @field_validator("high")
    @classmethod
    def after_low(cls, value: int, info: ValidationInfo) -> int:
        assert value > info.data["low"]
        return value


def test_the_jobs_own_validators_have_a_say():
    fields = {field.name: field for field in fields_of(Validated)}
    assert fields["code"].read("abc") == "ABC"
    with pytest.raises(ValueError, match="a validator refuses it"):
        fields["code"].read("a1")
    # This one wants another field, which a cell does not have: an answer is judged by it.
    assert fields["high"].read("5") == 5


def test_values_that_the_schema_alone_names_are_kept_to():
    label = fields_of(Validated)[0]
    assert (label.kind, label.values) == (Kind.VALUES, ("a", "b"))
    assert label.read("B") == "b"
    with pytest.raises(ValueError, match="no value of label"):
        label.read("c")


class Whole(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    day: date
    level: int

    @model_validator(mode="after")
    def fits(self) -> Whole:
        assert self.level < self.day.day
        return self


def test_a_model_that_is_judged_as_a_whole_still_reads_single_cells():
    day, level = fields_of(Whole)
    assert day.read("2026-11-28") == "2026-11-28"
    assert level.read("40") == 40


def test_a_field_is_found_in_an_output_by_name_or_alias():
    assert FIELDS["colour"].of({"colour": "red"}) == "red"
    assert FIELDS["colour"].of({"Farbe": "red"}) == "red"
    assert FIELDS["text"].of({"text": ""}) is None
    assert FIELDS["urgent"].of({"urgent": False}) is False
    assert FIELDS["count"].of({"count": 0}) == 0


def test_a_value_is_shown_as_a_person_would_write_it():
    assert [shown(value) for value in ("", None, [], True, 0, 0.5, "é", ["é"])] == [
        *("(empty)", "(empty)", "(empty)", "true", "0", "0.5", "é"),
        '["é"]',
    ]
    assert comparable(False) is False and comparable(0) == 0


class Frozen(BaseModel):
    model_config = ConfigDict(str_to_upper=True)

    code: str = Field(frozen=True)


def test_the_models_settings_hold_for_a_single_cell():
    assert fields_of(Frozen)[0].read("ab") == "AB"
