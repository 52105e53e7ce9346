"""The rules that script faults: which request a rule hits, and which rules are refused."""

from pathlib import Path
from typing import Any

import pytest

from rigs.standin_requests import records
from standin.scripted_faults import BadRule, load


def hits(rule: dict[str, Any], texts: list[str]) -> list[bool]:
    faults = load([{"kind": "500"} | rule])
    return [faults.pick("http", "/v1/messages", "POST", text) is not None for text in texts]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"times": 2}, [1, 1, 0, 0, 0, 0]),
        ({"when": {"every": 3}}, [0, 0, 1, 0, 0, 1]),
        ({"when": {"first": 2}}, [1, 1, 0, 0, 0, 0]),
        ({"when": {"contains": "tea"}}, [0, 1, 0, 0, 0, 1]),
        ({"when": {"record": "1"}}, [0, 0, 1, 0, 0, 0]),
        ({"when": {"every": 2, "contains": "tea"}, "times": 1}, [0, 1, 0, 0, 0, 0]),
        ({"path": "/v1/models"}, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_a_rule_hits_when_all_its_conditions_hold(rule, expected) -> None:
    texts = ["a", "tea", records("x"), '<record id="11">', "b", "tea"]
    assert hits(rule, texts) == [bool(hit) for hit in expected]


def test_a_share_is_the_same_in_every_run() -> None:
    rule = {"when": {"share": 0.33, "seed": 1}}
    first = hits(rule, ["x"] * 1_000)
    assert first == hits(rule, ["x"] * 1_000)
    assert 280 < sum(first) < 380
    assert first != hits({"when": {"share": 0.33, "seed": 2}}, ["x"] * 1_000)


def test_rules_are_tried_in_order_and_the_first_hit_counts() -> None:
    rules: Any = [
        {"kind": "503", "times": 1},
        {"cycle": ["529", {"kind": "429", "retry_after": 1}]},
    ]
    faults = load(rules)
    picked = [faults.pick("http", "/v1/messages", "POST", "") for _ in range(4)]
    assert [fault.kind for fault in picked if fault] == ["503", "529", "429", "529"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kind": "530"}, "unknown kind '530'; known: 400"),
        ({}, "unknown kind None"),
        ({"kind": "cycle"}, "unknown kind 'cycle'"),
        ({"kind": "500", "cycle": ["500"]}, "not both"),
        ({"cycle": []}, "cycle must be a list"),
        ({"cycle": ["500", "530"]}, "unknown kind '530'"),
        ({"cycle": ["500"], "seconds": 1}, "unknown key 'seconds'"),
        ({"cycle": ["500", "list_lag"]}, "cannot take turns"),
        ({"kind": "500", "where": {}}, "unknown key 'where' for 500"),
        ({"kind": "500", "seconds": 3}, "unknown key 'seconds' for 500"),
        ({"kind": "late", "seconds": "3"}, "seconds must be a number"),
        ({"kind": "dribble", "seconds": "1"}, "seconds must be a number"),
        ({"kind": "redirect", "url": "x"}, "unknown key 'url' for redirect"),
        ({"kind": "refusal", "category": "rude"}, "unknown category 'rude'"),
        ({"kind": "500", "when": {"each": 1}}, "unknown key 'each' in when"),
        ({"kind": "500", "when": {"every": 0}}, "every in when must be at least 1"),
        ({"kind": "500", "when": {"every": "3"}}, "every in when cannot be '3'"),
        ({"kind": "500", "when": {"record": 17}}, "record in when cannot be 17"),
        ({"kind": "500", "when": [1]}, "when must be an object"),
        ({"kind": "500", "times": "2"}, "times must be a whole number"),
        ({"kind": "500", "path": "/v1/message"}, "unknown path '/v1/message'"),
        ({"kind": "500", "method": "PUT"}, "unknown method 'PUT'"),
        ({"kind": "half_json", "path": "/v1/models"}, "half_json cannot happen at /v1/models"),
        ({"kind": "create_lost", "path": "/v1/messages"}, "create_lost cannot happen at"),
        ({"kind": "list_lag", "seconds": 1, "times": 1}, "list_lag holds always"),
        ("500", "must be an object"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_at_the_start(rule, words) -> None:
    rules: Any = [{"kind": "500"}, rule]
    with pytest.raises(BadRule, match="fault rule 2: ") as caught:
        load(rules)
    assert words in str(caught.value)


def test_a_file_of_rules_must_be_a_list(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text("{")
    with pytest.raises(BadRule, match="not JSON"):
        load(path)
    path.write_text("{}")
    with pytest.raises(BadRule, match="must be a list"):
        load(path)
