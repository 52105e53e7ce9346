"""Message batches: created, processed, listed, cancelled, deleted, and kept over a restart."""

import json
from datetime import timedelta
from pathlib import Path

import anthropic
import pytest

from rigs.standin_message_batches import (
    FOREVER,
    PATH,
    create,
    ended,
    quick,
    requests,
    results,
)
from rigs.standin_requests import post, refusal, serving, text_of


def test_a_message_batch_lives_from_creation_to_deletion() -> None:
    with serving(message_batch_seconds=0.2) as (standin, claude):
        made = create(claude, requests(30))
        assert made.processing_status == "in_progress"
        assert made.request_counts.processing == 30
        assert made.results_url is None
        assert made.expires_at - made.created_at == timedelta(hours=24)
        with pytest.raises(anthropic.AnthropicError, match="results_url"):
            claude.messages.batches.results(made.id)
        assert post(standin, b"", f"{PATH}/{made.id}/results", "GET")[0] == 404
        done = ended(claude, made.id)
        assert done.request_counts.succeeded == 30
        assert done.request_counts.processing == 0
        assert done.ended_at is not None
        outcomes = results(claude, made.id)
        assert set(outcomes) == {f"run-{n}" for n in range(30)}
        message = outcomes["run-7"].message
        assert message.usage.service_tier == "batch"
        assert text_of(message)
        assert claude.messages.batches.delete(made.id).type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            claude.messages.batches.retrieve(made.id)


def test_nothing_shows_before_the_whole_has_ended() -> None:
    with serving(message_batch_seconds=0.3) as (standin, claude):
        made = create(claude, requests(30))
        while not standin.billed:
            counts = claude.messages.batches.retrieve(made.id).request_counts
        counts = claude.messages.batches.retrieve(made.id).request_counts
        assert counts.processing in (30, 0)
        assert ended(claude, made.id).request_counts.succeeded == 30


def test_results_come_in_another_order() -> None:
    with quick() as (_, claude):
        made = create(claude, requests(50))
        ended(claude, made.id)
        order = [line.custom_id for line in claude.messages.batches.results(made.id)]
    assert order != [f"run-{n}" for n in range(50)]
    assert sorted(order) == sorted(f"run-{n}" for n in range(50))


def test_the_results_file_has_one_line_each_and_no_blank_ones() -> None:
    with quick() as (standin, claude):
        made = create(claude, requests(3))
        url = ended(claude, made.id).results_url
        assert url == f"{standin.url}{PATH}/{made.id}/results"
        _, headers, content = post(standin, b"", f"{PATH}/{made.id}/results", "GET")
    assert int(headers["content-length"]) == len(content)
    assert [set(json.loads(line)) for line in content.split(b"\n")[:-1]] == [
        {"custom_id", "result"}
    ] * 3
    assert content.endswith(b"}\n")


def test_each_request_is_billed_once_at_the_price_of_message_batches() -> None:
    with quick() as (standin, claude):
        made = create(claude, requests(25))
        ended(claude, made.id)
        outcomes = results(claude, made.id)
        bills = {line["custom_id"]: line for line in standin.billed}
    assert len(bills) == 25
    for custom_id, result in outcomes.items():
        assert bills[custom_id]["id"] == result.message.id
        assert bills[custom_id]["tier"] == "batch"
        assert bills[custom_id]["output_tokens"] == result.message.usage.output_tokens


def test_params_are_checked_later_and_end_as_errored_results() -> None:
    wanted = requests(7)
    wanted[0]["params"]["temperature"] = 0
    wanted[1]["params"]["model"] = "claude-nobody"
    wanted[2]["params"] = {}
    wanted[3]["params"]["stream"] = True
    wanted[4]["params"]["max_tokens"] = 0
    wanted[5]["params"]["thinking"] = {"type": "between_tools"}
    with quick() as (standin, claude):
        made = create(claude, wanted)
        done = ended(claude, made.id)
        outcomes = results(claude, made.id)
        assert len(standin.billed) == 1
    assert (done.request_counts.errored, done.request_counts.succeeded) == (6, 1)
    errors = [outcomes[f"run-{n}"].error for n in range(6)]
    assert errors[0].error.message == "temperature: Extra inputs are not permitted"
    assert [error.error.type for error in errors] == [
        "invalid_request_error", "not_found_error", *["invalid_request_error"] * 4
    ]  # fmt: skip
    assert all(error.request_id for error in errors)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "valid dictionary"),
        ({}, "requests: Field required"),
        ({"requests": []}, "at least 1 item"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
        ({"requests": [{"params": {}}]}, "requests.0.custom_id"),
        ({"requests": [{"custom_id": "a", "params": {}, "name": 1}]}, "requests.0.name: Extra"),
        ({"requests": [{"custom_id": "a", "params": {}}], "name": 1}, "name: Extra inputs"),
        ({"requests": [{"custom_id": "a", "params": {}}] * 2}, "requests.1.custom_id: 'a' is not"),
    ],
)
def test_what_the_api_checks_at_once_is_refused_at_once(body, words) -> None:
    with quick() as (standin, _):
        assert words in refusal(standin, body, PATH)


