"""What a run counts of its outputs, how the ledger keeps it, and lines about odd histories."""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import deepcopy
from decimal import Decimal
from enum import Enum
from random import Random
from statistics import fmean, variance
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from quality.looks import Counting, FieldType, Looks, Measure, read, types_of
from quality.unusual import unusual


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Output(BaseModel):
    label: Literal["a", "b", ""] = ""
    colour: Colour | None
    urgent: bool = False
    level: Literal[1, 2]
    note: str
    tags: list[Literal["x", "y"]] | None
    score: float = 0.5


TYPES = types_of(Output)


def looks_of(outputs: Iterable[dict[str, Any]], version: str = "v1", types: Any = TYPES) -> Looks:
    """The looks of some outputs, by way of what the ledger keeps."""
    counting = Counting(types)
    for output in outputs:
        counting.add(SimpleNamespace(**output))
    looks = read(counting.as_json(version=version, reasons=["refused (x)", "cut off", "cut off"]))
    assert looks is not None
    return looks


def output(**values: Any) -> dict[str, Any]:
    """An output like most."""
    usual = {
        "label": "a", "colour": Colour.RED, "urgent": False, "level": 1,
        "note": "some words", "tags": ["x"], "score": 0.5,
    }  # fmt: skip
    return {**usual, **values}


def test_the_jobs_own_words_are_those_of_its_types():
    words = {name: [*one.words.values()] for name, one in TYPES.items()}
    assert words == {
        "label": ["a", "b"], "colour": ["red", "blue"], "urgent": ["false", "true"],
        "level": ["1", "2"], "note": [], "tags": [], "score": [],
    }  # fmt: skip
    assert [name for name, one in TYPES.items() if one.is_list] == ["tags"]
    assert [name for name, one in TYPES.items() if one.may_be_empty] == ["label"]
    assert (TYPES["urgent"].default, TYPES["level"].default) == ("false", "")


def test_values_empties_and_lengths_are_counted():
    looks = looks_of(
        [
            output(),
            output(label="b", colour=None, urgent=True, level=2, note="", tags=["x", "y"]),
            output(label="", note="   ", tags=[], score=1.5),
            output(tags=None, note="four"),
        ]
    )
    field = looks.fields
    assert (looks.outputs, looks.refused, looks.failed, looks.records) == (4, 1, 2, 7)
    assert field["label"].values == {"a": 2, "b": 1} and field["label"].empty == 1
    assert field["colour"].values == {"red": 3} and field["colour"].empty == 1
    assert field["urgent"].values == {"false": 3, "true": 1}
    assert field["level"].values == {"1": 3, "2": 1}
    assert field["note"].empty == 2 and field["note"].texts.count == 2
    assert field["note"].texts.mean == (len("some words") + len("four")) / 2
    assert field["tags"].empty == 2 and field["tags"].lists.mean == 1.5
    assert field["score"].numbers.mean == 0.75


def test_a_text_stands_there_as_a_hash_and_only_while_there_are_few():
    few = looks_of(output(note=f"Jane Doe {n % 3}") for n in range(60))
    assert len(few.fields["note"].values or ()) == 3
    many = looks_of(output(note=f"Jane Doe {n}") for n in range(60))
    assert many.fields["note"].values is None
    long = looks_of(output(note="Jane Doe" * 50) for n in range(60))
    assert long.fields["note"].values is None
    counting = Counting(TYPES)
    counting.add(SimpleNamespace(**output(note="Jane Doe")))
    assert "Jane" not in counting.as_json(version="v1", reasons=["Jane Doe: refused"])


@pytest.mark.parametrize(
    "odd", [float("nan"), float("inf"), 10**400, Decimal("1e9999"), "\x00\ud83d", b"x", object()]
)
def test_odd_values_change_nothing_else(odd):
    looks = looks_of([*(output() for _ in range(60)), output(score=odd, note=odd, tags=odd)])
    assert looks.outputs == 61
    assert looks.fields["score"].numbers.mean == 0.5
    assert unusual(looks, [looks] * 14, TYPES) == []


@pytest.mark.parametrize("by", [0, 1e9])
def test_mean_and_variance_are_those_of_the_numbers_also_in_parts(by):
    numbers = [by + Random(1).gauss(5, 2) * n for n in range(1, 200)]
    whole, parts = Measure(), [Measure(), Measure(), Measure()]
    for n, number in enumerate(numbers):
        whole.add(number)
        parts[n > 50].add(number)
    for part in parts[1:]:
        parts[0].merge(part)
    for measure in (whole, parts[0]):
        assert measure.mean == pytest.approx(fmean(numbers))
        assert measure.variance == pytest.approx(variance(numbers))


@pytest.mark.parametrize("broken", ["", "{", "null", "[]", "3", '{"outputs": 1}', "[" * 100_000])
def test_what_is_no_looks_is_none(broken):
    assert read(broken) is None


