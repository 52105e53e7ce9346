"""Tokens to USD: the published prices, by band and by day, and mistakes in a user's price list."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from common.claude import pricing
from common.claude.pricing import PRICES, Tokens, usd
from common.process.exits import JobExit

TODAY = date(2026, 11, 22)
MILLION = 1_000_000

# USD per million tokens: input, output, 5m write, 1h write, cache read, message batch in / out.
PUBLISHED = {
    "claude-sonnet-5-5": (2, 10, 2.50, 4, 0.10, 1, 5),
    "claude-opus-5-5": (4, 20, 5, 8, 0.20, 2, 10),
    "claude-fable-5-2": (8, 40, 10, 16, 0.20, 4, 20),
    "claude-fable-5-1": (10, 50, 12.50, 20, 0.25, 5, 25),
    "claude-mythos-5-1": (10, 50, 12.50, 20, 0.25, 5, 25),
    "claude-fable-5": (10, 50, 12.50, 20, 1, 5, 25),
    "claude-mythos-5": (10, 50, 12.50, 20, 1, 5, 25),
    "claude-opus-5": (5, 25, 6.25, 10, 0.50, 2.50, 12.50),
    "claude-opus-4-8": (5, 25, 6.25, 10, 0.50, 2.50, 12.50),
    "claude-opus-4-7": (5, 25, 6.25, 10, 0.50, 2.50, 12.50),
    "claude-opus-4-6": (5, 25, 6.25, 10, 0.50, 2.50, 12.50),
    "claude-opus-4-5": (5, 25, 6.25, 10, 0.50, 2.50, 12.50),
    "claude-opus-4-5-20251101": (5, 25, 6.25, 10, 0.50, 2.50, 12.50),
    "claude-sonnet-5": (2, 10, 2.50, 4, 0.20, 1, 5),
    "claude-sonnet-4-6": (3, 15, 3.75, 6, 0.30, 1.50, 7.50),
    "claude-haiku-4-5": (1, 5, 1.25, 2, 0.10, 0.50, 2.50),
    "claude-haiku-4-5-20251001": (1, 5, 1.25, 2, 0.10, 0.50, 2.50),
}


def million(kind: str) -> Tokens:
    """A million tokens of one kind."""
    given: dict[str, Any] = {kind: MILLION}
    return Tokens(**given)


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_million_tokens_of_each_kind_cost_what_is_published(model):
    kinds = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
    costs = [usd(model, million(kind), TODAY) for kind in kinds]
    halves = [usd(model, million(kind), TODAY, message_batch=True) for kind in kinds[:2]]
    assert costs + halves == pytest.approx(list(PUBLISHED[model]))


def test_no_other_model_has_a_price():
    listed = {row["model"] for row in json.loads(PRICES.read_text())["prices"]}
    assert listed == {*PUBLISHED, "claude-haiku-5-5"}


SMALL = (0.10, 0.50, 0.125, 0.20, 0.01)
LARGE = (0.50, 2.50, 0.625, 1.00, 0.05)


@pytest.mark.parametrize(
    ("tokens", "prices"),
    [
        (Tokens(input=100_000, output=128_000), SMALL),
        (Tokens(input=100_001, output=1), LARGE),
        # The whole prompt decides, cached or not; the answer does not.
        (Tokens(input=1, cache_read=99_999), SMALL),
        (Tokens(input=1, cache_read=100_000), LARGE),
        (Tokens(input=50_000, cache_write_5m=25_000, cache_write_1h=25_000), SMALL),
        (Tokens(input=50_000, cache_write_5m=25_000, cache_write_1h=25_001, output=5), LARGE),
        (Tokens(output=1_000_000), SMALL),
        (Tokens(), SMALL),
    ],
)
def test_a_large_prompt_costs_more_for_the_whole_request(tokens, prices):
    counts = (
        tokens.input,
        tokens.output,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.cache_read,
    )
    expected = sum(count * price for count, price in zip(counts, prices, strict=True)) / MILLION
    assert usd("claude-haiku-5-5", tokens, TODAY) == pytest.approx(expected)
    half = usd("claude-haiku-5-5", tokens, TODAY, message_batch=True)
    assert half == pytest.approx(expected / 2)


@pytest.mark.parametrize(
    ("day", "price"),
    [(date(2026, 10, 6), 0.2), (date(2026, 10, 7), 0.1), (date(2027, 10, 7), 0.1)],
)
def test_a_price_holds_from_its_first_day(day, price):
    assert usd("claude-sonnet-5-5", Tokens(cache_read=MILLION), day) == pytest.approx(price)


@pytest.mark.parametrize(
    ("model", "day"),
    [
        ("claude-haiku-5-5", date(2026, 10, 6)),
        ("claude-mythos-5-2", TODAY),
        ("gpt", TODAY),
        ("", TODAY),
        ("CLAUDE-HAIKU-5-5", TODAY),
    ],
)
def test_what_has_no_price_is_unknown_not_free(model, day):
    assert usd(model, Tokens(input=1), day) is None
    assert usd(model, Tokens(input=1), day, message_batch=True) is None


ROW = json.loads(PRICES.read_text())["prices"][0]


@pytest.fixture
def prices(tmp_path, monkeypatch):
    path = tmp_path / "prices.json"
    monkeypatch.setattr(pricing, "PRICES", path)
    pricing._rows.cache_clear()
    pricing._bands.cache_clear()
    yield path
    pricing._rows.cache_clear()
    pricing._bands.cache_clear()


WRONG: list[dict[str, Any]] = [
    *({"input": "0.1"}, {"output": None}, {"output": 1e999}, {"cache_read": float("nan")}),
    *({"from": "soon"}, {"from": None}, {"prompt_up_to": "100k"}, {"message_batch_factor": []}),
    *({"input": -1}, {"cache_write_5m": -0.5}),
]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "null", "\ufeff"),
        *('{"prices": null}', '{"prices": {"a": 1}}', '{"prices": [1]}'),
        *(
            json.dumps({"prices": [{key: ROW[key] for key in ROW if key != missing}]})
            for missing in ROW
        ),
        *(json.dumps({"prices": [ROW | wrong]}) for wrong in WRONG),
    ],
)  # fmt: skip
def test_a_broken_price_list_is_78_and_says_which_file_to_mend(prices, text):
    prices.write_text(text)
    with pytest.raises(JobExit) as broken:
        usd("claude-haiku-5-5", Tokens(), TODAY)
    assert broken.value.code == 78
    assert str(prices) in broken.value.message and "mend it" in broken.value.message


def test_a_price_list_that_is_gone_is_78(prices):
    with pytest.raises(JobExit) as gone:
        usd("claude-haiku-5-5", Tokens(), TODAY)
    assert gone.value.code == 78


def test_a_prompt_larger_than_every_band_has_no_price(prices):
    prices.write_text(json.dumps({"prices": [ROW]}))
    assert usd(ROW["model"], Tokens(input=100_001), TODAY) is None
