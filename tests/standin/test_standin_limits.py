"""An account's rate limits at the stand-in: what is refused, what counts, and what headers say."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import anthropic
import pytest

from rigs.crash_rig import until
from rigs.standin_requests import Digest, ask, params, post, records, serving
from standin.account_limits import AccountLimits
from standin.problems import Refused
from standin.standin import StandIn

NAMES = ("requests", "input-tokens", "output-tokens", "tokens")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def limits(self, requests: int = 0, input: int = 0, output: int = 0, burst: float = 60.0):
        return AccountLimits(
            requests, input, output, burst, lambda: self.now, lambda: NOON + self.now
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(limits: AccountLimits, tokens: int = 1, key: str = "a") -> int:
    """How many requests with that much input are let in, one at once after the other."""
    number = 0
    while number < 1000:
        try:
            limits.take(key, tokens)
        except Refused:
            return number
        number += 1
    return number


def header(limits: AccountLimits, name: str, key: str = "a") -> str:
    return dict(limits.headers(key))[f"anthropic-ratelimit-{name}"]


def refused(limits: AccountLimits, tokens: int = 1) -> Refused:
    with pytest.raises(Refused) as caught:
        limits.take("a", tokens)
    assert caught.value.status == 429
    return caught.value


def test_a_bucket_holds_a_minute_s_worth_and_refills_all_the_time(clock):
    limits = clock.limits(requests=60)
    assert taken(limits) == 60
    clock.now += 0.5
    assert taken(limits) == 0
    clock.now += 2.5
    assert taken(limits) == 3
    clock.now += 3600
    assert taken(limits) == 60
    assert limits.refused == 4


def test_a_small_bucket_holds_the_worth_of_its_seconds_and_lets_one_request_in(clock):
    assert taken(clock.limits(requests=600, burst=1)) == 10
    tiny = clock.limits(requests=30, burst=1)
    assert taken(tiny) == 1
    clock.now += 1
    assert taken(tiny) == 0
    clock.now += 1
    assert taken(tiny) == 1


def test_what_a_small_bucket_never_holds_is_let_in_by_a_full_one_and_paid_off(clock):
    limits = clock.limits(input=6000, burst=1)  # 100 a second
    assert taken(limits, 450) == 1
    assert dict(refused(limits, 450).headers)["retry-after"] == "5"
    clock.now += 4
    assert taken(limits, 450) == 0
    clock.now += 1
    assert taken(limits, 450) == 1


def test_more_than_a_minute_s_worth_is_never_let_in(clock):
    limits = clock.limits(input=6000)
    refused(limits, 6001)
    assert taken(limits, 6000) == 1


def test_a_refusal_says_which_limit_and_how_many_seconds_to_wait(clock):
    limits = clock.limits(requests=60, input=6000)
    limits.take("a", 5900)
    no = refused(limits, 351)
    assert "6,000 input tokens per minute" in no.message
    headers = dict(no.headers)
    assert headers["retry-after"] == "3"
    assert headers["anthropic-ratelimit-requests-remaining"] == "59", "a refusal is no request"
    clock.now += 3
    limits.take("a", 351)


def test_output_counts_while_it_is_produced(clock):
    limits = clock.limits(output=6000)
    end = limits.produce("a", 9000, 30.0)
    limits.take("a", 1)
    clock.now += 10  # 3,000 are produced, and 1,000 came back
    assert header(limits, "output-tokens-remaining") == "4000"
    clock.now += 20
    assert header(limits, "output-tokens-remaining") == "0"
    assert dict(refused(limits).headers)["retry-after"] == "1"
    end()
    clock.now += 30
    limits.take("a", 1)
    assert header(limits, "output-tokens-remaining") == "3000"


def test_what_is_produced_at_once_counts_at_its_end_and_can_go_below_zero(clock):
    limits = clock.limits(output=6000)
    limits.produce("a", 6500, 0.0)()
    assert header(limits, "output-tokens-remaining") == "0"
    assert dict(refused(limits).headers)["retry-after"] == "6"
    clock.now += 6
    limits.take("a", 1)


def test_headers_round_tokens_to_thousands_and_say_when_a_bucket_is_full_again(clock):
    limits = clock.limits(requests=60, input=60_000, output=12_000)
    limits.take("a", 20_400)
    limits.produce("a", 4_000, 0.0)()
    assert header(limits, "input-tokens-limit") == "60000"
    assert header(limits, "input-tokens-remaining") == "40000"
    assert header(limits, "input-tokens-reset") == "2026-11-29T12:00:21Z"
    assert header(limits, "requests-remaining") == "59"
    assert header(limits, "requests-reset") == "2026-11-29T12:00:01Z"
    assert header(limits, "output-tokens-reset") == "2026-11-29T12:00:20Z"
    assert header(limits, "tokens-limit") == "72000"
    assert header(limits, "tokens-remaining") == "48000"
    clock.now += 60
    assert header(limits, "tokens-remaining") == "72000"


def test_each_key_is_an_account(clock):
    limits = clock.limits(requests=3)
    assert [taken(limits, key=key) for key in ("a", "b", "a")] == [3, 3, 0]


def test_a_limit_of_nothing_limits_nothing_and_shows_no_headers(clock):
    limits = clock.limits(requests=3)
    assert {name.rsplit("-", 1)[0] for name, _ in limits.headers("a")} == {
        "anthropic-ratelimit-requests"
    }
    assert not clock.limits()
    with serving() as (standin, claude):
        ask(claude)
        _, headers, _ = post(standin, params())
        assert not [name for name in headers if "ratelimit" in name]
        assert standin.counts["rate_limited"] == 0


def test_answers_and_refusals_alike_carry_the_headers_over_http():
    with StandIn(
        requests_per_minute=2, input_tokens_per_minute=9000, output_tokens_per_minute=9000
    ) as standin:
        replies = [post(standin, params("Hello " * 600)) for _ in range(3)]
        assert [status for status, _, _ in replies] == [200, 200, 429]
        for _, headers, _ in replies:
            for name in NAMES:
                for part in ("limit", "remaining"):
                    assert headers[f"anthropic-ratelimit-{name}-{part}"].isdecimal()
                reset = headers[f"anthropic-ratelimit-{name}-reset"]
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reset)
        left = [headers["anthropic-ratelimit-input-tokens-remaining"] for _, headers, _ in replies]
        assert left == ["8000", "7000", "7000"]
        assert 1 <= int(replies[-1][1]["retry-after"]) <= 30
        assert replies[-1][2]["error"]["type"] == "rate_limit_error"
        counts = standin.counts
        assert (counts["rate_limited"], counts["billed"]) == (1, 2)
        assert counts["totals"]["input_tokens"] == sum(b["input_tokens"] for b in standin.billed)
        other, _, _ = post(
            standin,
            params(),
            headers={"authorization": "Bearer other", "anthropic-version": "2026-10-21"},
        )
        assert other == 200


def test_the_sdk_reads_a_refusal_as_a_rate_limit():
    with serving(requests_per_minute=1) as (_, claude):
        ask(claude)
        with pytest.raises(anthropic.RateLimitError, match="1 requests per minute") as caught:
            ask(claude)
        assert int(caught.value.response.headers["retry-after"]) > 50


def test_what_is_read_from_the_cache_counts_for_no_limit():
    system = [{"type": "text", "text": "Read. " * 800, "cache_control": {"type": "ephemeral"}}]
    with serving(input_tokens_per_minute=3000) as (standin, claude):
        usages = [ask(claude, system=system).usage for _ in range(20)]
        assert [usage.cache_creation_input_tokens for usage in usages[:2]] == [1200, 0]
        assert usages[-1].cache_read_input_tokens == 1200
        assert standin.counts["rate_limited"] == 0


def test_a_refused_request_leaves_nothing_in_the_cache():
    system = [{"type": "text", "text": "Read. " * 800, "cache_control": {"type": "ephemeral"}}]
    with serving(input_tokens_per_minute=1250) as (_, claude):
        with pytest.raises(anthropic.RateLimitError):
            ask(claude, "word " * 100, system=system)
        usage = ask(claude, system=system).usage
        assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (1200, 0)


def test_a_message_batch_uses_none_of_these_limits():
    with serving(requests_per_minute=1, message_batch_seconds=0.0) as (standin, claude):
        requests: list[Any] = [{"custom_id": f"r{n}", "params": params()} for n in range(5)]
        made = claude.messages.batches.create(requests=requests)
        while claude.messages.batches.retrieve(made.id).processing_status != "ended":
            pass
        results = [line.result.type for line in claude.messages.batches.results(made.id)]
        assert results == ["succeeded"] * 5
        ask(claude)
        assert standin.counts["rate_limited"] == 0


def test_an_answer_takes_its_latency_and_its_tokens_and_its_headers_are_of_its_end():
    per_token, per_minute = 0.02, 300
    with serving(
        latency=0.1, seconds_per_output_token=per_token, output_tokens_per_minute=per_minute
    ) as (standin, claude):
        began = time.monotonic()
        request = params(records("Where is my parcel?"), Digest)
        reply = claude.messages.with_raw_response.create(**request)
        seconds = time.monotonic() - began
        tokens = reply.parse().usage.output_tokens
        assert tokens > 10
        assert 0.1 + per_token * tokens <= seconds < 5 + per_token * tokens
        until(lambda: standin.counts["in_flight"] == 0)  # it counts a reply as sent after sending
        full = datetime.fromisoformat(reply.headers["anthropic-ratelimit-output-tokens-reset"])
        missing = (full - parsedate_to_datetime(reply.headers["date"])).total_seconds()
        expected = tokens / (per_minute / 60) - seconds
        assert expected - 1 <= missing <= expected + 2
