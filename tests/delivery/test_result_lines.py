"""Lines of results that cannot be read: the others are stored, they are told of, and what they
were about is asked again.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from common.delivery.message_batch import download
from common.delivery.message_batch.result_lines import read_line, without_answer
from common.delivery.store import store
from common.ledger.message_batches import AwaitedRequest
from rigs.message_batch_site import (
    CREATE,
    RESULTS,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    spent,
    statuses,
    submitted,
)

MESSAGE = '{"type": "message", "content": [], "usage": {}, "stop_reason": "end_turn"}'
DAMAGED = [
    "not JSON",
    "{",
    "[]",
    "null",
    "17",
    '"text"',
    "[" * 100_000,
    '{"custom_id": "ID", "result": ',
    '{"custom_id": "ID", "result": {"type": "succeeded", "message": {"id": "\xff\xfe"}}}',
    '{"custom_id": "ID"}',
    '{"custom_id": "ID", "result": null}',
    '{"custom_id": "ID", "result": ["succeeded"]}',
    '{"custom_id": "ID", "result": "succeeded"}',
    '{"custom_id": "ID", "result": {"type": "succeeded"}}',
    '{"custom_id": "ID", "result": {"type": "succeeded", "message": null}}',
    '{"custom_id": "ID", "result": {"type": "succeeded", "message": "Hello"}}',
    '{"custom_id": "ID", "result": {"type": "succeeded", "message": {"type": "error"}}}',
    '{"custom_id": "ID", "result": {"type": "succeeded", "message": {"content": [null]}}}',
    '{"result": {"type": "succeeded", "message": ' + MESSAGE + "}}",
    '{"custom_id": null, "result": {"type": "succeeded", "message": ' + MESSAGE + "}}",
    '{"custom_id": ["ID"], "result": {"type": "succeeded", "message": ' + MESSAGE + "}}",
    '{"custom_id": {"ID": 1}, "result": {"type": "succeeded", "message": ' + MESSAGE + "}}",
    '{"custom_id": 12, "result": {"type": "succeeded", "message": ' + MESSAGE + "}}",
    '{"custom_id": "\\ud83d", "result": {"type": "succeeded", "message": ' + MESSAGE + "}}",
    "\xff\xfe\x00",
    "1" * 5_000,
]


@pytest.mark.parametrize("together", [1, 500])
@pytest.mark.parametrize("before", [False, True])
def test_of_two_lines_about_one_request_the_answer_counts(claude, monkeypatch, before, together):
    monkeypatch.setattr(download, "_TOGETHER", together)
    site = claude(message_batch_seconds=0, faults=[{"kind": "results_twice", "before": before}])
    fill(site, 4)
    result = go(site)
    assert result.code == 0 and "errored" not in result.log, result.log
    is_complete(site, 20)


def test_results_are_stored_in_the_order_of_their_requests(claude, monkeypatch):
    monkeypatch.setattr(download, "_TOGETHER", 1)
    stored: list[str] = []

    def noted(context: Any, answered: Any) -> Any:
        stored.extend(outcome.request.request_id for outcome in answered)
        return store(context, answered)

    monkeypatch.setattr(download, "store", noted)
    site = claude(message_batch_seconds=0)
    fill(site, 12)
    assert go(site).code == 0
    assert len(stored) == 11 and stored == sorted(stored)


@pytest.mark.parametrize("line", DAMAGED, ids=lambda line: line[:70])
def test_one_damaged_line_costs_its_own_request_and_no_other(claude, line):
    site = claude(message_batch_seconds=0, faults=[{"kind": "results_line", "line": line}])
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    assert "1 line of its results cannot be read" in result.log
    assert statuses(site) == {"done": 60} and calls(site, CREATE) == 1
    assert sorted(billed_for(site).values()) == [1] * 55 + [2] * 5
    assert spent(site)[1] > 0  # what the line told of may have been billed


@pytest.mark.parametrize("line", DAMAGED[:9], ids=lambda line: line[:70])
def test_a_line_that_is_damaged_on_its_way_once_costs_nothing(claude, line):
    rule = {"kind": "results_line", "line": line, "times": 1}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    assert calls(site, RESULTS) == 2 and set(billed_for(site).values()) == {1}
    assert submitted(site) == {"collected": 1}


def test_a_kind_of_result_that_nobody_knows_is_asked_live(claude):
    line = '{"custom_id": "ID", "result": {"type": ["succeeded"]}}'
    site = claude(message_batch_seconds=0, faults=[{"kind": "results_line", "line": line}])
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    assert "a result of a kind that is unknown here" in result.log
    assert statuses(site) == {"done": 60}


@pytest.mark.parametrize(
    "error",
    [
        None,
        "text",
        [],
        {},
        {"error": None},
        {"error": "text"},
        {"error": {"type": None}},
        {"error": {"type": ["x"], "message": {"a": 1}}},
        {"error": {"type": "\ud83d", "message": "half an emoji \ud83d"}},
    ],
    ids=str,
)
def test_an_error_of_any_shape_is_judged(claude, error):
    line = json.dumps({"custom_id": "ID", "result": {"type": "errored", "error": error}})
    site = claude(message_batch_seconds=0, faults=[{"kind": "results_line", "line": line}])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert "1 request errored" in result.log
    assert statuses(site) == {"done": 20}


def test_whatever_a_line_holds_it_can_be_judged():
    dice = random.Random(7)
    request = AwaitedRequest("r-1", "run", ["1"], 0.5, "claude-haiku-5-5")
    whole = json.dumps(
        {
            "custom_id": "r-1",
            "result": {
                "type": "errored",
                "error": {"type": "error", "error": {"type": "api_error", "message": "m"}},
            },
        }
    )
    for _ in range(3000):
        damaged = bytearray(whole.encode())
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(damaged))
            match dice.randrange(3):
                case 0:
                    damaged[at] = dice.randrange(256)
                case 1:
                    del damaged[at : at + dice.randint(1, 30)]
                case _:
                    damaged[at:at] = dice.choice([b"null", b"[", b"}", b'"', b"\xff", b"1e999"])
        line = read_line(bytes(damaged))
        if line.kind != "succeeded":
            ending = without_answer(request, line)
            assert ending.failed or ending.dead or ending.waiting


def values() -> list[Any]:
    return [None, True, 0, -1.5, "", "x", [], [1], {}, {"type": "succeeded"}]


def test_values_of_every_type_in_every_place_are_judged():
    request = AwaitedRequest("r-1", "run", ["1"], 0.5, "claude-haiku-5-5")
    for one in values():
        for other in values():
            for shape in (
                {"custom_id": one, "result": other},
                {"custom_id": "r-1", "result": {"type": one, "message": other}},
                {"custom_id": "r-1", "result": {"type": "errored", "error": {"error": one}}},
                {"custom_id": "r-1", "result": {"type": "errored", "error": other}},
            ):
                line = read_line(json.dumps(shape).encode())
                assert line.kind == "succeeded" or without_answer(request, line)
