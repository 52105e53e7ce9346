"""A second model that cannot be had changes nothing about the run's own work, and is named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from common.claude import pricing
from common.claude.pricing import Tokens
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
    save,
    saved,
    statuses,
)
from standin.fault_kinds import MESSAGE_BATCHES

QUICK = {"message_batch_seconds": 0.0}


def models(site):
    return {model for _, model, _ in saved(site).values()}


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("claude-nonsense-9", "404"),
        ("claude-3-haiku-20240307", "404"),
    ],
)
def test_one_that_does_not_exist_ends_the_run_with_78_once_its_own_work_is_saved(
    claude, model, reason, delivery
):
    site = claude(**QUICK)
    fill(site, doubtful=12)
    run = go(site, delivery, job=opined(second=model))
    assert run.code == 78
    line = next(line for line in run.log.splitlines() if " ERROR " in line)
    assert "second opinions: " in line and reason in line and model in line
    assert "set second_opinion in jobs/opined.py" in line and "CLAUDE_MODEL" not in line
    assert models(site) == {FIRST} and len(saved(site)) == 12
    assert statuses(site)["", "done"] == 12
    again = go(site, job=opined(second=model))  # nothing new: it is still to be mended
    assert again.code == 78 and again.summary["records"] == "0"


def test_one_without_a_price_is_not_asked_where_there_is_a_cap(claude, monkeypatch):
    known = pricing.usd

    def unknown(model, *given, **more):
        return None if model == SECOND else known(model, *given, **more)

    monkeypatch.setattr(pricing, "usd", unknown)
    site = claude(**QUICK)
    fill(site, doubtful=3)
    run = go(site, "--max-cost", "1")
    assert run.code == 78 and "second opinions: " in run.log
    assert f"has no price for {SECOND}, so the cost cap cannot be kept" in run.log
    assert billed_to_second(site) == [] and len(saved(site)) == 3


@pytest.mark.parametrize("cap", ["--max-cost", "MAX_COST_USD"])
def test_at_the_cap_second_opinions_wait_and_the_run_ends_as_it_would(claude, cap):
    site = claude(**QUICK)
    fill(site, doubtful=3)
    arguments = [cap, "0.004"] if cap == "--max-cost" else []
    environ: dict[str, Any] = {} if arguments else {cap: "0.004"}
    run = go(site, *arguments, **environ)
    assert run.code == 0
    assert "WARN" in run.log and "second opinions: cost cap: $" in run.log
    assert billed_to_second(site) == [] and asked(site) == []
    assert statuses(site)[opined().version(SECOND), "waiting"] == 3
    run = go(site)
    assert run.code == 0 and run.summary["second_opinions"] == "3"


def test_second_opinions_of_the_day_count_for_its_cap(claude):
    site = claude(**QUICK)
    fill(site, doubtful=40)
    assert go(site).code == 0
    spent = ledger(site, "select sum(usd) from requests where purpose = 'second opinion'")[0][0]
    own = ledger(site, "select sum(usd) from requests where purpose = 'run'")[0][0]
    site.events([("d900", "My parcel is late, I want a refund.", "2026-11-21 08:00:00")])
    run = go(site, MAX_COST_USD=str(own + spent / 2))
    assert run.code == 4 and run.summary["records"] == "0"


def test_what_the_second_model_refuses_keeps_its_first_answer(claude):
    site = claude(**QUICK)
    fill(site, doubtful=3)
    go(site, "--max-cost", "0.004")  # the second model is not asked yet
    refusal = {"kind": "refusal", "when": {"record": "d002"}}
    site = claude(faults=[refusal, {**refusal, "path": MESSAGE_BATCHES}], **QUICK)
    run = go(site)
    assert run.code == 0 and (run.summary["failed"], run.summary["dead"]) == ("0", "0")
    assert "second opinions: none about 1 record: the first answers stand" in run.log
    assert {one: model for one, (_, model, _) in saved(site).items()} == {
        "d001": SECOND,
        "d002": FIRST,
        "d003": SECOND,
    }
    assert statuses(site)[opined().version(SECOND), "dead"] == 1
    assert statuses(site)["", "done"] == 3
    before = len(site.billed())
    assert "nothing to do" in go(site).log and len(site.billed()) == before


def test_a_save_that_fails_for_a_second_answer_is_that_records_fault(claude):
    def choosy(db, record, output, origin):
        if origin.model == SECOND and record["record_id"] == "d002":
            raise ValueError("not by this model")
        save(db, record, output, origin)

    site = claude(**QUICK)
    fill(site, doubtful=3)
    run = go(site, job=opined(save=choosy))
    assert run.code == 3 and run.summary["dead"] == "1" and run.summary["done"] == "3"
    assert saved(site)["d002"] == ("Parcel", FIRST, 1)
    again = go(site, "--retry-dead")
    assert again.code == 0 and saved(site)["d002"] == ("Parcel", SECOND, 2)
    assert "WARN" not in again.log
    assert billed_to_second(site) == ["d001", "d002", "d003"]


def test_a_key_that_message_batches_are_refused_to_is_told_of_after_the_runs_own_work(claude):
    site = claude(faults=[{"kind": "403", "path": MESSAGE_BATCHES}], **QUICK)
    fill(site, doubtful=3)
    run = go(site)
    assert run.code in (77, 78) and "second opinions: " in run.log
    assert models(site) == {FIRST} and len(saved(site)) == 3


def test_records_that_fail_in_the_run_itself_are_still_what_its_code_says(claude):
    refusal = {"kind": "refusal", "when": {"record": "s002"}}
    site = claude(faults=[refusal], **QUICK)
    fill(site, doubtful=3, sure=2)
    run = go(site)
    assert run.code == 3 and run.summary["dead"] == "1"
    assert run.summary["second_opinions"] == "3"


def test_a_dry_run_says_what_second_opinions_may_cost_and_that_a_model_cannot_be_had(claude):
    site = claude(**QUICK)
    fill(site, doubtful=12)
    found = json_of(go(site, "--dry-run", "--json"))
    all_of_them = pricing.usd(
        SECOND,
        Tokens(input=found["input_tokens"], output=found["output_tokens"]),
        datetime.now(UTC).date(),
        message_batch=True,
    )
    assert found["second_opinion"] == SECOND and found["second_opinion_refused"] == ""
    assert found["usd_second_opinion_of_all"] == pytest.approx(all_of_them)
    printed = go(site, "--dry-run", job=opined(second="claude-nonsense-9")).stdout
    assert "Second opinions cannot be had: 404" in printed and "set second_opinion" in printed
    without = json_of(go(site, "--dry-run", "--json", job=opined(second="")))
    assert "second_opinion" not in without
    assert site.billed() == []
