"""Message batches: made, processed, ended, listed, cancelled, deleted, and kept over a restart."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types.messages import MessageBatch

from rigs.standin_requests import Digest, client, params, post, records, refusal, serving, text_of
from standin.standin import StandIn

PATH = "/v1/messages/batches"
FOREVER = {"kind": "stay_in_progress"}


def requests(number: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"custom_id": f"run-{n}", "params": params(f"Message {n}", **more)} for n in range(number)
    ]


def create(claude: anthropic.Anthropic, wanted: Any) -> MessageBatch:
    made: MessageBatch = claude.messages.batches.create(requests=wanted)
    return made


def ended(claude: anthropic.Anthropic, message_batch_id: str) -> MessageBatch:
    """The message batch once it has ended, asked for until then."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found: MessageBatch = claude.messages.batches.retrieve(message_batch_id)
        if found.processing_status == "ended":
            return found
    raise AssertionError("the message batch did not end")


def results(claude: anthropic.Anthropic, message_batch_id: str) -> dict[str, Any]:
    lines = list(claude.messages.batches.results(message_batch_id))
    assert len({line.custom_id for line in lines}) == len(lines)
    return {line.custom_id: line.result for line in lines}


def quick(**more: Any) -> Any:
    return serving(message_batch_seconds=0.0, **more)


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
        found = results(claude, made.id)
        assert set(found) == {f"run-{n}" for n in range(30)}
        message = found["run-7"].message
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
        found = results(claude, made.id)
        bills = {line["custom_id"]: line for line in standin.billed}
    assert len(bills) == 25
    for custom_id, result in found.items():
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
        found = results(claude, made.id)
        assert len(standin.billed) == 1
    assert (done.request_counts.errored, done.request_counts.succeeded) == (6, 1)
    errors = [found[f"run-{n}"].error for n in range(6)]
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
        (
            {"requests": [{"custom_id": str(n), "params": {}} for n in range(100_001)]},
            "at most 100000",
        ),
    ],
)
def test_what_the_api_checks_at_once_is_refused_at_once(body, words) -> None:
    with quick() as (standin, _):
        assert words in refusal(standin, body, PATH)


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
        assert [found.id for found in claude.messages.batches.list(limit=4)] == made[::-1]
        first = claude.messages.batches.list()
        assert len(first.data) == 20
        assert first.has_more
        assert first.last_id == made[5]
        rest = claude.messages.batches.list(after_id=first.last_id)
        assert [found.id for found in rest.data] == made[4::-1]
        assert not rest.has_more
        newer = claude.messages.batches.list(before_id=made[20], limit=2)
        assert [found.id for found in newer.data] == [made[22], made[21]]
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
        found = results(claude, made.id)
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.batches.cancel(made.id)
        finished = {line["custom_id"] for line in standin.billed}
    assert done.request_counts.canceled > 0
    assert done.request_counts.succeeded == len(finished) > 0
    assert {name for name, result in found.items() if result.type == "succeeded"} == finished
    assert {result.type for result in found.values()} == {"succeeded", "canceled"}


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


# Faults.


@pytest.mark.parametrize(
    ("kind", "error", "made"),
    [
        ("create_lost", anthropic.APIConnectionError, 1),
        ("create_500_made", anthropic.InternalServerError, 1),
        ("create_500", anthropic.InternalServerError, 0),
        ("cut", anthropic.APIConnectionError, 1),
        ("reset", anthropic.APIConnectionError, 0),
        ("529", anthropic.OverloadedError, 0),
    ],
)
def test_a_creation_can_fail_with_and_without_a_message_batch(kind, error, made) -> None:
    with quick(faults=[{"kind": kind, "path": PATH, "times": 1}]) as (_, claude):
        with pytest.raises(error):
            create(claude, requests(2))
        assert len(claude.messages.batches.list().data) == made
        create(claude, requests(2))
        assert len(claude.messages.batches.list().data) == made + 1


def test_the_results_can_be_cut_half_way_and_fetched_again() -> None:
    with quick(faults=[{"kind": "results_cut", "times": 1}]) as (_, claude):
        made = create(claude, requests(40))
        ended(claude, made.id)
        seen: list[str] = []
        with pytest.raises((httpx2.RemoteProtocolError, json.JSONDecodeError)):
            seen.extend(line.custom_id for line in claude.messages.batches.results(made.id))
        assert len(results(claude, made.id)) == 40


