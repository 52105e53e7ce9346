"""Whose fault it was: each failure, through the real SDK, has an owner, an exit code and a wait."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from common.claude.faults import Fault, Whose, fault_of
from rigs.sending import saying, send
from standin.standin import StandIn

NOBODY, RECORD, ACCOUNT = Whose.NOBODY, Whose.RECORD, Whose.ACCOUNT


def fault(url: str, **options) -> Fault:
    """The fault of one request that is sent to `url`, in one attempt."""
    (outcome,) = send(url, **options)
    assert outcome.bug is None and outcome.message is None and outcome.attempts == 1
    assert outcome.fault is not None
    return outcome.fault


def scripted(kind: str, **options) -> Fault:
    with StandIn(faults=[{"kind": kind, **options}]) as standin:
        return fault(standin.url)


def refused(
    status: int, message: str, code: str = "", kind: str = "invalid_request_error"
) -> Fault:
    error = {
        "type": kind,
        "message": message,
        **({"details": {"error_code": code}} if code else {}),
    }
    body = json.dumps({"type": "error", "error": error, "request_id": "req_1"})
    with saying(status, body, {"content-type": "application/json"}) as url:
        return fault(url)


@pytest.mark.parametrize(
    ("kind", "whose", "code"),
    [
        ("400", RECORD, None),
        ("413", RECORD, None),
        ("422", RECORD, None),
        ("401", ACCOUNT, 77),
        ("402", ACCOUNT, 77),
        ("403", ACCOUNT, 77),
        ("404", ACCOUNT, 78),
        ("429_spend", ACCOUNT, 77),
        ("400_credit", ACCOUNT, 77),
        *((kind, NOBODY, 69) for kind in ("408", "409", "429", "500", "502", "503", "504", "529")),
        *((kind, NOBODY, 69) for kind in ("reset", "html", "cut")),
    ],
)
def test_each_way_of_failing_has_an_owner_and_a_code(kind, whose, code):
    result = scripted(kind)
    assert result.whose is whose
    if code:
        assert result.code == code
    # `final` says that another attempt would not help.
    assert result.final is (whose is RECORD)
    assert "\n" not in result.reason and len(result.reason) <= 200
    assert result.reason


@pytest.mark.parametrize(
    ("kind", "billed"),
    [
        *((kind, True) for kind in ("408", "504", "reset", "html", "cut")),
        *((kind, False) for kind in ("429", "500", "503", "529", "409")),
    ],
)
def test_an_attempt_whose_answer_may_have_been_made_may_be_billed(kind, billed):
    assert scripted(kind).may_be_billed is billed


@pytest.mark.parametrize(
    ("kind", "slow"), [("429", True), ("529", True), ("503", True), ("500", False), ("cut", False)]
)
def test_overload_slows_everybody_down(kind, slow):
    assert scripted(kind).slow_down is slow


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "Your credit balance is too low to access the Anthropic API. Go to Billing", ""),
        (400, "You have reached your specified API usage limits. You will regain access", ""),
        (400, "You have reached your specified workspace API usage limits. You will regain", ""),
        (400, "On hold", "organization_on_hold"),
        (400, "Not allowed", "workspace_policy_violation"),
        (400, "Key", "cmek_key_disabled"),
        (429, "You have reached your API usage limits", "enforced_spend_limit_reached"),
        (429, "Contract", "contract_spend_limit_reached"),
        (402, "Billing", "linked_organization_billing_unavailable"),
    ],
)  # fmt: skip
def test_a_refusal_that_is_about_the_account_blames_no_record(status, message, code):
    result = refused(status, message, code)
    assert (result.whose, result.code) == (ACCOUNT, 77)
    assert message[:20] in result.reason


@pytest.mark.parametrize(
    ("status", "code", "whose"),
    [
        (429, "ramp_limit_exceeded", NOBODY),
        (503, "cmek_key_unreachable", NOBODY),
        (400, "request_body_timeout", NOBODY),  # a slow upload: nothing was done
        (400, "a_code_of_2027", RECORD),
        (418, "", RECORD),
        (599, "", NOBODY),
    ],
)
def test_other_codes_are_what_their_status_says(status, code, whose):
    assert refused(status, "Words", code).whose is whose


def test_a_customer_who_writes_of_credit_is_no_account_without_credit():
    assert refused(422, "messages: 'credit balance is too low'").whose is RECORD


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "7200"}, 7200),
        ({"retry-after": "Sat, 21 Nov 2015 10:00:00 GMT"}, 0),
        *(({"retry-after": text}, None) for text in ("soon", "-5", "1e3", ".", "", "0x10",
        "Mon, 99999999999999999999 Jan 2026 00:00:00 GMT")),
    ],
)  # fmt: skip
def test_the_wait_that_a_server_asks_for_is_read(headers, seconds):
    with saying(429, "{}", headers) as url:
        assert fault(url).retry_after == seconds


def test_the_wait_may_be_a_date():
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    with saying(503, "", {"retry-after": at}) as url:
        result = fault(url)
    assert result.retry_after is not None and 60 < result.retry_after <= 90
    assert result.slow_down


@pytest.mark.parametrize(
    ("status", "body", "kind", "whose"),
    [
        (413, "<html><h1>413 Request Entity Too Large</h1></html>", "text/html", RECORD),
        (502, "<html>Bad Gateway</html>", "text/html", NOBODY),
        (200, "<html>Please log in to the hotel's network</html>", "text/html", NOBODY),
        (200, "", "application/json", NOBODY),
        (200, '{"type": "message", "content"', "application/json", NOBODY),
        (200, "[]", "application/json", NOBODY),
        (200, "null", "application/json", NOBODY),
        (200, '{"type": "error"}', "application/json", NOBODY),
        (500, "null", "application/json", NOBODY),
        (400, '"words"', "application/json", RECORD),
        (400, '{"error": "words"}', "application/json", RECORD),
        (400, '{"error": {"message": 5, "details": []}}', "application/json", RECORD),
        (401, "", "text/plain", ACCOUNT),
    ],
)
def test_a_reply_in_no_known_shape_is_judged_by_its_status(status, body, kind, whose):
    with saying(status, body, {"content-type": kind}) as url:
        result = fault(url)
    assert result.whose is whose
    assert "<html" not in result.reason


def test_nobody_there_is_nobodys_fault_and_cost_nothing():
    with socket.socket() as reserved:  # bound but not listening: it refuses every connection
        reserved.bind(("127.0.0.1", 0))
        result = fault(f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert (result.whose, result.code, result.may_be_billed) == (NOBODY, 69, False)
    assert result.reason == "connection: ConnectError"


@pytest.mark.parametrize(
    "options",
    [{"url": "127.0.0.1:1"}, {"url": "ftp://127.0.0.1"}, {"key": "sk-ant-a\nb"}, {"closed": True}],
    ids=["no scheme", "another scheme", "line break in the key", "closed client"],
)
def test_a_call_that_cannot_be_made_is_a_wrong_setting_and_not_sent_again(options):
    with saying(200) as url:
        result = fault(**({"url": url} | options))
    assert (result.whose, result.code) == (ACCOUNT, 78)


def test_a_reason_is_one_line_without_a_key():
    result = refused(400, "bad\nkey sk-ant-api03-abcdefgh\x1b[31m" + "x" * 500)
    assert "\n" not in result.reason and "\x1b" not in result.reason
    assert "abcdefgh" not in result.reason and len(result.reason) <= 200


def test_the_same_fault_of_two_records_has_the_same_reason():
    assert scripted("400").reason == scripted("400").reason


@pytest.mark.parametrize(
    "error", [KeyError("x"), TypeError("no credentials"), ValueError(), RuntimeError()]
)
def test_a_bug_of_ours_is_nobodys_fault_to_be_sent_again(error):
    assert fault_of(error) is None


def test_no_answer_in_time_is_sent_again_and_may_be_billed():
    result = fault_of(TimeoutError())
    assert result is not None
    assert (result.whose, result.may_be_billed) == (NOBODY, True)


@pytest.mark.parametrize(
    "code",
    ["image_dimensions_too_large", "tool_name_conflict", "request_body_encoding_invalid",
    "compaction_incomplete_turn", "thread_not_found", "unsupported_charset", "invalid_metadata"],
)  # fmt: skip
def test_a_code_that_is_about_a_request_blames_the_request(code):
    assert refused(400, "Words", code).whose is RECORD
