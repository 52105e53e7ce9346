"""What message batches cost: the ledger's cost is the bill's to the token, and no cap is passed
over any number of runs.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from common.delivery.message_batch import deferred as delivery
from rigs.bills import usd_of
from rigs.message_batch_kills import Instant, killed
from rigs.message_batch_site import (
    CREATE,
    EXPIRED,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    spent,
    standin_db,
    statuses,
    submitted,
)
from rigs.own_jobs import labels
from standin.fault_kinds import MESSAGE_BATCHES

STAYS = {"kind": "stay_in_progress", "times": 1}
MIXED = (
    "missing_id",
    "half_json",
    "refusal",
    "max_tokens",
    "foreign_id",
    "doubled_id",
    "wrong_case",
)


def held(site: Any) -> float:
    """What counts against the day's cap."""
    return sum(spent(site))


def most_usd(site: Any) -> float:
    """What is reserved for a request at most."""
    return float(site.ledger("select max(unsettled_usd) from requests", "labels")[0][0])


@pytest.fixture
def reserved(claude: Any) -> float:
    """What is reserved for a request of `fill` by message batch."""
    site = claude(faults=[STAYS])
    fill(site, 3)
    assert go(site, "--wait", "0").code == 75
    usd = most_usd(site)
    site.databases.empty()
    return usd


@pytest.mark.parametrize("by", ["--live", "--message-batch"])
def test_the_ledger_and_the_bill_agree_to_the_token_over_2000_records_and_all_faults(claude, by):
    path = {"path": MESSAGE_BATCHES} if by == "--message-batch" else {}
    faults: list[dict[str, Any]] = [
        {"cycle": list(MIXED), "when": {"share": 0.2, "seed": 3}, **path}
    ]
    if path:
        cycle = ["expire", "errored", {"kind": "errored", "error_type": "api_error"}]
        faults += [
            {"cycle": cycle, "when": {"share": 0.15, "seed": 4}, **path},
            {"kind": "results_cut", "times": 2},
            {"kind": "create_lost", "times": 1},
        ]
    else:
        faults += [{"cycle": ["500", "429", "529"], "when": {"share": 0.1, "seed": 4}}]
    site = claude(message_batch_seconds=0, faults=faults)
    dice = random.Random(9)
    words = ("parcel", "refund", "lamp", "großartig", "注文", "<b>", "garden", "&")
    site.events(
        (n, " ".join(dice.choices(words, k=dice.randint(1, 60))), "2026-11-21 10:00:00")
        for n in range(2000)
    )
    result = site.run(labels(), by, "--chunk-size", "20", "--wait", "20h")
    assert result.code in (0, 3), result.log[-2000:]
    found = statuses(site)
    assert found["done"] + found.get("dead", 0) == 2000 and found.get("dead", 0) < 40
    cost, unsettled = spent(site)
    bill = site.billed()
    assert unsettled == 0 and cost == pytest.approx(usd_of(bill), abs=1e-9)
    kinds = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")
    sums = site.ledger(
        f"select {', '.join(f'sum({kind})' for kind in kinds)} from requests", "labels"
    )
    assert sums[0] == tuple(sum(line[kind] for line in bill) for kind in kinds)
    assert float(result.summary["usd"]) == pytest.approx(cost, abs=1e-4)
    assert (found["done"],) == site.saved("select count(*) from labels")[0]


def test_what_fits_under_the_cap_is_sent_and_collected_until_nothing_more_fits(claude, reserved):
    site = claude(message_batch_seconds=0)
    fill(site, 80)
    cap = reserved * 3
    result = go(site, "--max-cost", f"{cap}")
    assert result.code == 4 and "of --max-cost" in result.log, result.log[-1500:]
    assert calls(site, CREATE) > 1  # what was reserved and not spent is spent by another
    # The ids of later records have two digits more, so that a little more is reserved for them.
    assert cap - 1.01 * reserved < held(site) <= cap
    assert usd_of(site.billed()) == pytest.approx(held(site))
    assert submitted(site) == {"collected": calls(site, CREATE)}
    records = len(billed_for(site))
    assert int(result.summary["done"]) == records < 400
    # Each sent once, however often it was taken up; what the cap kept back was not sent.
    assert int(result.summary["records"]) == records
    assert go(site).code == 0
    is_complete(site, 400)


def test_a_limit_and_a_cap_hold_together(claude, reserved):
    site = claude(message_batch_seconds=0)
    fill(site, 40)
    result = go(site, "--limit", "100", "--max-cost", f"{reserved * 8}")
    assert result.code in (0, 4)
    assert statuses(site)["done"] == int(result.summary["records"]) <= 100
    assert (result.code == 0) == (statuses(site)["done"] == 100)


