"""The reason why an answer cannot be used: it says where and what, never a customer's words."""

from __future__ import annotations

import json

import pytest
from pydantic import ConfigDict, Field

from common.claude.answers import output_of_chunk
from common.claude.faults import Whose
from rigs.label_answers import Verdict, message

SECRET = "Anna Smith, +49 170 1234567"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"label": SECRET}, "label: "),
        ({"label": "Other", "note": {SECRET: SECRET}}, "note: string_type"),
        ({"label": "Other", "part": {"size": SECRET}}, "part.size: "),
        ({"label": "Other", "part": {"size": "Small", "colours": ["red", SECRET]}},
        "part.colours: enum"),
        ({"label": "Other", SECRET: SECRET}, "extra_forbidden"),
        ({"label": "Other", "weights": {SECRET: "heavy"}}, "weights: float_parsing"),
        (SECRET, "model_type"),
        ([SECRET], "model_type"),
    ],
)  # fmt: skip
def test_a_reason_says_where_and_what_never_a_value(fields, where):
    class Closed(Verdict):
        model_config = ConfigDict(extra="forbid")
        weights: dict[str, float] = Field(default_factory=dict)

    output, fault = output_of_chunk(Closed, message(json.dumps(fields)))
    assert output is None and fault is not None
    assert where in fault.reason
    assert "Anna" not in fault.reason and "170" not in fault.reason
    assert (fault.whose, fault.final) == (Whose.RECORD, False)