@pytest.mark.parametrize(
    "field",
    [
        {"count": 1, "empty": -1},
        {"count": 1, "empty": 2},
        {"count": 2, "empty": 0},
        {"count": 1, "empty": 0, "values": {"b": 2}},
        {"count": 1, "empty": 0, "texts": [1, 1, -1]},
        {"count": 1, "empty": 0, "texts": [1, float("nan"), 0]},
        {"count": 1, "empty": 0, "texts": [1, 1]},
        3,
    ],
)
def test_counts_that_cannot_be_are_no_looks(field):
    good = {"version": "", "outputs": 1, "refused": 0, "failed": 0, "fields": {}}
    assert read(json.dumps(good)) is not None
    assert read(json.dumps({**good, "outputs": 0})) is None
    assert read(json.dumps({**good, "fields": {"a": field}})) is None


def test_a_run_without_outputs_leaves_nothing():
    assert Counting(TYPES).as_json(version="v1", reasons=["cut off"]) == ""


def test_nights_that_are_all_alike_are_a_history_and_any_other_night_is_told_of():
    same = looks_of(output() for _ in range(60))
    assert unusual(same, [deepcopy(same) for _ in range(14)], TYPES) == []
    other = looks_of(
        output(label="b", note="very much longer than before", score=0.9, colour=None)
        for _ in range(60)
    )
    assert sorted(unusual(other, [same] * 14, TYPES)) == [
        'colour "red" 0 % of 60 outputs, 100 % in the 14 runs before (always 100 %)',
        "colour empty in 100 % of 60 outputs, 0 % in the 14 runs before (always 0 %)",
        (
            'label "a" 0 % of 60 outputs, 100 % in the 14 runs before (always 100 %);'
            " 1 more of its values moved"
        ),
        "note 28 characters on average in 60 outputs, 10 in the 14 runs before (always 10)",
        (
            "one value of note 0 % of 60 outputs, 100 % in the 14 runs before (always 100 %);"
            " 1 more of its values moved"
        ),
        "score 0.9 on average in 60 outputs, 0.5 in the 14 runs before (always 0.5)",
    ]


def test_a_new_field_has_no_history_and_one_that_vanished_is_not_told_of():
    before = [looks_of(output() for _ in range(60)) for _ in range(14)]
    types = {"new": FieldType({"x": "x", "y": "y"}), "score": TYPES["score"]}
    now = looks_of(({"new": "x", "score": 0.5} for _ in range(60)), "v2", types)
    assert unusual(now, before, types) == [
        'new "x" 100 % of 60 outputs, and there is no history to compare with'
    ]


def test_a_share_of_nearly_all_is_not_called_all():
    before = [looks_of(output(urgent=n == 0) for n in range(400)) for _ in range(14)]
    now = looks_of(output(urgent=n % 2 == 0) for n in range(400))
    assert [line for line in unusual(now, before, TYPES) if line.startswith("urgent")] == [
        (
            'urgent "false" 50 % of 400 outputs, 99.8 % in the 14 runs before (always 99.8 %);'
            " 1 more of its values moved"
        )
    ]


def test_a_new_label_and_one_that_is_no_more():
    old = {"label": FieldType({"a": "a", "gone": "gone"})}
    new = {"label": FieldType({"a": "a", "fresh": "fresh"})}
    before = [
        looks_of(({"label": "gone" if n % 2 else "a"} for n in range(60)), "v1", old)
        for _ in range(14)
    ]
    now = looks_of(({"label": "fresh" if n % 2 else "a"} for n in range(60)), "v2", new)
    assert unusual(now, before, new) == [
        (
            'label "fresh" 50 % of 60 outputs, 0 % in the 14 runs before (always 0 %);'
            " the job was edited meanwhile"
        )
    ]


def test_many_small_runs_are_a_history_together():
    small = [looks_of(output(label="ab"[n % 2]) for n in range(10)) for _ in range(100)]
    now = looks_of(output(label="b") for _ in range(60))
    [line] = unusual(now, small, TYPES)
    assert line.startswith('label "') and "in the 70 runs before (always 50 %)" in line


def test_refusals_are_compared_too():
    usual = looks_of(output(label="ab"[n % 2]) for n in range(300))
    now = deepcopy(usual)
    now.refused = 60
    [line] = unusual(now, [usual] * 14, TYPES)
    assert line.startswith("Claude refused 17 % of 362 records, 0.3 % in the 14 runs before")


def test_without_a_history_a_field_that_is_mostly_empty_looks_wrong_but_not_by_its_nature():
    now = looks_of(
        output(label="" if n % 9 else "ab"[n % 2], colour=None if n % 3 else Colour.RED,
               note=str(n), tags=[] if n % 9 else ["x"], level=1 + n % 2)
        for n in range(90)
    )  # fmt: skip
    nothing = "and there is no history to compare with"
    assert unusual(now, [], TYPES) == [f"colour empty in 67 % of 90 outputs, {nothing}"]


def test_what_looks_wrong_without_a_history_is_told_of_once():
    usual = looks_of(output(label="ab"[n % 2], colour=None, score=n) for n in range(60))
    first = unusual(usual, [], TYPES)
    assert [line.partition(" ")[0] for line in first] == ["colour", "level", "one"]
    few = looks_of(output(colour=None) for n in range(9))
    assert unusual(usual, [few], TYPES) == first, "nobody was told of it"
    assert unusual(usual, [few, usual], TYPES) == []
    shifted = looks_of(output(label="a", colour=None) for n in range(60))
    assert [line.partition(" ")[0] for line in unusual(shifted, [usual], TYPES)] == ["label"]
