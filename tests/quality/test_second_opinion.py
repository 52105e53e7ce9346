"""A second model is asked about the right records, once; both answers are kept, its is saved."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import pytest

import daily_report
from common.definition.check import faults
from common.ledger.second_answers import is_chosen
from rigs.bills import COST, usd_of
from rigs.harness import json_of
from rigs.second_opinion_site import (
    FIRST,
    SECOND,
    asked,
    billed_to_second,
    fill,
    go,
    ledger,
    opined,
    saved,
    says,
    statuses,
)

QUICK = {"message_batch_seconds": 0.0}


def test_records_with_a_runner_up_and_the_sample_are_asked_again_and_their_second_answer_is_saved(
    claude,
):
    site = claude(**QUICK)
    fill(site, doubtful=7, sure=20)
    run = go(site)
    assert run.code == 0
    again = [*(f"d{n:03}" for n in range(1, 8)), "s013"]
    assert asked(site) == [
        ("message_batch", "done", again[:5]),
        ("message_batch", "done", again[5:]),
    ]
    assert billed_to_second(site) == again
    opinions = saved(site)
    assert {one for one, (_, model, _) in opinions.items() if model == SECOND} == {*again}
    assert {model for _, model, _ in opinions.values()} == {FIRST, SECOND}
    assert {times for one, (_, _, times) in opinions.items() if one in again} == {2}
    assert run.summary["records"] == run.summary["done"] == "27"
    assert run.summary["second_opinions"] == run.summary["agreed"] == "8"


def test_both_answers_are_kept_each_under_its_version(claude):
    site = claude(faults=[says({"d001": "Other", "d002": "Parcel"})], **QUICK)
    fill(site, doubtful=2)
    job = opined()
    assert go(site).code == 0
    kept = {
        (name, record_id): json.loads(output)["label"]
        for name, record_id, output in ledger(site, "select job, record_id, output from records")
    }
    first, second = (f"opined@{job.version(model)}" for model in (FIRST, SECOND))
    assert kept == {
        ("opined", "d001"): "Other",
        ("opined", "d002"): "Parcel",
        (first, "d001"): "Parcel",
        (first, "d002"): "Parcel",
        (second, "d001"): "Other",
        (second, "d002"): "Parcel",
    }
    versions = ledger(site, "select distinct version from records where job = 'opined'")
    assert versions == [(job.version(SECOND),)]


def test_nothing_is_asked_twice_and_neither_version_is_stale(claude):
    site = claude(**QUICK)
    fill(site, doubtful=3, sure=20)
    go(site)
    before = len(site.billed())
    for options in ((), ("--stale",)):
        run = go(site, *options)
        assert run.code == 0 and "nothing to do" in run.log
        assert "second_opinions" not in run.summary
    assert len(site.billed()) == before


def test_the_summary_says_how_often_both_models_agree(claude):
    site = claude(faults=[says({"d001": "Other", "d002": "parcel", "d003": "Refund"})], **QUICK)
    fill(site, doubtful=3)
    run = go(site, "--json")
    assert "second opinions by claude-sonnet-5-5: 1 of 3 agree (label)" in run.log
    assert (run.summary["second_opinions"], run.summary["agreed"]) == ("3", "1")
    summary = json_of(run)
    assert (summary["second_opinions"], summary["agreed"]) == (3, 1)
    assert "late" not in run.log  # no text of a record


def test_none_that_agrees_is_said_too(claude):
    site = claude(faults=[says({"d001": "Other"})], **QUICK)
    fill(site, doubtful=1)
    assert go(site).summary["agreed"] == "0"


def test_costs_stand_apart_from_the_runs_own(claude):
    site = claude(**QUICK)
    fill(site, doubtful=6)
    summary = json_of(go(site, "--json"))
    first, second = (
        usd_of([line for line in site.billed() if line["model"] == model])
        for model in (FIRST, SECOND)
    )
    assert summary["usd"] == pytest.approx(first, abs=1e-6)
    assert summary["second_opinion_usd"] == pytest.approx(second, abs=1e-6)
    by_purpose = ledger(site, f"select purpose, {COST} from requests group by 1 order by 1")
    assert by_purpose == [
        ("run", pytest.approx(first), 0),
        ("second opinion", pytest.approx(second), 0),
    ]
    of_runs = ledger(site, "select model, sum(usd) from runs where model <> '' group by 1")
    assert dict(of_runs) == {FIRST: pytest.approx(first), SECOND: pytest.approx(second)}
    assert {line["tier"] for line in site.billed() if line["model"] == SECOND} == {"batch"}


def test_first_answers_that_came_by_message_batch_are_chosen_from_too(claude):
    site = claude(**QUICK)
    fill(site, doubtful=12)
    run = go(site, "--message-batch")
    assert run.code == 0
    assert len(billed_to_second(site)) == 12 == int(run.summary["second_opinions"])


def test_what_the_job_answers_itself_is_not_asked_again(claude):
    site = claude(**QUICK)
    site.events([("d001", "My parcel is late, I want a refund.", "2026-11-20 08:00:00")])
    site.events((f"s{n:03}", "", "2026-11-20 08:00:00") for n in range(1, 41))  # s013 among them
    job = opined()
    job = opined(empty=job.output(label="Other", reason="it has no text"))
    run = go(site, job=job)
    assert run.code == 0 and run.summary["second_opinions"] == "1"
    assert statuses(site)[job.version(SECOND), "done"] == 1
    assert saved(site)["s013"] == ("Other", "", 1)


def test_the_runs_own_model_gives_no_second_opinion(claude):
    site = claude(**QUICK)
    fill(site, doubtful=3)
    run = go(site, "--model", SECOND)
    assert run.code == 0 and asked(site) == []
    assert f"second_opinion={SECOND} is the model of this run: nobody is asked again" in run.log


def test_without_a_second_model_nothing_stands_apart(claude):
    site = claude(**QUICK)
    fill(site, doubtful=3)
    go(site, job=opined(second=""))
    assert statuses(site) == {("", "done"): 3}


def test_two_of_a_hundred_outputs_without_a_runner_up_are_chosen_always_the_same():
    ids = [f"record {n}" for n in range(50_000)]
    chosen = [one for one in ids if is_chosen("labels", one, '{"label":"a","runner_up":""}')]
    # 1,000 are expected; five standard deviations are 157.
    assert abs(len(chosen) - 1_000) < 157
    assert chosen == [one for one in ids if is_chosen("labels", one, '{"label":"b"}')]
    assert chosen != [one for one in ids if is_chosen("others", one, '{"label":"b"}')]
    share = [int(sha256(f"labels\n{one}".encode()).hexdigest()[:16], 16) / 2**64 for one in ids]
    assert chosen == [one for one, place in zip(ids, share, strict=True) if place < 0.02]


@pytest.mark.parametrize(
    ("said", "is_one"), [('"b"', True), ("1", True), ('" "', False), ("null", False), ("[]", False)]
)
def test_a_runner_up_is_whatever_is_not_empty(said, is_one):
    assert not is_chosen("labels", "record 1", "{}")
    assert is_chosen("labels", "record 1", f'{{"runner_up":{said}}}') is is_one


@pytest.mark.parametrize("second", [5, None, " ", "claude-sonnet-5-5 "])
def test_a_wrong_second_opinion_is_told_of_before_anything_is_sent(site, second):
    run = go(site, job=opined(second=second))
    assert run.code == 78 and f"second_opinion={second!r} must be the id of a model" in run.log


def test_a_report_has_no_second_opinion():
    said = [*faults(replace(daily_report.JOB, second_opinion=SECOND))]
    assert said == [
        "second_opinion=… is for a job with an answer per record: leave it out of a report"
    ]
