"""Reading an answer: its outputs, and for each record without one a reason."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from common import Job
from common.claude.answers import output_of_chunk, outputs_per_record
from common.claude.faults import Fault, Whose
from common.claude.message import is_message, message_in, tokens_of
from common.claude.pricing import Tokens
from rigs.label_answers import Colour, Part, Verdict, message

JOB = Job("labels", "select 1", "", Verdict, lambda *_: None)


class Why(BaseModel):
    why: str


WHY_JOB = Job("labels", "select 1", "", Why, lambda *_: None)


def results(*entries: Any) -> dict[str, Any]:
    return message(json.dumps({"results": entries}))


def entry(record_id: Any, label: str = "billing", **more: Any) -> dict[str, Any]:
    return {"id": record_id, "label": label, **more}


def reasons(answer: dict[str, Any], *record_ids: str) -> dict[str, str]:
    """Why records have no output; those that have one say "fine"."""
    outputs, faults, _ = outputs_per_record(JOB, answer, record_ids)
    assert not outputs.keys() & faults.keys()
    assert {fault.whose for fault in faults.values()} <= {Whose.RECORD}
    return dict.fromkeys(outputs, "fine") | {name: fault.reason for name, fault in faults.items()}


WHOLE = {"results": [entry("1")]}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\ud83d", "\ufffd"),
        (r"\ude00 and then", "\ufffd and then"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        ("\ud83d", "\ufffd"),
        (r"\\ud83d", r"\ud83d"),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character_and_whole_ones_stay(written, read):
    text = f'{{"results": [{{"id": "1", "label": "billing", "why": "{written}"}}]}}'
    outputs, faults, _ = outputs_per_record(WHY_JOB, message(text), ["1"])
    assert not faults
    assert outputs["1"].model_dump()["why"] == read
    outputs["1"].model_dump_json().encode()


@pytest.mark.parametrize(
    "around",
    [
        "```json\n{}\n```",
        "```\n{}\n```",
        "```JSON {}```",
        "```{}```",
        "````json5\n{}\n````",
        "~~~json\n{}\n~~~",
        " \n\n ```json  \r\n\r\n{}\r\n  ```  \n ",
        "Here is the JSON:\n\n```json\n{}\n```\n\nAnything else?",
        "```json\n{}",
        "\ufeff{}",
        "`{}`",
        " {} ",
    ],
)
def test_a_code_block_around_the_json_is_taken_off(around):
    for told in (WHOLE, {"results": [entry("1", note="```json {} ``` and ~~~")]}):
        assert reasons(message(around.replace("{}", json.dumps(told))), "1") == {"1": "fine"}


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence"])
def test_a_whole_answer_is_used(stop):
    assert reasons(message(json.dumps(WHOLE), stop), "1") == {"1": "fine"}


@pytest.mark.parametrize(
    ("stop", "reason", "final"),
    [
        ("refusal", "refused (cyber)", True),
        ("max_tokens", "cut off (max_tokens)", False),
        ("model_context_window_exceeded", "cut off (model_context_window_exceeded)", False),
        ("tool_use", "stopped for a reason unknown here (tool_use)", False),
        ("pause_turn", "stopped for a reason unknown here (pause_turn)", False),
        ("new\nin 2027", "stopped for a reason unknown here (new in 2027)", False),
        (None, "stopped for a reason unknown here (None)", False),
    ],
)
def test_the_stop_reason_decides_even_where_the_json_is_whole(stop, reason, final):
    answer = message(json.dumps(WHOLE), stop, stop_details={"category": "cyber"})
    _, faults, _ = outputs_per_record(JOB, answer, ["1", "2"])
    assert {(f.reason, f.final, f.whose) for f in faults.values()} == {
        (reason, final, Whose.RECORD)
    }
    assert set(faults) == {"1", "2"}


@pytest.mark.parametrize("details", [None, {}, {"category": None}])
def test_a_refusal_may_say_nothing_at_all(details):
    answer = message("", "refusal", content=[], stop_details=details)
    assert reasons(answer, "1") == {"1": "refused (no category given)"}


@pytest.mark.parametrize(
    "text",
    ["", '{"results": [{"id": "1", "lab', ("Sure! Here it "
                                          "is."), "```json\n```", "[" * 100_000],
    ids=["empty", "half", "prose", "fenced", "deep"],
)  # fmt: skip
def test_what_is_not_json_is_one_reason_for_all(text):
    assert reasons(message(text), "1", "2") == dict.fromkeys(
        ["1", "2"], "an answer that is not the JSON asked for"
    )


@pytest.mark.parametrize(
    "data",
    [None, 1, "x", [], {}, {"results": None}, {"results": 5}, {"results": {}}, {"result": []}],
)
def test_json_of_another_shape_has_no_results(data):
    answer = message(json.dumps(data))
    assert reasons(answer, "1") == {"1": "an answer without results"}
    assert outputs_per_record(JOB, answer, ["1"])[2] == 0


@pytest.mark.parametrize(
    ("entries", "expected", "foreign"),
    [
        ([entry("1"), entry("2")], {"1": "fine", "2": "fine"}, 0),
        ([entry("2"), entry("1")], {"1": "fine", "2": "fine"}, 0),
        ([entry(1), entry(2)], {"1": "fine", "2": "fine"}, 0),
        ([entry("1")], {"1": "fine", "2": "missing from the answer"}, 0),
        ([entry("1"), entry("1"), entry("2")], {"1": "answered twice", "2": "fine"}, 0),
        ([entry(1), entry("1"), entry("2")], {"1": "answered twice", "2": "fine"}, 0),
        ([entry("1"), entry("2"), entry("3")], {"1": "fine", "2": "fine"}, 1),
        ([entry("01"), entry("1.0"), entry(True)], {"1": "missing from the "
                                                         "answer", "2": "missing from the "
                                                                        "answer"}, 3),
        ([{"label": "billing"}, "1", None, entry("1")], {"1": "fine", "2": "missing from the "
                                                                           "answer"}, 1),
        ([], {"1": "missing from the answer", "2": "missing from the answer"}, 0),
    ],
)  # fmt: skip
def test_each_record_is_found_by_its_id(entries, expected, foreign):
    answer = results(*entries)
    assert reasons(answer, "1", "2") == expected
    assert outputs_per_record(JOB, answer, ["1", "2"])[2] == foreign


@pytest.mark.parametrize(
    "missing", [{"label": "billing"}, entry(None), entry(True), entry(["None"])]
)
def test_an_entry_without_an_id_is_about_no_record_whatever_records_are_called(missing):
    assert set(reasons(results(missing), "None", "True", "['None']").values()) == {
        "missing from the answer"
    }


def test_one_wrong_entry_fails_its_record_alone():
    answer = results(entry("1"), entry("2", "weather"), entry("3"))
    assert reasons(answer, "1", "2", "3") == {
        "1": "fine",
        "2": "wrong schema (label: literal_error)",
        "3": "fine",
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"label": "BILLING"}, {"label": "billing"}),
        ({"label": "other"}, {"label": "Other"}),
        ({"label": "billing", "colour": "RED"}, {"colour": Colour.RED}),
        ({"label": "billing", "colour": "dark blue"}, {"colour": Colour.DARK_BLUE}),
        ({"label": "billing", "colour": None}, {"colour": None}),
        ({"label": "billing", "level": "HIGH"}, {"level": "high"}),
        ({"label": "billing", "level": 2}, {"level": 2}),
        (
            {"label": "billing", "part": {"size": "small", "colours": ["Red", "DARK BLUE"]}},
            {"part": Part(size="Small", colours=[Colour.RED, Colour.DARK_BLUE])},
        ),
        # Only values of an enum may change their case: this field is free text.
        ({"label": "billing", "note": "BILLING"}, {"note": "BILLING"}),
    ],
)
def test_an_enums_value_may_come_in_any_case(fields, expected):
    outputs, _, _ = outputs_per_record(JOB, results({"id": "1", **fields}), ["1"])
    output = outputs["1"].model_dump()
    wanted = Verdict.model_construct(**{"label": "billing", **expected}).model_dump()
    assert {name: output[name] for name in expected} == {name: wanted[name] for name in expected}


def test_of_values_that_differ_in_case_alone_the_exact_one_is_meant():
    class Grade(BaseModel):
        grade: Literal["a", "A"]

    for value in ("a", "A"):
        output, _ = output_of_chunk(Grade, message(json.dumps({"grade": value})))
        assert output == Grade(grade=value)


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "x",
        [],
        {},
        {"type": "error"},
        {"type": "message"},
        {"type": "message", "content": [5]},
        {"type": "message", "content": [], "stop_reason": 5},
    ],
)
def test_only_what_can_be_read_as_a_message_is_a_message(body):
    assert not is_message(body)
    assert isinstance(message_in(json.dumps(body)), Fault)
    assert is_message(message(""))
    assert message_in(json.dumps(message(""))) == message("")


def test_tokens_are_read_from_the_usage_whatever_is_missing_there():
    usage = {
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
        "cache_read_input_tokens": 5,
    }
    assert tokens_of({"usage": usage}) == Tokens(10, 20, 4, 3, 5)
    assert tokens_of({"usage": usage | {"cache_creation": None}}) == Tokens(10, 20, 7, 0, 5)


USAGE = {"input_tokens": 10, "output_tokens": 20}
NO_NUMBERS: list[Any] = ["10", "many", -1, 2**63, 2**64, 1.5, float("nan"), 1e999, True, []]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "many",
        [10, 20],
        {},
        {"input_tokens": None, "output_tokens": 20},
        *(
            USAGE | {name: number}
            for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")
            for number in NO_NUMBERS
        ),
        USAGE | {"cache_creation": "words"},
        USAGE | {"cache_creation": {"ephemeral_1h_input_tokens": -7}},
    ],
    ids=str,
)
def test_where_the_usage_is_none_the_cost_is_unknown_and_no_number_is_one_that_cannot_be(usage):
    tokens = tokens_of(message("{}", usage=usage))
    assert not tokens.known
    assert 0 <= tokens.prompt <= 10 and 0 <= tokens.output <= 20


def test_whole_numbers_may_be_written_with_a_point():
    usage = {"input_tokens": 10.0, "output_tokens": 2e1}
    assert tokens_of({"usage": usage}) == Tokens(10, 20)
