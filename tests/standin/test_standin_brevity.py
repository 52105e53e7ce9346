"""The stand-in is as brief as it is asked to be, as a model is, and not briefer."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from rigs.standin_requests import ask, records, serving, text_of

COMPACT = "Label each. Answer in compact JSON."
LEAVE_OUT = "Take them from the record; leave out what it does not say."
TEXT = "where are the teapot, the saucer, the kettle and the tray"


class Said(BaseModel):
    id: str
    names: list[str] = Field(default=[], description="persons; left out where none is named")
    things: list[str] = []
    reason: str = Field(description="why, in at most eight words")
    summary: str = Field(description="at most 3 plain words")
    explanation: str


class Results(BaseModel):
    results: list[Said]


@pytest.fixture(scope="module")
def claude():
    with serving() as (_, made):
        yield made


def answer(claude, text: str = TEXT, **more: Any) -> str:
    return text_of(ask(claude, records(text), Results, **more))


@pytest.mark.parametrize(
    "system",
    [COMPACT, [{"type": "text", "text": COMPACT, "cache_control": {"type": "ephemeral"}}]],
    ids=["text", "blocks"],
)
def test_json_has_no_blanks_between_its_parts_where_the_system_prompt_asks_for_it(claude, system):
    compact, usual = answer(claude, system=system), answer(claude, system="Label each.")
    assert compact.startswith('{"results":[{"id":"1","reason":"')
    assert usual.startswith('{"results": [{"id": "1", "reason": "')
    assert json.loads(compact) == json.loads(usual) == json.loads(answer(claude))


def test_what_is_required_comes_first_and_the_rest_is_left_out_where_that_is_asked(claude):
    def fields(text: str, **more: Any) -> list[str]:
        (result,) = json.loads(answer(claude, text, **more))["results"]
        return [*result]

    required = ["id", "reason", "summary", "explanation"]
    assert fields(TEXT) == [*required, "things"], "`names` says so itself"
    assert fields(TEXT, system=LEAVE_OUT) == required
    assert fields("Ask Anna", system=LEAVE_OUT) == [*required, "names", "things"]
    assert fields("", system=LEAVE_OUT) == required, "what is required stays, empty or not"


def test_a_text_is_no_longer_than_its_description_asks(claude):
    (result,) = json.loads(answer(claude))["results"]
    assert result["reason"] == "words counted, no model: teapot, saucer, kettle"
    assert result["summary"] == "where are the"
    assert result["explanation"].startswith("words found: teapot, saucer, kettle (by counting")
