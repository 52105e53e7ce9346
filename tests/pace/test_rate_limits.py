"""What headers say about the account's limits, and what of it is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from common.pace.rate_limits import RateLimit, limits_in

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


def told(name: str, limit: object, remaining: object, reset: object = "") -> dict[str, str]:
    prefix = f"anthropic-ratelimit-{name}"
    values = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"{prefix}-{end}": str(value) for end, value in values.items()}


def test_each_limit_has_a_reading_with_what_its_bucket_holds_when_it_is_full():
    headers = {
        **told("requests", 600, 500, "2026-11-29T12:00:05Z"),
        **told("input-tokens", 60_000, 10_000, "2026-11-29T12:00:50Z"),
        **told("output-tokens", 6_000, 6_000, "2026-11-29T12:00:00Z"),
    }
    assert limits_in(headers, NOW) == {
        "requests": RateLimit(600, 500, 550),
        "input_tokens": RateLimit(60_000, 10_000, 60_000),
        "output_tokens": RateLimit(6_000, 6_000, 6_000),
    }


def test_tokens_of_both_kinds_count_where_nothing_is_told_of_either():
    both = told("tokens", 90_000, 30_000)
    assert limits_in(both, NOW) == {"tokens": RateLimit(90_000, 30_000, None)}
    with_output = {**both, **told("output-tokens", 6_000, 2_000)}
    assert limits_in(with_output, NOW) == {"output_tokens": RateLimit(6_000, 2_000, None)}


def test_what_a_proxy_has_stripped_is_no_reading():
    assert limits_in({}, NOW) == {}
    assert limits_in({"anthropic-ratelimit-requests-limit": "50"}, NOW) == {}
    assert limits_in({"anthropic-ratelimit-requests-remaining": "50"}, NOW) == {}


@pytest.mark.parametrize("nonsense", ["", "many", "nan", "inf", "-1", "1e99", "0x10", "None"])
def test_a_limit_or_a_rest_that_is_no_amount_is_left_out(nonsense):
    assert limits_in(told("requests", nonsense, 10), NOW) == {}
    assert limits_in(told("requests", 50, nonsense), NOW) == {}


def test_a_limit_of_nothing_is_no_limit():
    assert limits_in(told("requests", 0, 0), NOW) == {}


@pytest.mark.parametrize(
    "reset", ["", "soon", "2026-11-29T11:59:00Z", "2026-11-29T22:00:00Z", "9999-99-99T00:00:00Z"]
)
def test_a_reset_that_cannot_be_says_nothing_about_the_capacity(reset):
    assert limits_in(told("requests", 50, 10, reset), NOW) == {"requests": RateLimit(50, 10, None)}


def test_a_reset_is_read_by_the_clock_of_the_server_and_not_without_it():
    there = NOW + timedelta(hours=7)
    headers = told("requests", 60, 10, f"{there + timedelta(seconds=20):%Y-%m-%dT%H:%M:%SZ}")
    assert limits_in(headers, there)["requests"].capacity == 30
    assert limits_in(headers, None)["requests"].capacity is None