def test_a_cap_that_no_request_fits_under_makes_no_message_batch(claude, reserved):
    site = claude(message_batch_seconds=0)
    fill(site, 4)
    assert go(site, "--max-cost", f"{reserved / 2}").code == 4
    assert calls(site, CREATE) == 0 and not site.billed()


def test_what_is_processing_counts_against_the_day_until_it_is_settled(claude, reserved):
    site = claude(message_batch_seconds=0, faults=[STAYS])
    fill(site, 6)
    cap = f"{reserved * 6}"
    assert go(site, "--wait", "0", MAX_COST_USD=cap).code == 75
    waiting = held(site)
    assert waiting > reserved * 2.5
    assert site.run(labels(), "--live", "--limit", "0", MAX_COST_USD=cap).code in (2, 75)
    assert held(site) == waiting


def test_the_days_spending_is_neither_counted_twice_nor_lost_by_the_run_that_collects(
    claude, tmp_path, reserved
):
    """The cap has room for all that the second run sends only if what the first one reserved was
    given back.
    """
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    fill(site, 11)
    assert go(site, "--wait", "0").code == 75
    before = site.billed()
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    site = claude(state=folder, message_batch_seconds=0)
    site.events([(n, "Where is my parcel?", "2026-11-22 10:00:00") for n in range(500, 550)])
    cap = reserved * 14  # ten were reserved, and ten more are
    result = go(site, MAX_COST_USD=f"{cap}")
    assert result.code == 0, result.log[-1500:]
    bill = usd_of(before + site.billed())
    assert held(site) == pytest.approx(bill) and bill <= cap
    site.events([(n, "And my refund?", "2026-11-22 10:00:00") for n in range(600, 640)])
    tight = go(site, MAX_COST_USD=f"{bill + reserved * 3}")
    assert tight.code in (0, 4)
    assert usd_of(before + site.billed()) <= bill + reserved * 3


def test_what_expires_and_is_sent_again_reserves_anew(claude, monkeypatch, reserved):
    """In one run: what was reserved for the first message batch does not stand in the way of the
    second.
    """
    monkeypatch.setattr("common.delivery.deliver.LITTLE", 1)
    site = claude(message_batch_seconds=0, faults=[{**EXPIRED, "times": 10}])
    fill(site, 11)
    result = go(site, "--max-cost", f"{reserved * 14}")
    assert result.code == 0, result.log[-1500:]
    is_complete(site, 55)


def test_an_intent_that_came_to_nothing_gives_back_what_it_reserved(claude, monkeypatch, reserved):
    monkeypatch.setattr("common.delivery.deliver.LITTLE", 1)
    rule = {"kind": "create_500", "path": MESSAGE_BATCHES, "times": 1}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 11)
    cap = f"{reserved * 14}"
    result = go(site, "--max-cost", cap, MAX_COST_USD=cap)
    assert result.code == 0, result.log[-1500:]
    is_complete(site, 55)


@pytest.mark.parametrize("name", ["create", "newest"])
def test_the_days_cap_outlives_kills(claude, monkeypatch, reserved, name):
    site = claude(message_batch_seconds=0)
    site.environ["MAX_COST_USD"] = cap = f"{reserved * 3}"
    fill(site, 90)
    for number in range(1, 4):
        killed(site, Instant(delivery, name, "after"), number)
        assert usd_of(site.billed()) <= held(site) + 1e-9 <= float(cap) + 2e-9
    codes = [go(site).code for _ in range(3)]
    assert codes[-1] == 4
    assert usd_of(site.billed()) <= held(site) + 1e-9 <= float(cap) + 2e-9
    assert set(billed_for(site).values()) == {1}
    site.environ.clear()
    while go(site).code == 75:
        pass
    assert set(billed_for(site).values()) == {1} and statuses(site) == {"done": 450}


def test_a_run_is_not_charged_for_what_a_run_before_it_sent(claude, tmp_path, reserved):
    """--max-cost is about what a run sends itself."""
    site = claude(message_batch_seconds=0.2)
    fill(site, 60)
    assert go(site, "--wait", "0").code == 75
    site.events([(n, "Where is my parcel?", "2026-11-22 10:00:00") for n in range(500, 505)])
    result = go(site, "--wait", "9d", "--max-cost", f"{reserved * 2.2}")
    assert result.code == 0, result.log[-1500:]
    assert usd_of(site.billed()) > reserved * 2.2
