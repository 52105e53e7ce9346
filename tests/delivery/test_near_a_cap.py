"""Near a cost cap: most of it is used in the first round, and it is never passed."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from common import Job
from common.claude import pricing
from common.delivery.near_a_cap import affordable, counting
from rigs.bills import usd_of
from rigs.harness import Site
from rigs.message_batch_site import calls, spent, statuses
from rigs.own_jobs import labels
from standin.generation import Generator

COUNT = "/v1/messages/count_tokens"
COUNTED = f"POST {COUNT}"
WORDS = ("parcel", "refund", "lamp", "großartig", "注文", "<b>", "garden", "&", "😀", '"')
PLAIN = labels()
LONG = labels(instructions="Label each record by what it is about, in one word. " * 60)


class Names(BaseModel):
    names: list[str]


def save_names(db: Any, record: Any, output: Names) -> None:
    row = {"record_id": record["record_id"], "label": f"{len(output.names)}"}
    db.execute("delete from labels where record_id = :record_id", row)
    db.execute("insert into labels values (:record_id, :label, '', 1)", row)


# How long its answers are depends on the records.
NAMES: Job = replace(PLAIN, output=Names, save=save_names)


def add(site: Site, first: int, count: int, text: str = "", words: int = 40) -> None:
    """Add as many records of about so many words, or of that text."""
    dice = random.Random(first)
    day = "2026-11-21 10:00:00"
    rows = (
        (number, text or " ".join(dice.choices(WORDS, k=dice.randint(1, 2 * words))), day)
        for number in range(first, first + count)
    )
    site.events(rows)


def go(site: Site, *arguments: str, job: Job = PLAIN, by: str = "--message-batch") -> Any:
    return site.run(job, by, "--wait", "20h", *arguments)


def first_round(site: Site) -> float:
    """USD of the last run until its first message batch was collected."""
    rows = site.ledger(
        "select coalesce(message_batch_id, ''), usd from requests where run_id ="
        " (select run_id from runs order by started_at desc, run_id desc limit 1)"
        " order by request_id",
        "labels",
    )
    usd, first = 0.0, ""
    for message_batch, cost in rows:
        if first and message_batch != first:
            break
        first = message_batch
        usd += cost
    return usd


def each(site: Site) -> float:
    """USD of a record by message batch, so far."""
    usd, records = site.ledger(
        "select sum(usd), count(*) from requests where delivery = 'message_batch'", "labels"
    )[0]
    return float(usd) / int(records) / 50


@pytest.mark.parametrize("job", [PLAIN, LONG], ids=["plain", "cached instructions"])
def test_most_of_a_cap_is_used_in_the_first_round_and_all_but_a_request_in_the_end(claude, job):
    site = claude(message_batch_seconds=0)
    add(site, 0, 500)
    assert go(site, job=job).code == 0
    cap, before = each(site) * 600, usd_of(site.billed())
    add(site, 1_000, 1_200)
    result = go(site, "--max-cost", f"{cap:.9f}", job=job)
    assert result.code == 4, result.log[-1500:]
    assert 0.7 * cap < first_round(site) <= cap
    assert 0.9 * cap < usd_of(site.billed()) - before <= cap
    assert go(site, job=job).code == 0 and statuses(site) == {"done": 1_700}


def test_what_fits_anyway_is_not_counted_and_keeps_its_room(claude):
    site = claude(message_batch_seconds=0)
    add(site, 0, 500)
    assert go(site).code == 0
    add(site, 1_000, 500)
    assert go(site, "--max-cost", "1").code == 0
    assert calls(site, COUNTED) == 0


def test_a_first_night_learns_from_some_live_answers_how_much_room_answers_need(
    claude, monkeypatch
):
    monkeypatch.setattr(affordable, "_SHARE_TO_LEARN", 0.5)
    site = claude(message_batch_seconds=0)
    add(site, 0, 1_200)
    result = go(site, "--max-cost", "0.01")
    assert result.code == 4, result.log[-1500:]
    delivered = site.ledger("select delivery from requests order by request_id limit 5", "labels")
    assert delivered == [("live",)] * 4 + [("message_batch",)]
    assert 0.007 < first_round(site) <= usd_of(site.billed()) <= 0.01


@pytest.mark.parametrize("fault", ["404", "500", "html"])
def test_where_tokens_cannot_be_counted_the_cap_is_kept_by_bytes(claude, fault):
    site = claude(message_batch_seconds=0, faults=[{"kind": fault, "path": COUNT}])
    add(site, 0, 600)
    result = go(site, "--max-cost", "0.005", "--chunk-size", "10")
    assert result.code == 4, result.log[-1500:]
    assert "what requests can cost is reckoned by their bytes" in result.log
    assert 0.004 < usd_of(site.billed()) <= 0.005
    assert calls(site, COUNTED) < 100


def test_a_bill_that_is_over_the_count_does_not_pass_the_cap(claude, monkeypatch):
    """The description of the format may be billed and not counted; what remains of the reservation
    is nearly all input.
    """
    counted = Generator.input_tokens
    monkeypatch.setattr(
        Generator, "input_tokens", lambda *arguments: max(1, counted(*arguments) - 1_200)
    )
    monkeypatch.setattr("common.claude.request._BASE_TOKENS", 0)
    monkeypatch.setattr("common.delivery.near_a_cap.rooms.LEAST_RECORDS", 9**9)
    site = claude(message_batch_seconds=0)
    add(site, 0, 600)
    job = replace(LONG, output_tokens=30)
    result = go(site, "--max-cost", "0.006", "--chunk-size", "20", job=job)
    assert calls(site, COUNTED) > 9, result.log
    assert usd_of(site.billed()) <= 0.006


@pytest.mark.parametrize("seed", range(4))
def test_no_price_no_size_and_no_fault_passes_a_cap(claude, tmp_path, monkeypatch, seed):
    dice = random.Random(seed)
    row = json.loads(pricing.PRICES.read_text())["prices"][0]
    # Reading the cache is the cheapest, and to write to it for an hour the dearest.
    kinds = ("cache_read", "input", "cache_write_5m", "cache_write_1h")
    prices = dict(zip(kinds, sorted(10 ** dice.uniform(-2, 1) for _ in kinds), strict=True))
    prices["output"] = 10 ** dice.uniform(-2, 1)
    if seed % 2:  # nearly all of what is reserved is for input
        prices["output"] /= 1_000
    bands = [{**row, **prices, "model": "claude-haiku-5-5", "prompt_up_to": None}]
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"prices": bands}))
    _use(monkeypatch, path)
    faults = [
        {"cycle": ["max_tokens", "half_json", "missing_id"], "when": {"share": 0.1, "seed": seed}},
        {"kind": "expire", "when": {"share": 0.1, "seed": seed}},
        {"cycle": ["500", "cut"], "path": "/v1/messages", "when": {"share": 0.1, "seed": seed}},
    ]
    site = claude(message_batch_seconds=0, faults=faults)
    size, words, first = dice.choice((5, 10)), dice.choice((20, 60)), 0.0
    for night in range(3):
        add(site, night * 1_000, 40 * size, words=words)
        before, cap = usd_of(site.billed()), 9.0 if night == 0 else dice.uniform(0.5, 0.9) * first
        options = ("--chunk-size", str(size), "--max-cost", f"{cap:.9f}")
        by = "--live" if night == 2 else "--message-batch"
        result = go(site, *options, job=(PLAIN, LONG)[seed // 2], by=by)
        cost = usd_of(site.billed()) - before
        first = first or cost
        assert result.code in (0, 3, 4), result.log[-1500:]
        assert cost <= cap, (night, cost, cap)
    assert usd_of(site.billed()) <= sum(spent(site)) + 1e-9


def _use(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(pricing, "PRICES", path)
    for cached in (pricing._rows, pricing._bands):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _own_prices():
    yield
    for cached in (pricing._rows, pricing._bands):
        cached.cache_clear()


@pytest.mark.parametrize("by", ["--live", "--message-batch"])
def test_an_answer_that_is_cut_off_by_a_lowered_room_is_asked_again_with_the_usual_one(claude, by):
    site = claude(message_batch_seconds=0)
    add(site, 0, 400, "where is it?")
    assert go(site, job=NAMES).code == 0
    add(site, 1_000, 60, "where is it?")
    add(site, 1_060, 140, "Anna Bert Cato Dora Emil Fips Gina Hans")
    before, cap = usd_of(site.billed()), 0.006
    capped = go(site, "--max-cost", f"{cap}", "--concurrency", "2", job=NAMES, by=by)
    assert usd_of(site.billed()) - before <= cap
    cut_off = sum(line["output_tokens"] < 700 for line in site.billed()[9:])
    assert cut_off, capped.log
    if by == "--live":
        assert "(cut off (max_tokens)): asked again with room for longer answers" in capped.log
    ended = go(site, job=NAMES, by=by)
    assert ended.code == 0, ended.log[-1500:]
    assert statuses(site) == {"done": 600}
    assert site.ledger("select max(failures) from records", "labels") == [(0,)]
    assert site.saved("select count(*) from labels where label = '8'") == [(140,)]


def test_live_requests_use_nearly_all_of_a_cap(claude):
    site = claude()
    add(site, 0, 1_000)
    result = go(site, "--max-cost", "0.01", "--chunk-size", "5", by="--live")
    assert result.code == 4 and 0.0095 < usd_of(site.billed()) <= 0.01


def test_requests_are_counted_some_at_a_time_and_not_where_their_bytes_say_enough(claude):
    site = claude(message_batch_seconds=0)
    add(site, 0, 300, "Where is it?")
    assert go(site, "--chunk-size", "1", job=LONG).code == 0
    add(site, 1_000, 300, "Where is it?")
    assert go(site, "--chunk-size", "1", "--max-cost", "0.003", job=LONG).code == 4
    assert 2 <= calls(site, COUNTED) < 2 * counting.TOGETHER
