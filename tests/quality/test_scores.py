"""Every figure of an evaluation, against plain counting over generated answers."""

from __future__ import annotations

import random
from enum import Enum
from fractions import Fraction
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from quality.fields import fields_of
from quality.proportions import sign_test, wilson
from quality.scores import NO_ANSWER, Scores, score
from quality.side_by_side import side_by_side


class Tone(Enum):
    WARM = "warm"
    COLD = "cold"


class Output(BaseModel):
    label: Literal["a", "b", "c", ""]
    tone: Tone | None = None
    urgent: bool = False
    amount: float | None = None
    title: str = ""
    tags: list[str] = []
    part: dict[str, int] = {}
    why: str = ""


FIELDS = {one.name: one for one in fields_of(Output)}


def scores(expected: dict[str, Any], answers: dict[str, Any], *names: str) -> Scores:
    fields = [
        FIELDS[name] for name in names or sorted({n for one in expected.values() for n in one})
    ]
    return score(fields, expected, answers, {})


def generated(seed: int, records: int = 400) -> tuple[dict[str, Any], dict[str, Any]]:
    """Labels for some fields of each record, and answers, of which some lack."""
    dice = random.Random(seed)
    expected: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    for number in range(records):
        labelled = {
            "label": dice.choice(["a", "a", "b", "c", None]),
            "urgent": dice.random() < 0.3,
            "amount": dice.choice([None, 1.0, 2.5, 10.0]),
            "title": dice.choice(["One", "Two", "three", None]),
            "tags": dice.choice([["x"], ["x", "Y"], None]),
        }
        kept = [name for name in labelled if dice.random() < 0.8] or ["label"]
        expected[f"r{number}"] = {name: labelled[name] for name in kept}
        answers[f"r{number}"] = (
            None
            if dice.random() < 0.05
            else {
                "label": labelled["label"] if dice.random() < 0.7 else dice.choice(["a", "b", ""]),
                "urgent": labelled["urgent"] if dice.random() < 0.9 else True,
                "amount": labelled["amount"]
                if dice.random() < 0.5
                else dice.choice([None, 3, 2.5]),
                "title": dice.choice(["One", "two", "THREE ", "", labelled["title"] or ""]),
                "tags": dice.choice([["x"], ["y", "x"], ["Y", "x"], []]),
                "why": f"since {number}",
            }
        )
    return expected, answers


def plain(value: Any) -> Any:
    """What an empty value and a text with spaces count as."""
    if isinstance(value, str):
        value = value.strip()
    return None if value in ("", []) else value