def test_single_requests_can_expire_err_and_be_of_unknown_outcome() -> None:
    rules = [
        {"kind": "expire", "when": {"contains": "Message 1"}, "times": 1},
        {"kind": "errored", "when": {"contains": "run-2"}, "error_type": "api_error"},
        {"kind": "errored", "when": {"contains": "run-3"}, "message": "too rude"},
        {"kind": "unknown_result", "when": {"contains": "run-4"}},
        {"kind": "half_json", "path": PATH, "when": {"contains": "run-5"}},
    ]
    with quick(faults=rules) as (standin, claude):
        made = create(claude, requests(7, output_config=params("", Digest)["output_config"]))
        counts = ended(claude, made.id).request_counts
        found = results_by_hand(standin, made.id)
        assert {line["custom_id"] for line in standin.billed} == {"run-0", "run-5", "run-6"}
    assert [found[f"run-{n}"]["type"] for n in range(7)] == [
        "succeeded", "expired", "errored", "errored", "a_type_of_the_future", "succeeded",
        "succeeded",
    ]  # fmt: skip
    assert found["run-2"]["error"]["error"]["type"] == "api_error"
    assert found["run-3"]["error"]["error"]["message"] == "too rude"
    with pytest.raises(json.JSONDecodeError):
        json.loads(found["run-5"]["message"]["content"][0]["text"])
    assert (counts.expired, counts.errored, counts.succeeded) == (1, 2, 4)


def results_by_hand(standin: StandIn, message_batch_id: str) -> dict[str, Any]:
    _, _, content = post(standin, b"", f"{PATH}/{message_batch_id}/results", "GET")
    lines = [json.loads(line) for line in content.decode().splitlines()]
    return {line["custom_id"]: line["result"] for line in lines}


def test_a_share_of_the_requests_can_expire() -> None:
    with quick(faults=[{"kind": "expire", "when": {"share": 0.5, "seed": 3}}]) as (_, claude):
        made = create(claude, requests(100))
        assert 30 < ended(claude, made.id).request_counts.expired < 70


def test_a_poison_record_is_found_in_a_message_batch_too() -> None:
    rules = [{"kind": "errored", "when": {"record": "2"}}]
    wanted = [{"custom_id": "a", "params": params(records("x", "y"), Digest)}]
    with quick(faults=rules) as (_, claude):
        made = create(claude, wanted)
        assert ended(claude, made.id).request_counts.errored == 1


def test_a_message_batch_can_stay_in_progress_until_it_is_cancelled() -> None:
    with quick(faults=[FOREVER | {"times": 1}]) as (_, claude):
        stuck, other = create(claude, requests(2)), create(claude, requests(2))
        ended(claude, other.id)
        assert claude.messages.batches.retrieve(stuck.id).processing_status == "in_progress"
        claude.messages.batches.cancel(stuck.id)
        assert ended(claude, stuck.id).request_counts.canceled == 2


def test_a_new_message_batch_can_be_late_in_the_list() -> None:
    with quick(faults=[{"kind": "list_lag", "seconds": 0.5}]) as (_, claude):
        made = create(claude, requests(1))
        begin = time.monotonic()
        assert claude.messages.batches.list().data == []
        assert claude.messages.batches.retrieve(made.id).id == made.id
        while not claude.messages.batches.list().data:
            assert time.monotonic() < begin + 10
        assert time.monotonic() - begin > 0.3


def test_the_servers_clock_can_be_wrong() -> None:
    with quick(faults=[{"kind": "clock_skew", "seconds": -3600}]) as (_, claude):
        made = create(claude, requests(1))
        assert ended(claude, made.id).ended_at is not None
    behind = datetime.now(UTC) - made.created_at
    assert timedelta(minutes=59) < behind < timedelta(minutes=61)


def test_results_are_gone_29_days_after_creation(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    with quick(state=tmp_path) as (_, claude):
        made = create(claude, requests(1))
        ended(claude, made.id)
    with closing(sqlite3.connect(tmp_path / "message_batches.db")) as db, db:
        db.execute("update message_batches set created_at = created_at - 30 * 86400")
    with StandIn(state=tmp_path) as standin, client(standin) as claude:
        old = claude.messages.batches.retrieve(made.id)
        assert old.archived_at is not None
        assert old.results_url is None
        assert post(standin, b"", f"{PATH}/{made.id}/results", "GET")[0] == 404
