"""When two outputs agree: in the fields with few values, and where there are none, in all."""

from __future__ import annotations

from enum import Enum
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from quality.agreement import agree, compared_fields


class Tone(Enum):
    GLAD = "glad"
    SAD = "sad"


class Few(BaseModel):
    label: Literal["a", "b"]
    runner_up: Literal["a", "b", ""] = ""
    urgent: bool
    tone: Tone | None = None
    always: Literal["x"] = "x"
    reason: str
    score: float
    tags: list[Literal["p", "q"]] = []


class Aliased(BaseModel):
    kind: Literal["a", "b"] = Field(alias="the kind")


class Texts(BaseModel):
    summary: str
    runner_up: str = ""


def test_fields_with_few_values_are_compared_and_never_a_runner_up():
    assert compared_fields(Few) == ["label", "urgent", "tone", "always"]
    assert compared_fields(Texts) == []
    # An output is kept under the names of its fields.
    assert compared_fields(Aliased) == ["kind"]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('{"label":"a","urgent":true}', '{"label":"a","urgent":true,"reason":"x"}', True),
        ('{"label":"a","runner_up":"b"}', '{"label":"a","runner_up":""}', True),
        ('{"label":"a"}', '{"label":"A"}', True),
        ('{"label":"a"}', '{"label":"b"}', False),
        ('{"label":"a","urgent":true}', '{"label":"a","urgent":false}', False),
        ('{"label":"a","urgent":true}', '{"label":"a","urgent":"true"}', True),
        ('{"label":"a","tone":null}', '{"label":"a"}', True),
    ],
)
def test_one_field_that_differs_is_enough(first, second, same):
    assert agree(first, second, compared_fields(Few)) is same


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('{"summary":"A Mug"}', '{"summary":"a mug "}', True),
        ('{"summary":"A Mug","runner_up":"x"}', '{"summary":"a mug","runner_up":"y"}', True),
        ('{"summary":"A Mug"}', '{"summary":"two mugs"}', False),
        ('{"summary":["A"],"n":1}', '{"n":1,"summary":["a"]}', True),
        ('{"summary":"A","score":0.91}', '{"summary":"a","score":0.95}', True),
        ('{"summary":"A","score":0.9}', '{"summary":"a","score":0.7}', False),
        ('{"summary":"A","n":1}', '{"summary":"a","n":2}', False),
    ],
)
def test_where_no_field_has_few_values_all_are_compared_whatever_the_case(first, second, same):
    assert agree(first, second, compared_fields(Texts)) is same
