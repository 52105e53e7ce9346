"""How an evaluation ends: the gate, what is missing, what has no answer, and what is refused."""

from __future__ import annotations

import json

import pytest

import bulk_classifier
from rigs.bills import usd_of
from rigs.evaluation_site import (
    HAIKU,
    NAME,
    SONNET,
    answer_otherwise,
    apart,
    evaluate,
    figures,
    fill,
    labels_file,
    measured,
)
from rigs.message_batch_site import billed_for
from rigs.report_site import report


@pytest.fixture
def ten(claude):
    """A site with ten records, nine of which are answered as expected."""
    site = claude()
    said = {str(n): "Parcel" for n in range(1, 11)}
    site.events((n, "Where is my parcel?", "2026-11-20") for n in range(1, 11))
    said["7"] = "Refund"
    return site, labels_file(site, said)


@pytest.mark.parametrize(
    ("least", "code"), [("0", 0), ("0.9", 0), ("0.899999", 0), ("0.900001", 3), ("1", 3)]
)
def test_the_gate_lets_through_what_reaches_it(ten, least, code):
    site, path = ten
    result = evaluate(site, path, "--min-accuracy", least)
    assert result.code == code
    assert "ACCURACY 0.900 (9 of 10 right" in result.stdout
    why = f"accuracy of {HAIKU} is 0.9000 (9 of 10), below --min-accuracy {float(least):g}"
    assert (why in result.log) == (code == 3)
    assert result.summary["status"] == ("not_passed" if code else "done")


def test_of_two_models_each_has_to_reach_the_gate(ten):
    site, path = ten
    both = ("--model", HAIKU, "--model", SONNET, "--min-accuracy", "0.9")
    assert evaluate(site, path, *both).code == 0
    answer_otherwise(site, SONNET, {"1": "Other"})
    result = evaluate(site, path, *both)
    assert result.code == 3
    assert f"accuracy of {SONNET} is 0.8000" in result.log and f"of {HAIKU} is" not in result.log
    answer_otherwise(site, HAIKU, {"1": "Other"})
    answer_otherwise(site, SONNET, {"1": "Parcel"})
    assert evaluate(site, path, *both).code == 3


NOTHING = {
    "no label": {"1": "", "2": " "},
    "no row": {},
    "ids that are not in the SELECT": {"17": "Parcel", "01.02.26": "Parcel"},
}


@pytest.mark.parametrize("rows", NOTHING.values(), ids=NOTHING.keys())
def test_a_gate_does_not_pass_on_no_evidence(ten, rows):
    site, _ = ten
    path = labels_file(site, rows)
    gated = evaluate(site, path, "--min-accuracy", "0", "--json")
    assert gated.code == 3 and "--min-accuracy needs evidence: " in gated.log
    assert (figures(gated)["n"], figures(gated)["accuracy"]) == (0, None)
    assert figures(gated)["reasons"] and figures(gated)["exit_code"] == 3
    result = evaluate(site, path)
    assert result.code == 78 and result.stdout == ""
    assert site.billed() == []


def test_what_the_accuracy_is_about_has_to_be_compared(ten):
    site, _ = ten
    rows = [("1", "", "A title"), ("99", "Parcel", "")]
    path = labels_file(site, rows, ("record_id", "label", "title"))
    assert evaluate(site, path, "--min-accuracy", "0").code == 3
    result = evaluate(site, path)
    assert result.code == 78 and "nothing could be compared with labels.csv" in result.log


def test_nothing_is_compared_where_all_corrections_are_missing(ten):
    site, _ = ten
    assert evaluate(site, "corrections", "--min-accuracy", "0.5").code == 3
    result = evaluate(site, "corrections")
    assert result.code == 78 and "corrections has no expected value" in result.log


def test_ids_that_are_not_in_the_select_are_named_and_counted(ten):
    site, _ = ten
    rows = {"1": "Parcel", "a": "Refund", "b": "Refund", "c": "Refund", "d": "Refund"}
    result = evaluate(site, labels_file(site, rows), "--json")
    assert result.code == 0
    assert (
        "4 of 5 record_ids of labels.csv are not in the SELECT, such as a, b, c: they are left"
        in (result.log)
    )
    found = figures(result)
    assert (found["missing"], found["missing_ids"], found["n"]) == (4, ["a", "b", "c", "d"], 1)


def test_columns_that_are_no_field_are_named_once(ten):
    site, _ = ten
    rows = [("1", "x", "Parcel", "y"), ("2", "x", "Parcel", "z"), ("3", "x", "", "z")]
    path = labels_file(site, rows, ("record_id", "content", "label", "who"))
    result = evaluate(site, path, "--json")
    line = "labels.csv: columns that are no field of the output are ignored: content, who"
    assert result.log.count(line) == 1
    assert figures(result)["ignored"] == ["content", "who"]
    assert "labels.csv: 1 row without a label left out" in result.log


