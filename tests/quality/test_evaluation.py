"""--eval: the records of a file are asked as at night, and every figure is what it should be."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from fractions import Fraction

import pytest

from rigs.bills import usd_of
from rigs.evaluation_site import (
    HAIKU,
    NAME,
    SONNET,
    STAYS,
    answer_otherwise,
    apart,
    evaluate,
    figures,
    fill,
    labels_file,
    measured,
)
from rigs.message_batch_site import billed_for, standin_db


def brute_wilson(right: int, n: int) -> tuple[float, float]:
    """The shares p whose distance from right/n is 1.96 standard errors of p, found by halving."""

    def end(far: float) -> float:
        near = right / n
        for _ in range(100):
            middle = (near + far) / 2
            away = (right / n - middle) ** 2 > 1.959963984540054**2 * middle * (1 - middle) / n
            near, far = (near, middle) if away else (middle, far)
        return near

    return end(0.0), end(1.0)


def test_every_figure_about_500_messages_is_what_counting_by_hand_gives(claude):
    site = claude()
    said = fill(site, 600)
    said = {record_id: said[record_id] for record_id in [*said][:500]}
    result = evaluate(site, labels_file(site, said), "--json")
    assert result.code == 0, result.log
    found = figures(result)

    got = dict(apart(site, "select record_id, output from records where job = '{name}'"))
    outputs = {record_id: json.loads(output) for record_id, output in got.items()}
    assert outputs.keys() == said.keys()  # these records and no other were asked
    pairs = [(said[one], outputs[one]["label"]) for one in said]
    right = len([1 for wanted, given in pairs if wanted == given])
    assert 300 < right < 500  # else this would test little

    assert found["n"] == 500 and found["missing"] == found["unanswered"] == 0
    assert Fraction(found["accuracy"]).limit_denominator(500) == Fraction(right, 500)
    assert found["interval"] == pytest.approx(brute_wilson(right, 500), abs=1e-9)
    assert [*found["fields"]] == ["label"]
    values = found["fields"]["label"]["values"]
    assert {*values} == {one for pair in pairs for one in pair}
    for value, figure in values.items():
        both = [pair for pair in pairs if pair == (value, value)]
        wanted = [pair for pair in pairs if pair[0] == value]
        given = [pair for pair in pairs if pair[1] == value]
        precision, recall = len(both) / len(given), len(both) / len(wanted)
        assert (figure["expected"], figure["got"]) == (len(wanted), len(given))
        assert figure["precision"] == pytest.approx(precision)
        assert figure["recall"] == pytest.approx(recall)
        assert figure["f1"] == pytest.approx(2 / (1 / precision + 1 / recall))
    counts = Counter(pair for pair in pairs if pair[0] != pair[1])
    confusions = {(one["expected"], one["got"]): one["count"] for one in found["confusions"]}
    assert confusions == counts
    assert [*confusions.values()] == sorted(counts.values(), reverse=True)
    assert [(one["id"], one["expected"], one["got"]) for one in found["wrong"]] == [
        (one, said[one], outputs[one]["label"])
        for one in said
        if said[one] != outputs[one]["label"]
    ]
    assert all(
        one["explanation"] == outputs[one["id"]]["reason"] and one["explanation"]
        for one in found["wrong"]
    )
    assert found["usd_per_1000"] == pytest.approx(usd_of(site.billed()) / 500 * 1000)
    assert found["usd_per_1000"] > 0
    assert set(billed_for(site).values()) == {1}
    assert math.isclose(found["seconds"], float(found["seconds"])) and found["model"] == HAIKU
    assert found["version"] == measured().version(HAIKU)
    assert sum(one["right"] for one in values.values()) == right


def test_nothing_is_saved_and_the_records_stay_as_they_are(claude):
    site = claude()
    path = labels_file(site, fill(site, 30))
    assert evaluate(site, path).code == 0
    assert "answers" not in site.databases.tables()
    assert site.ledger(f"select * from records where job = '{NAME}'", NAME) == []


def test_the_same_evaluation_again_costs_nothing_and_says_so(claude):
    site = claude()
    path = labels_file(site, fill(site, 60))
    first = evaluate(site, path, "--json")
    calls = dict(site.standin.counts["calls"])
    again = evaluate(site, path, "--json")
    assert site.standin.counts["calls"] == calls
    for name in ("accuracy", "interval", "fields", "confusions", "wrong", "usd_per_1000"):
        assert figures(again)[name] == figures(first)[name]
    assert figures(again)["usd"] == 0 and figures(first)["usd"] > 0
    assert "Nothing was paid now" in evaluate(site, path).stdout


def test_more_labels_pay_for_the_new_ones_alone(claude):
    site = claude()
    said = fill(site, 60)
    few = labels_file(site, {one: said[one] for one in [*said][:20]}, name="few.csv")
    assert evaluate(site, few).code == 0
    assert evaluate(site, labels_file(site, said)).code == 0
    assert len(billed_for(site)) == 60 and set(billed_for(site).values()) == {1}
    # The cost of the few is their share of what was asked about them.
    assert figures(evaluate(site, few, "--json"))["usd_per_1000"] > 0


def test_the_cost_of_some_records_is_their_share_of_the_requests(claude):
    site = claude()
    said = fill(site, 50)
    assert evaluate(site, labels_file(site, said)).code == 0
    whole = usd_of(site.billed())
    part = labels_file(site, {one: said[one] for one in [*said][:5]}, name="part.csv")
    ours = "select usd from requests where job = '{name}'"
    (first,) = apart(site, f"{ours} and record_ids like '[\"1\"%'")
    found = figures(evaluate(site, part, "--json"))
    assert found["usd_per_1000"] == pytest.approx(1000 * first[0] * (5 / 25) / 5)
    assert usd_of(site.billed()) == whole


def test_a_run_of_the_same_version_saves_these_answers_without_paying_again(claude):
    site = claude()
    said = fill(site, 60)
    path = labels_file(site, {one: said[one] for one in [*said][:40]})
    assert evaluate(site, path).code == 0
    run = site.run(measured())
    assert run.code == 0 and "40 records answered by --try or --eval before" in run.log
    assert set(billed_for(site).values()) == {1} and len(billed_for(site)) == 60
    assert site.saved("select count(*) from answers") == [(60,)]


def test_what_was_answered_in_a_run_of_another_version_is_asked(claude):
    site = claude()
    path = labels_file(site, fill(site, 30))
    assert evaluate(site, path).code == 0
    edited = measured(instructions="Label each message with care.")
    result = evaluate(site, path, "--json", job=edited)
    assert figures(result)["version"] == edited.version(HAIKU) != measured().version(HAIKU)
    assert set(billed_for(site).values()) == {2}


def test_a_second_model_pays_for_itself_alone_and_stands_beside_the_first(claude):
    site = claude()
    said = fill(site, 50)
    path = labels_file(site, said)
    assert evaluate(site, path, "--model", HAIKU).code == 0
    both = ("--model", HAIKU, "--model", SONNET)
    assert evaluate(site, path, *both).code == 0
    assert Counter(line["model"] for line in site.billed()) == {HAIKU: 2, SONNET: 2}
    # What the second one says is changed in the ledger, so that all four cases are there.
    ids = [*said]
    answer_otherwise(site, HAIKU, {one: said[one] for one in ids[:34]})
    answer_otherwise(site, HAIKU, {one: _not(said[one]) for one in ids[34:]})
    answer_otherwise(site, SONNET, {one: said[one] for one in [*ids[:20], *ids[34:40]]})
    answer_otherwise(site, SONNET, {one: _not(said[one]) for one in [*ids[20:34], *ids[40:48]]})
    answer_otherwise(site, SONNET, {one: _not(said[one], 2) for one in ids[48:]})
    result = evaluate(site, path, *both, "--json")
    found = figures(result)["side_by_side"]
    assert {name: found[name] for name in ("n", "both_right", "both_wrong", "differ")} == {
        "n": 50,
        "both_right": 20,
        "both_wrong": 10,
        "differ": 14 + 6 + 2,
    }
    assert (found["only_first_right"], found["only_second_right"]) == (14, 6)
    tail = sum(math.comb(20, k) for k in range(7))
    assert found["p"] == float(Fraction(2 * tail, 2**20))
    models = figures(result)["models"]
    assert [one["model"] for one in models] == [HAIKU, SONNET]
    assert [one["accuracy"] for one in models] == [34 / 50, 26 / 50]
    for one in models:
        bill = usd_of([line for line in site.billed() if line["model"] == one["model"]])
        assert one["usd_per_1000"] == pytest.approx(1000 * bill / 50)
    assert len(site.billed()) == 4
    said_to_people = evaluate(site, path, *both).stdout
    assert re.search(f"only {HAIKU} right +14\n", said_to_people)
    assert "p = 0.12" in said_to_people


def _not(label: str, by: int = 1) -> str:
    labels = ("Parcel", "Refund", "Invoice", "Other")
    return labels[(labels.index(label) + by) % 4]


def test_by_message_batch_it_costs_half_and_is_the_same(claude):
    site = claude(message_batch_seconds=0)
    said = fill(site, 250)
    path = labels_file(site, said)
    found = figures(evaluate(site, path, "--message-batch", "--json"))
    tiers = Counter(line["tier"] for line in site.billed())
    assert tiers == {"standard": 1, "batch": 9}  # the first chunk goes live
    assert found["n"] == 250 and set(billed_for(site).values()) == {1}
    assert found["usd_per_1000"] == pytest.approx(usd_of(site.billed()) * 4)
    calls = dict(site.standin.counts["calls"])
    live = figures(evaluate(site, path, "--json"))
    assert live["accuracy"] == found["accuracy"] and site.standin.counts["calls"] == calls


def test_what_is_still_processing_is_collected_by_the_next_same_command(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    path = labels_file(site, fill(site, 250))
    first = evaluate(site, path, "--message-batch")
    assert first.code == 75 and "still processing" in first.log
    assert first.stdout == ""
    # Live, too, nothing of it is asked a second time.
    live = evaluate(site, path, "--json")
    assert live.code == 75 and figures(live)["accuracy"] is None
    assert "still processing" in figures(live)["reasons"][0]
    assert live.log.count("still processing") == 1
    before = site.standin
    site = _when_all_has_ended(claude, folder)
    last = evaluate(site, path, "--message-batch", "--json")
    assert last.code == 0 and figures(last)["n"] == 250
    billed = [*before.billed, *site.billed()]  # whichever looked first has processed it
    assert Counter(line["tier"] for line in billed) == {"standard": 1, "batch": 9}
    assert _times(billed) == {1: 250}


def test_a_file_whose_records_are_all_answered_waits_for_no_message_batch(claude, tmp_path):
    site = claude(state=tmp_path / "standin", faults=[STAYS])
    said = fill(site, 250)
    few = labels_file(site, {one: said[one] for one in [*said][:25]}, name="few.csv")
    assert evaluate(site, few).code == 0
    assert evaluate(site, labels_file(site, said), "--message-batch").code == 75
    again = evaluate(site, few, "--json")
    assert again.code == 0 and figures(again)["n"] == 25


def test_both_models_are_under_way_before_either_is_waited_for(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    path = labels_file(site, fill(site, 250))
    both = ("--message-batch", "--model", HAIKU, "--model", SONNET)
    under_way: list[int] = []
    waited = evaluate(
        site, path, *both, at_wait=lambda _: under_way.append(len(_message_batches(site)))
    )
    assert waited.code == 75
    assert {*under_way} == {2}
    assert [status for (status,) in _message_batches(site)] == ["submitted"] * 2
    first = site.standin  # it bills as it processes, until it is closed
    site = _when_all_has_ended(claude, folder)
    found = figures(evaluate(site, path, *both, "--json"))
    assert found["side_by_side"]["n"] == 250
    assert _times([*first.billed, *site.billed()]) == {2: 250}


def test_message_batches_of_an_older_version_are_collected_too(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    path = labels_file(site, fill(site, 250))
    assert evaluate(site, path, "--message-batch").code == 75
    edited = measured(instructions="Label each message with care.")
    result = evaluate(site, path, job=edited)
    assert result.code == 0
    assert re.search(r"INFO .* version \w+: message batch .* still processing", result.log)
    assert site.ledger("select count(*) from runs where ended_at is null", NAME) == [(0,)]
    assert [status for (status,) in _message_batches(site)] == ["submitted"]
    site = _when_all_has_ended(claude, folder)
    assert evaluate(site, path, job=edited).code == 0
    assert [status for (status,) in _message_batches(site)] == ["collected"]
    # Its answers are there when the prompt is as it was.
    calls = site.standin.counts["calls"]
    found = figures(evaluate(site, path, "--json"))
    assert found["n"] == 250 and site.standin.counts["calls"] == calls
    assert found["version"] == measured().version(HAIKU)


def _times(billed):
    """How many records were billed so often, by how often."""
    return Counter(Counter(record for line in billed for record in line["records"]).values())


def _when_all_has_ended(claude, folder):
    """The site some hours later: the stand-in is another, and its message batches have ended."""
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    return claude(state=folder, message_batch_seconds=0)


def _message_batches(site):
    return site.ledger("select status from message_batches", NAME)
