"""An answer costs what the model costs that gave it, whatever the one is called that was asked."""

from __future__ import annotations

import pytest

from rigs.bills import COST, usd_of
from rigs.message_batch_site import fill, go
from rigs.own_jobs import labels
from rigs.record_jobs import usd
from rigs.report_site import events
from standin.fault_kinds import MESSAGE_BATCHES, MODEL

DAY = "2026-11-21"


def answered_by(model, **rule):
    return {"kind": "changed", "fields": {"model": model}, **rule}


@pytest.mark.parametrize("model", ["claude-opus-5", "claude-haiku-4-5-20251001"])
def test_the_model_that_answers_sets_the_price_per_request(claude, model):
    site = claude(faults=[answered_by(model, when={"every": 2})])
    site.events(events(DAY, 4))
    assert site.run(labels(), "--chunk-size", "1").code == 0
    assert {bill["model"] for bill in site.billed()} == {"claude-haiku-5-5", model}
    in_ledger, billed = usd(site, "labels")
    assert in_ledger == pytest.approx(billed)


@pytest.mark.parametrize("model", ["claude-opus-5", "claude-haiku-4-5-20251001"])
def test_the_same_holds_in_a_message_batch(claude, model):
    rule = answered_by(model, when={"every": 2}, path=MESSAGE_BATCHES)
    site = claude(faults=[rule], message_batch_seconds=0.0)
    fill(site, 14)
    assert go(site).code == 0
    assert {bill["model"] for bill in site.billed()} == {"claude-haiku-5-5", model}
    in_ledger, billed = usd(site, "labels")
    assert in_ledger == pytest.approx(billed)


@pytest.mark.parametrize("model", ["gateway/some-model", "", None, 5, ["claude-opus-5"]])
def test_where_nobody_knows_that_model_the_price_is_that_of_the_one_that_was_asked(claude, model):
    site = claude()
    site.events(events(DAY, 2))
    assert site.run(labels()).code == 0
    known = usd_of(site.billed())
    site = claude(faults=[answered_by(model)])
    assert site.run(labels(), "--reprocess").code == 0
    held = sum(site.ledger(f"select {COST} from requests", "labels")[0])
    assert held == pytest.approx(2 * known)


def test_an_id_with_a_date_that_is_not_in_the_table_costs_what_the_one_without_costs(claude):
    site = claude(faults=[answered_by("claude-opus-5-20260610")])
    site.events(events(DAY, 2))
    assert site.run(labels()).code == 0
    (bill,) = site.billed()
    assert usd(site, "labels")[0] == pytest.approx(usd_of([{**bill, "model": "claude-opus-5"}]))


@pytest.mark.parametrize("arguments", [(), ("--max-cost", "0.5")])
def test_another_name_for_a_model_is_paid_and_capped_like_the_model(claude, arguments):
    names = {"kind": "changed", "fields": {"id": "claude-opus-5"}, "path": MODEL}
    site = claude(faults=[names])
    site.events(events(DAY, 3))
    # The name itself has no price, and is none for the messages: Claude's own id is sent.
    result = site.run(labels(), "--model", "claude-mythos-5-2", *arguments)
    assert result.code == 0, result.log
    assert {bill["model"] for bill in site.billed()} == {"claude-opus-5"}
    in_ledger, billed = usd(site, "labels")
    assert in_ledger == pytest.approx(billed) and billed > 0
    assert "no price" not in result.log


def test_a_cap_counts_what_the_dearer_model_took(claude):
    site = claude(faults=[answered_by("claude-opus-5")])
    site.events(events(DAY, 400))
    result = site.run(labels(), "--chunk-size", "1", "--concurrency", "1", "--max-cost", "0.02")
    assert result.code == 4, result.log
    assert usd(site, "labels")[0] == pytest.approx(usd(site, "labels")[1])
    assert usd(site, "labels")[0] < 0.03