def test_records_that_failed_for_good_count_as_wrong_and_are_not_asked_again(claude):
    site = claude(faults=[{"kind": "refusal", "when": {"record": "7"}}])
    site.events((n, "Where is my parcel?", "2026-11-20") for n in range(1, 11))
    path = labels_file(site, {str(n): "Parcel" for n in range(1, 11)})
    result = evaluate(site, path, "--json")
    assert result.code == 0
    assert "1 record without an answer, which is wrong: 7: refused" in result.log
    found = figures(result)
    assert (found["n"], found["right"], found["unanswered"]) == (10, 9, 1)
    assert found["unanswered_ids"]["7"].startswith("refused")
    assert found["confusions"] == [
        {"field": "label", "expected": "Parcel", "got": "(no answer)", "count": 1}
    ]
    parcel = found["fields"]["label"]["values"]["Parcel"]
    assert (parcel["precision"], parcel["recall"]) == (1.0, 0.9)
    (wrong,) = found["wrong"]
    assert (wrong["id"], wrong["got"]) == ("7", None) and wrong["error"].startswith("refused")
    billed = len(site.billed())
    assert figures(evaluate(site, path, "--json"))["unanswered"] == 1
    assert len(site.billed()) == billed
    assert "(no answer): refused" in evaluate(site, path).stdout


def test_a_record_without_a_text_is_wrong_unless_the_job_says_what_it_is_worth(claude):
    site = claude()
    site.events([(1, "Where is my parcel?", "2026-11-20"), (2, " ", "2026-11-20")])
    path = labels_file(site, {"1": "Parcel", "2": "Other"})
    found = figures(evaluate(site, path, "--json"))
    assert (found["right"], found["unanswered_ids"]) == (1, {"2": "it has no text"})
    worth = measured(empty="Other")
    assert figures(evaluate(site, path, "--json", job=worth))["right"] == 2
    assert set(billed_for(site)) == {"1"}


def test_at_the_cost_cap_it_ends_and_the_same_command_goes_on(ten):
    site, path = ten
    result = evaluate(site, path, "--max-cost", "0.000001", "--json")
    assert result.code == 4 and figures(result)["accuracy"] is None
    assert site.billed() == []
    assert evaluate(site, path).code == 0


def test_both_models_together_keep_to_the_cap(claude):
    site = claude()
    path = labels_file(site, fill(site, 100))
    assert evaluate(site, path).code == 0
    haiku = usd_of(site.billed())
    result = evaluate(
        site, path, "--max-cost", f"{haiku * 3:.6f}", "--model", SONNET, "--model", HAIKU
    )
    assert result.code == 4
    assert usd_of(site.billed()) - haiku <= haiku * 3


USAGE = {
    "three models": ("--model", "a", "--model", "b", "--model", "c"),
    "one model twice": ("--model", HAIKU, "--model", HAIKU),
}


@pytest.mark.parametrize("options", USAGE.values(), ids=USAGE.keys())
def test_more_than_two_models_or_one_twice_is_wrong_usage(ten, options):
    site, path = ten
    result = evaluate(site, path, *options)
    assert result.code == 2 and "--model" in result.log
    assert site.billed() == []


def test_a_file_that_is_not_there_is_wrong_usage_and_no_field_is_78(ten):
    site, _ = ten
    assert evaluate(site, str(site.root / "absent.csv")).code == 2
    path = labels_file(site, [("1", "x")], ("record_id", "content"))
    result = evaluate(site, path, "--json")
    assert result.code == 78
    assert "fields are label, urgent, words, title, reason" in figures(result)["reasons"][0]


def test_a_report_has_no_evaluation(site):
    assert report(site, "--eval", "labels.csv").code == 2


def test_a_file_called_corrections_is_read_by_its_path_alone(ten, monkeypatch):
    site, _ = ten
    labels_file(site, {"1": "Parcel"}, name="corrections")
    monkeypatch.chdir(site.root)
    assert evaluate(site, "corrections").code == 78
    assert evaluate(site, "./corrections").code == 0


def test_other_fields_have_figures_of_their_own(ten):
    site, _ = ten
    header = ("record_id", "Label", "urgent", "words", "title")
    assert evaluate(site, labels_file(site, {"1": "Parcel", "2": "Parcel"})).code == 0
    (output,) = apart(site, "select output from records where job = '{name}' and record_id = '1'")
    answer = json.loads(output[0])
    rows = [
        ("1", "Parcel", "no" if answer["urgent"] else "yes", str(answer["words"] + 2), ""),
        ("2", "Parcel", "", str(answer["words"]), answer["title"].upper() or "x"),
    ]
    result = evaluate(site, labels_file(site, rows, header), "--json")
    found = figures(result)
    assert found["accuracy_of"] == ["label", "urgent"]
    assert (found["n"], found["right"]) == (2, 1)
    words = found["fields"]["words"]
    assert (words["mean_absolute_error"], words["numbers"], words["accuracy"]) == (1.0, 2, 0.5)
    assert found["fields"]["title"]["n"] == 1
    said = evaluate(site, labels_file(site, rows, header)).stdout
    assert "mean absolute error: 1, over 2 numbers" in said
    assert "the records that are as expected in label and urgent" in " ".join(said.split())


def test_the_summary_says_what_it_was_for(ten):
    site, path = ten
    summary = evaluate(site, path).summary
    assert summary["purpose"] == "eval" and summary["done"] == "10"
    rows = site.ledger("select exit_code, records from runs", NAME)
    assert [tuple(row) for row in rows] == [(0, 10)]


def test_a_demo_writes_its_page_where_a_demo_writes(site):
    path = labels_file(site, {"1": "delivery", "2": "refund"})
    result = site.run(bulk_classifier.JOB, "--demo", "--eval", path)
    assert result.code == 0, result.log
    assert "answers by the demo's stand-in" in result.stdout
    assert [*(site.root / "state/demo/reports/evaluations").glob("bulk_classifier-*.html")]
    assert not (site.root / "reports").exists()
