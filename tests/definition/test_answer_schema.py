"""The schema that travels with each request says what Claude needs to know, and nothing twice."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

import bulk_classifier
import daily_report
import data_enrichment
from common import Job
from common.answer_schema import strict
from common.claude.request import system_prompt
from standin.schema_rules import check_schema

JOBS = [bulk_classifier.JOB, data_enrichment.JOB, daily_report.JOB]


class Colour(Enum):
    RED = "red"


class Part(BaseModel):
    """A part of an order."""

    model_config = ConfigDict(title="One part")

    title: str
    default: str = "none"
    properties: list[str] = []


class Order(BaseModel):
    when_due: str = Field(default="", description="as the customer says it")
    total: float = Field(default=0, title="Gross total", description="in EUR", ge=0)
    colour: Colour
    main: Part = Field(description="the one that costs most")
    parts: list[Part]


def strings_under(node: Any, key: str) -> list[str]:
    """Every text that stands in a schema under a keyword."""
    if isinstance(node, list):
        return [one for part in node for one in strings_under(part, key)]
    if not isinstance(node, dict):
        return []
    own = [node[key]] if isinstance(node.get(key), str) else []
    return own + [one for part in node.values() for one in strings_under(part, key)]


def order() -> dict[str, Any]:
    schema = strict(Order.model_json_schema())
    check_schema(schema)
    return schema


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_shipped_jobs_schema_has_no_title_no_default_and_nothing_that_the_prompt_says(job):
    schema = strict(job.schema)
    check_schema(schema)
    assert strings_under(schema, "title") == []
    text = json.dumps(schema)
    assert "{default" not in text and '"$defs": {}' not in text
    assert "exactly as given" not in text and "exactly as given" in system_prompt(job)


def test_titles_that_repeat_a_name_stay_here_and_others_travel():
    assert sorted({*strings_under(order(), "title")}) == ["Gross total", "One part"]


def test_an_empty_default_is_not_described_and_another_one_is():
    fields = order()["properties"]
    assert fields["when_due"]["description"] == "as the customer says it"
    assert fields["total"]["description"] == "in EUR\n\n{default: 0, minimum: 0}"


def test_a_field_may_be_called_like_a_keyword_of_the_schema():
    parts = order()["$defs"]["Part"]["properties"]
    assert list(parts) == ["title", "default", "properties"]
    assert all(part["type"] in ("string", "array") for part in parts.values())
    assert "{default: none}" in parts["default"]["description"]
    main = order()["properties"]["main"]
    assert main["description"] == "the one that costs most"
    assert list(main["properties"]) == list(parts)


def test_an_ids_own_description_stays_where_it_says_more():
    class Row(BaseModel):
        id: str = Field(description="of the shelf")

    assert strict(Row.model_json_schema())["properties"]["id"]["description"] == "of the shelf"


def test_what_travels_is_not_what_the_version_is_made_of():
    # Else all that is done would be by an older version, because a title does not travel any more.
    class Label(BaseModel):
        label: Literal["a", "b"] = "b"

    job = Job("labels", "select 1", "Label.", Label, print)
    assert strings_under(job.schema, "title") == ["Label", "Label"]
    assert job.version("claude-haiku-5-5") == "397fe1d808ad", "as before titles stayed here"
