"""--eval corrections: what people filled in by `review --import` is what is expected."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from rigs.message_batch_site import billed_for
from rigs.review_site import Opinion, ReviewSite, opinions


@pytest.fixture
def reviewed(claude) -> ReviewSite:
    """A site with twelve records that are done, of which a person has corrected three."""
    site = ReviewSite(claude(), opinions())
    site.site.events((n, "My delivery is late.", "2026-11-20") for n in range(1, 13))
    assert site.run().code == 0
    corrections = {"3": {"label": "refund"}, "5": {"label": "delivery"}, "7": {"score": "0.25"}}
    assert site.correct(corrections).code == 0
    return site


def evaluated(site: ReviewSite, *arguments: str, job: Any = None) -> dict[str, Any]:
    result = site.site.run(job or site.job, "--eval", "corrections", "--json", *arguments)
    found: dict[str, Any] = json.loads(result.stdout)
    return {**found, "code": result.code, "log": result.log}


def test_the_fields_that_were_filled_in_are_expected_and_no_others(reviewed):
    found = evaluated(reviewed)
    assert found["code"] == 0, found["log"]
    assert found["labels"] == "corrections" and found["missing"] == 0
    assert (found["n"], found["right"], found["accuracy_of"]) == (2, 1, ["label"])
    wrong = [(one["id"], one["field"], one["expected"]) for one in found["wrong"]]
    assert wrong[0] == ("3", "label", "refund") and {one for one, _, _ in wrong[1:]} <= {"7"}
    assert found["fields"]["score"]["n"] == 1
    # They are asked as any others, and nothing that a person said is changed.
    assert {one for one, times in billed_for(reviewed.site).items() if times == 2} == {
        "3",
        "5",
        "7",
    }
    own = "select status from records where job = 'opinions' and record_id in ('3', '5', '7')"
    assert reviewed.ledger(own) == [("corrected",)] * 3
    assert reviewed.saved()["3"][0] == "refund"
    assert evaluated(reviewed)["usd"] == 0


def test_the_gate_holds_for_corrections(reviewed):
    assert evaluated(reviewed, "--min-accuracy", "0.5")["code"] == 0
    assert evaluated(reviewed, "--min-accuracy", "0.51")["code"] == 3


def test_a_record_that_is_gone_is_missing(reviewed):
    reviewed.site.change("delete from events where id = 3")
    found = evaluated(reviewed)
    assert (found["missing_ids"], found["n"], found["right"]) == (["3"], 1, 1)
    reviewed.site.change("delete from events")
    found = evaluated(reviewed)
    assert found["code"] == 78 and "are these records gone?" in found["reasons"][0]


class WithoutRefund(Opinion):
    label: Literal["delivery", "Praise", "other"]  # type: ignore[assignment]


def test_a_correction_that_no_output_can_be_any_more_is_left_out_and_told_of(reviewed):
    found = evaluated(reviewed, job=opinions(output=WithoutRefund))
    assert "1 corrected value left out, since the output cannot be so any more" in found["log"]
    assert "record 3" in found["log"]
    assert (found["n"], found["right"]) == (1, 1)