def test_more_than_100_000_requests_are_refused_at_once() -> None:
    requests = [{"custom_id": str(n), "params": {}} for n in range(100_001)]
    with quick() as (standin, _):
        assert "at most 100000" in refusal(standin, {"requests": requests}, PATH)


@pytest.mark.parametrize("custom_id", ["", "a b", "a/b", "ä", "a\n", "x" * 65, 7])
def test_a_custom_id_must_fit_its_pattern(custom_id) -> None:
    with quick() as (standin, _):
        wanted = {"requests": [{"custom_id": custom_id, "params": {}}]}
        assert "should match pattern" in refusal(standin, wanted, PATH)


def test_a_message_batch_may_be_larger_than_a_message() -> None:
    with quick() as (standin, claude):
        made = create(claude, requests(20, system="x" * (2 << 20)))
        assert ended(claude, made.id).request_counts.succeeded == 20
        assert len(standin.billed) == 20


def test_the_list_is_newest_first_in_pages() -> None:
    with serving(faults=[FOREVER]) as (standin, claude):
        made = [create(claude, requests(1)).id for _ in range(25)]
        assert [listed.id for listed in claude.messages.batches.list(limit=4)] == made[::-1]
        first = claude.messages.batches.list()
        assert len(first.data) == 20
        assert first.has_more
        assert first.last_id == made[5]
        rest = claude.messages.batches.list(after_id=first.last_id)
        assert [listed.id for listed in rest.data] == made[4::-1]
        assert not rest.has_more
        newer = claude.messages.batches.list(before_id=made[20], limit=2)
        assert [listed.id for listed in newer.data] == [made[22], made[21]]
        assert newer.has_more
        for query in ("limit=0", "limit=1001", "limit=x", "after_id=msgbatch_none"):
            assert post(standin, b"", f"{PATH}?{query}", "GET")[0] == 400


def test_an_empty_list_is_a_page() -> None:
    with quick() as (_, claude):
        page = claude.messages.batches.list()
    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)


def test_cancelling_keeps_and_bills_what_was_finished() -> None:
    with serving(message_batch_seconds=1.0) as (standin, claude):
        made = create(claude, requests(100))
        while not standin.billed:
            claude.messages.batches.retrieve(made.id)
        cancelled = claude.messages.batches.cancel(made.id)
        assert cancelled.processing_status == "canceling"
        assert cancelled.cancel_initiated_at is not None
        assert claude.messages.batches.cancel(made.id).processing_status == "canceling"
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.batches.delete(made.id)
        done = ended(claude, made.id)
        outcomes = results(claude, made.id)
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.batches.cancel(made.id)
        finished = {line["custom_id"] for line in standin.billed}
    assert done.request_counts.canceled > 0
    assert done.request_counts.succeeded == len(finished) > 0
    assert {name for name, result in outcomes.items() if result.type == "succeeded"} == finished
    assert {result.type for result in outcomes.values()} == {"succeeded", "canceled"}


def test_what_takes_too_long_expires() -> None:
    with quick(faults=[FOREVER], message_batch_expiry=0.2) as (standin, claude):
        made = create(claude, requests(3))
        done = ended(claude, made.id)
        assert {result.type for result in results(claude, made.id).values()} == {"expired"}
        assert standin.billed == []
    assert done.request_counts.expired == 3


def test_a_restarted_stand_in_knows_its_message_batches(tmp_path: Path) -> None:
    with quick(state=tmp_path) as (first, claude):
        done = create(claude, requests(3, system="x"))
        ended(claude, done.id)
        before = results(claude, done.id)
        billed = first.billed
    with quick(state=tmp_path) as (second, claude):
        again = claude.messages.batches.retrieve(done.id)
        assert again.results_url == f"{second.url}{PATH}/{done.id}/results"
        after = results(claude, done.id)
        assert second.billed == []
    assert len(billed) == 3
    assert {name: result.message.id for name, result in before.items()} == {
        name: result.message.id for name, result in after.items()
    }


def test_a_restarted_stand_in_goes_on_where_it_was(tmp_path: Path) -> None:
    with serving(state=tmp_path, message_batch_seconds=1.0) as (first, claude):
        made = create(claude, requests(100))
        while not first.billed:
            claude.messages.batches.retrieve(made.id)
    billed = [line["custom_id"] for line in first.billed]
    assert len(billed) < 100
    with serving(state=tmp_path) as (second, claude):
        assert ended(claude, made.id).request_counts.succeeded == 100
        billed += [line["custom_id"] for line in second.billed]
    assert sorted(billed) == sorted(f"run-{n}" for n in range(100))


def test_without_state_a_restart_forgets() -> None:
    with quick() as (_, claude):
        made = create(claude, requests(1))
    with quick() as (_, claude), pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(made.id)
