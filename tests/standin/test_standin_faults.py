"""The scripted faults: the real SDK raises what it raises for the API, and the bill agrees."""

import json
from typing import Any, Literal

import anthropic
import httpx2
import pytest
from pydantic import BaseModel

from rigs.standin_requests import Digest, ask, params, post, records, serving, text_of


class Label(BaseModel):
    id: str
    label: Literal["billing", "other"]


class Labels(BaseModel):
    results: list[Label]


ONE_MODEL = "/v1/models/{id}"
TWO = records("A billing question", "Hello", first=17)


def faulty(*rules: dict[str, Any]) -> Any:
    return serving(faults=list(rules))


@pytest.mark.parametrize(
    ("kind", "error", "error_type"),
    [
        ("400", anthropic.BadRequestError, "invalid_request_error"),
        ("401", anthropic.AuthenticationError, "authentication_error"),
        ("402", anthropic.PaymentRequiredError, "billing_error"),
        ("403", anthropic.PermissionDeniedError, "permission_error"),
        ("404", anthropic.NotFoundError, "not_found_error"),
        ("408", anthropic.RequestTimeoutError, "timeout_error"),
        ("409", anthropic.ConflictError, "conflict_error"),
        ("413", anthropic.ContentTooLargeError, None),
        ("422", anthropic.UnprocessableEntityError, "invalid_request_error"),
        ("429", anthropic.RateLimitError, "rate_limit_error"),
        ("500", anthropic.InternalServerError, "api_error"),
        ("502", anthropic.InternalServerError, "api_error"),
        ("503", anthropic.ServiceUnavailableError, "api_error"),
        ("504", anthropic.GatewayTimeoutError, "timeout_error"),
        ("529", anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_a_status_arrives_as_the_sdks_error_and_is_not_billed(kind, error, error_type) -> None:
    with faulty({"kind": kind, "times": 1}) as (standin, claude):
        with pytest.raises(error) as caught:
            ask(claude)
        assert caught.value.status_code == int(kind)
        assert caught.value.type == error_type
        assert caught.value.request_id
        assert standin.billed == []
        assert ask(claude).stop_reason == "end_turn"


def test_words_and_retry_after_can_be_given() -> None:
    with (
        faulty({"kind": "429", "retry_after": 7, "message": "slow"}) as (_, claude),
        pytest.raises(anthropic.RateLimitError) as caught,
    ):
        ask(claude)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.api_message == "slow"


def test_spend_limits_and_credit_are_told_as_the_api_tells_them() -> None:
    with faulty({"cycle": ["429_spend", "400_credit"]}) as (_, claude):
        with pytest.raises(anthropic.RateLimitError) as spend:
            ask(claude)
        with pytest.raises(anthropic.BadRequestError) as credit:
            ask(claude)
    assert spend.value.error_code == "enforced_spend_limit_reached"
    assert "retry-after" not in spend.value.response.headers
    assert "credit balance is too low" in str(credit.value.api_message)
    assert credit.value.error_code is None


def test_a_cut_answer_is_billed_and_a_reset_is_not() -> None:
    with faulty({"cycle": ["cut", "reset"], "times": 2}) as (standin, claude):
        with pytest.raises(anthropic.APIConnectionError) as cut:
            ask(claude)
        assert isinstance(cut.value.__cause__, httpx2.RemoteProtocolError)
        assert len(standin.billed) == 1
        with pytest.raises(anthropic.APIConnectionError):
            ask(claude)
        assert len(standin.billed) == 1
        ask(claude)
        assert len(standin.billed) == 2


def test_a_late_answer_is_billed_though_nobody_waits_for_it() -> None:
    with faulty({"kind": "late", "seconds": 30, "times": 1}) as (standin, claude):
        with pytest.raises(anthropic.APITimeoutError):
            ask(claude, timeout=0.2)
        assert len(standin.billed) == 1
        ask(claude)


def test_an_html_page_comes_with_200() -> None:
    with faulty({"kind": "html"}) as (standin, _):
        status, headers, page = post(standin, params())
        with anthropic.Anthropic(base_url=standin.url, api_key="k", max_retries=0) as lenient:
            assert isinstance(ask(lenient), str)
        assert standin.billed == []
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert page.startswith(b"<html>")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("half_json", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "model_context_window_exceeded"),
    ],
)
def test_half_an_answer_is_a_valid_message_and_billed_as_sent(kind, reason) -> None:
    with faulty({"kind": kind}) as (standin, claude):
        message = ask(claude, TWO, Labels)
        assert message.stop_reason == reason
        with pytest.raises(json.JSONDecodeError):
            json.loads(text_of(message))
        (bill,) = standin.billed
    assert bill["output_tokens"] == message.usage.output_tokens
    assert message.usage.output_tokens == -(-len(text_of(message)) // 4)


@pytest.mark.parametrize(
    ("category", "billed"),
    [
        ("bio", True),
        ("frontier_llm", True),
        ("reasoning_extraction", True),
        ("cyber", False),
        ("general_harms", False),
        (None, False),
    ],
)
def test_a_refusal_is_billed_by_its_category(category, billed) -> None:
    with faulty({"kind": "refusal", "category": category}) as (standin, claude):
        message = ask(claude, TWO, Labels)
        assert len(standin.billed) == billed
    assert message.stop_reason == "refusal"
    assert message.content == []
    assert message.stop_details is not None
    assert message.stop_details.category == category
    assert (message.usage.input_tokens > 0) == billed
    assert (message.usage.output_tokens > 0) == billed


def test_ids_can_be_missing_doubled_and_foreign() -> None:
    with faulty({"cycle": ["missing_id", "doubled_id", "foreign_id"]}) as (_, claude):
        answers = [Labels.model_validate_json(text_of(ask(claude, TWO, Labels))) for _ in "123"]
    ids = [[result.id for result in answer.results] for answer in answers]
    assert ids == [["18"], ["17", "18", "17"], ["17", "18", "999999999"]]


def test_ids_of_a_digest_can_be_missing_doubled_and_foreign() -> None:
    with faulty({"cycle": ["missing_id", "doubled_id", "foreign_id"]}) as (_, claude):
        answers = [Digest.model_validate_json(text_of(ask(claude, TWO, Digest))) for _ in "123"]
    ids = [[name for theme in answer.themes for name in theme.records] for answer in answers]
    assert ids == [["18"], ["17", "18", "17"], ["17", "18", "999999999"]]


def test_enum_values_can_come_in_the_wrong_case() -> None:
    with faulty({"kind": "wrong_case"}) as (_, claude):
        results = json.loads(text_of(ask(claude, TWO, Labels)))["results"]
    assert results == [{"id": "17", "label": "BILLING"}, {"id": "18", "label": "OTHER"}]


def test_a_stop_reason_of_the_future_arrives() -> None:
    with faulty({"kind": "unknown_stop"}) as (standin, _):
        _, _, answer = post(standin, params(TWO, Labels))
    assert answer["stop_reason"] == "a_reason_of_the_future"
    assert Labels.model_validate_json(answer["content"][0]["text"])


def test_thinking_can_come_before_the_text_and_is_billed() -> None:
    with faulty({"kind": "thinking_first"}) as (standin, claude):
        message = ask(claude, TWO, Labels)
        bill = standin.billed[0]
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.usage.output_tokens_details is not None
    assert message.usage.output_tokens_details.thinking_tokens == 32
    assert bill["output_tokens"] == message.usage.output_tokens
    assert message.usage.output_tokens == 32 + -(-len(text_of(message)) // 4)


def test_one_record_can_be_poison_for_every_request_that_carries_it() -> None:
    with faulty({"kind": "400", "when": {"record": "18"}}) as (_, claude):
        with pytest.raises(anthropic.BadRequestError):
            ask(claude, TWO, Labels)
        assert ask(claude, records("A", first=17), Labels).stop_reason == "end_turn"


def test_other_paths_can_fail_too() -> None:
    with faulty({"kind": "529", "path": "/v1/models/{id}"}) as (_, claude):
        with pytest.raises(anthropic.OverloadedError):
            claude.models.retrieve("claude-haiku-5-5")
        assert ask(claude).stop_reason == "end_turn"


def test_a_redirect_names_another_place_and_bills_nothing() -> None:
    elsewhere = "https://elsewhere.example/v1/messages"
    with faulty({"kind": "redirect", "path": ONE_MODEL, "status": 308, "location": elsewhere}) as (
        standin,
        _,
    ):
        reply = httpx2.get(f"{standin.url}/v1/models/any", headers={"x-api-key": "k"})
        assert (reply.status_code, reply.headers["location"]) == (308, elsewhere)
        assert standin.billed == []


@pytest.mark.parametrize("options", [{}, {"gzip": True}, {"status": 503}])
def test_a_huge_reply_is_as_long_as_the_rule_says(options) -> None:
    with faulty({"kind": "huge", "path": ONE_MODEL, "megabytes": 3, **options}) as (standin, _):
        reply = httpx2.get(f"{standin.url}/v1/models/any", headers={"x-api-key": "k"})
        assert reply.status_code == options.get("status", 200)
        assert len(reply.content) == 3 * (1 << 20) + 2 and len(reply.json()) == 3 * (1 << 20)
        assert standin.billed == []


def test_a_reply_that_dribbles_is_whole_in_the_end_and_billed() -> None:
    with faulty({"kind": "dribble", "seconds": 0.0001}) as (standin, claude):
        assert ask(claude).stop_reason == "end_turn"
        assert len(standin.billed) == 1


@pytest.mark.parametrize("url", ["https://elsewhere.example/results", None])
def test_results_are_said_to_be_wherever_the_rule_says(url) -> None:
    rule = {"kind": "results_url", "url": url}
    with serving(faults=[rule], message_batch_seconds=0) as (_, claude):
        request: Any = {"custom_id": "one", "params": params(records("x"))}
        made = claude.messages.batches.create(requests=[request])
        while made.processing_status != "ended":
            made = claude.messages.batches.retrieve(made.id)
        assert made.results_url == url
