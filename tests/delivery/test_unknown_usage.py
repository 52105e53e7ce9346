"""An answer without good figures is kept, and counts as what was reserved for it."""

from __future__ import annotations

import pytest

from rigs.bills import COST
from rigs.message_batch_site import fill, go
from rigs.own_jobs import labels
from rigs.report_site import events, requests_sent
from standin.fault_kinds import MESSAGE_BATCHES

DAY = "2026-11-21"
HELD = f"select {COST}, min(input_tokens), max(output_tokens) from requests"
GOOD = {"input_tokens": 100, "output_tokens": 20}
USAGES = [
    None,
    "many",
    {"input_tokens": "many", "output_tokens": "words"},
    {**GOOD, "input_tokens": float("nan")},
    {**GOOD, "output_tokens": 2**64},
    {**GOOD, "output_tokens": -4_000_000},
    {**GOOD, "cache_creation_input_tokens": -9},
    {**GOOD, "cache_creation": {"ephemeral_1h_input_tokens": "x"}},
]


def with_usage(usage, **rule):
    if usage is None:
        return {"kind": "changed", "without": ["usage"], **rule}
    return {"kind": "changed", "fields": {"usage": usage}, **rule}


@pytest.mark.parametrize("usage", USAGES, ids=str)
def test_an_answer_without_good_figures_is_saved_and_paid_for_once(claude, usage):
    site = claude(faults=[with_usage(usage)])
    site.events(events(DAY, 4))
    result = site.run(labels(), "--chunk-size", "2")
    assert result.code == 0, result.log
    assert "cost unknown" in result.log
    assert requests_sent(site) == len(site.billed()) == 2
    assert site.saved("select count(*) from labels") == [(4,)]
    spent, unsettled, least_input, most_output = site.ledger(HELD, "labels")[0]
    assert spent == 0 and unsettled > 0
    assert least_input >= 0 and most_output <= 20


@pytest.mark.parametrize("usage", USAGES, ids=str)
def test_a_cap_holds_whatever_the_figures_say(claude, usage):
    site = claude(faults=[with_usage(usage)])
    site.events(events(DAY, 200))
    result = site.run(labels(), "--chunk-size", "1", "--concurrency", "1", "--max-cost", "0.01")
    assert result.code == 4, result.log
    held = sum(site.ledger(HELD, "labels")[0][:2])
    assert 0 < held <= 0.01
    again = site.run(labels(), "--chunk-size", "1", "--concurrency", "1", MAX_COST_USD="0.01")
    assert again.code == 4, again.log
    assert sum(site.ledger(HELD, "labels")[0][:2]) <= 0.01


@pytest.mark.parametrize("usage", USAGES, ids=str)
def test_the_same_holds_for_the_results_of_a_message_batch(claude, usage):
    site = claude(faults=[with_usage(usage, path=MESSAGE_BATCHES)], message_batch_seconds=0.0)
    fill(site, 14)
    result = go(site)
    assert result.code == 0, result.log
    assert requests_sent(site) == 1 and len(site.billed()) == 14
    one = "select usd, unsettled_usd from requests where delivery = 'message_batch'"
    assert {usd for usd, _ in site.ledger(one, "labels")} == {None}
    assert all(unsettled > 0 for _, unsettled in site.ledger(one, "labels"))