def folded(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(one.lower() for one in value)
    return value.lower() if isinstance(value, str) else value


@pytest.mark.parametrize("seed", range(5))
def test_every_field_is_what_plain_counting_gives(seed):
    expected, answers = generated(seed)
    found = scores(expected, answers)
    by_name = {one.field.name: one for one in found.fields}
    assert {*by_name} == {"label", "urgent", "amount", "title", "tags"}
    for name, figures in by_name.items():
        rows = [
            (plain(values[name]), answers[one] and plain(answers[one][name]), answers[one] is None)
            for one, values in expected.items()
            if name in values
        ]
        if name == "tags":
            rows = [(w and sorted(w), g and sorted(g), no) for w, g, no in rows]
        right = [row for row in rows if not row[2] and row[0] == row[1]]
        assert (figures.n, figures.right) == (len(rows), len(right))
        assert Fraction(len(right), len(rows)) == Fraction(figures.right, figures.n)
        if name in ("title", "tags"):
            also = [row for row in rows if not row[2] and folded(row[0]) == folded(row[1])]
            assert figures.folded == len(also) > len(right)
        if name == "amount":
            gaps = [abs(w - g) for w, g, no in rows if not no and w is not None and g is not None]
            assert figures.numbers == len(gaps)
            assert figures.error == pytest.approx(sum(gaps) / len(gaps))
        if name in ("label", "urgent"):
            for value in figures.values:
                meant = {"(empty)": None, "true": True, "false": False}.get(
                    value.value, value.value
                )
                hits = sum(w == meant and g == meant and not no for w, g, no in rows)
                wanted = sum(w == meant for w, _, _ in rows)
                given = sum(g == meant and not no for _, g, no in rows)
                assert (value.expected, value.got, value.right) == (wanted, given, hits)
                assert value.precision == (hits / given if given else None)
                assert value.recall == (hits / wanted if wanted else None)
                missed, extra = wanted - hits, given - hits
                f1 = hits / (hits + (missed + extra) / 2)
                assert value.f1 == pytest.approx(f1)
            assert sum(value.expected for value in figures.values) == len(rows)


@pytest.mark.parametrize("seed", range(5))
def test_the_accuracy_is_about_all_fields_with_few_values(seed):
    expected, answers = generated(seed)
    found = scores(expected, answers)
    assert found.headline == ("label", "urgent")
    rows = [
        all(
            answers[one] is not None and plain(answers[one][name]) == values[name]
            for name in ("label", "urgent")
            if name in values
        )
        for one, values in expected.items()
        if {"label", "urgent"} & {*values}
    ]
    assert (found.n, found.right) == (len(rows), sum(rows))
    assert found.accuracy == sum(rows) / len(rows)
    assert found.interval == wilson(sum(rows), len(rows))
    assert found.unanswered.keys() == {one for one, answer in answers.items() if answer is None}


@pytest.mark.parametrize("seed", range(3))
def test_confusions_and_wrong_ones_hold_each_record_that_is_wrong(seed):
    expected, answers = generated(seed)
    found = scores(expected, answers)
    counted: dict[tuple[str, str, str], int] = {}
    wrong = set()
    for one, values in expected.items():
        for name, value in values.items():
            answer = answers[one]
            wanted, got = value, answer and plain(answer[name])
            if name == "tags":
                wanted, got = (both and sorted(both) for both in (wanted, got))
            if answer is not None and wanted == got:
                continue
            wrong.add((one, name))
            if name in ("label", "urgent"):
                names = {None: "(empty)", True: "true", False: "false"}
                said = NO_ANSWER if answer is None else names.get(got, got)
                key = (name, names.get(wanted, wanted), said)
                counted[key] = counted.get(key, 0) + 1
    assert {(c.field, c.expected, c.got): c.count for c in found.confusions} == counted
    assert [c.count for c in found.confusions] == sorted(counted.values(), reverse=True)
    assert {(one.record_id, one.field) for one in found.wrong} == wrong
    assert len(found.wrong) == len(wrong)
    fields = [one.field for one in found.wrong]
    assert fields == sorted(fields, key=[*found.headline, "amount", "tags", "title"].index)
    for mistake in found.wrong:
        answer = answers[mistake.record_id]
        assert mistake.explanation == ("" if answer is None else answer["why"])
        assert mistake.error == ("no answer" if answer is None else "")


def test_without_a_field_of_few_values_the_accuracy_is_about_all():
    expected = {"1": {"title": "A", "amount": 1}, "2": {"title": "B"}, "3": {"amount": 2}}
    answers = {"1": {"title": "A", "amount": 1.0}, "2": {"title": "b"}, "3": {"amount": 3}}
    found = scores(expected, answers)
    assert found.headline == ("amount", "title")
    assert (found.n, found.right) == (3, 1)


def test_a_record_without_a_label_for_the_accuracy_is_not_in_it():
    expected = {"1": {"label": "a"}, "2": {"title": "B"}}
    found = scores(expected, {"1": {"label": "a"}, "2": {"title": "x"}})
    assert (found.n, found.right) == (1, 1)


def test_a_record_that_is_not_in_the_select_is_in_no_figure():
    found = scores({"1": {"label": "a"}, "2": {"label": "b"}}, {"1": {"label": "a"}})
    assert (found.n, found.right, len(found.wrong), found.unanswered) == (1, 1, 0, {})
    assert [value.value for value in found.fields[0].values] == ["a"]


def test_a_value_that_came_and_was_never_expected_has_no_recall():
    found = scores(
        {"1": {"label": "a"}, "2": {"label": "a"}}, {"1": {"label": "a"}, "2": {"label": "c"}}
    )
    never = found.fields[0].values[1]
    assert (never.value, never.precision, never.recall, never.f1) == ("c", 0.0, None, 0.0)


def test_of_nothing_there_is_no_accuracy():
    found = scores({"1": {"label": "a"}}, {}, "label")
    assert (found.n, found.accuracy, found.fields) == (0, None, ())


@pytest.mark.parametrize(
    ("name", "expected", "got", "right"),
    [
        ("label", None, "", True),
        ("tone", None, None, True),
        ("tone", "warm", "cold", False),
        ("urgent", True, True, True),
        ("urgent", False, None, False),
        ("amount", 2, 2.0, True),
        ("amount", 0, None, False),
        ("amount", None, 0, False),
        ("title", "é", "e\u0301", True),
        ("title", "A", "a", False),
        ("tags", ["x", "y"], ["y", "x"], True),
        ("tags", ["x"], ["x", "x"], False),
        ("tags", None, [], True),
        ("part", {"a": 1}, {"a": 1}, True),
    ],
)
def test_what_counts_as_the_same(name, expected, got, right):
    found = scores({"1": {name: expected}}, {"1": {name: got}})
    assert found.right == right


def test_the_explanation_is_not_the_field_that_is_judged():
    found = scores({"1": {"why": "x"}}, {"1": {"why": "y", "label": "a"}})
    assert found.wrong[0].explanation == ""


@pytest.mark.parametrize("seed", range(4))
def test_side_by_side_is_what_plain_counting_gives(seed):
    expected, first = generated(seed)
    _, second = generated(seed)
    dice = random.Random(seed + 100)
    for one, answer in second.items():
        if answer is not None and dice.random() < 0.4:
            second[one] = {**answer, "label": dice.choice(["a", "b", "c"])}
        elif dice.random() < 0.03:
            second[one] = None
    fields = [FIELDS[name] for name in ("label", "urgent", "title")]
    found = side_by_side(fields, expected, first, second)
    cases = {"both": 0, "first": 0, "second": 0, "neither": 0, "unpaired": 0, "differ": 0}
    for one, values in expected.items():
        names = [name for name in ("label", "urgent") if name in values]
        if not names:
            continue
        if first[one] is None or second[one] is None:
            cases["unpaired"] += 1
            continue
        a, b = ([plain(answer[one][name]) for name in names] for answer in (first, second))
        wanted = [values[name] for name in names]
        case = {(True, True): "both", (True, False): "first", (False, True): "second"}
        cases[case.get((a == wanted, b == wanted), "neither")] += 1
        cases["differ"] += a != b
    assert cases == {
        "both": found.both,
        "first": found.only_first,
        "second": found.only_second,
        "neither": found.neither,
        "unpaired": found.unpaired,
        "differ": len(found.differing),
    }
    assert min(cases.values()) > 0
    assert found.p == sign_test(found.only_first, found.only_second)
    assert found.n == sum(cases[one] for one in ("both", "first", "second", "neither"))
    marks = [one.right for one in found.differing]
    assert (marks.count("first"), marks.count("second")) == (found.only_first, found.only_second)
