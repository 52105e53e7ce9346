"""The scripted faults of message batches: creation, single requests, results, and clocks."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anthropic
import httpx2
import pytest

from rigs.standin_message_batches import (
    FOREVER,
    PATH,
    create,
    ended,
    quick,
    requests,
    results,
    results_by_hand,
)
from rigs.standin_requests import Digest, client, params, post, records
from standin.standin import StandIn


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
        outcomes = results_by_hand(standin, made.id)
        assert {line["custom_id"] for line in standin.billed} == {"run-0", "run-5", "run-6"}
    assert [outcomes[f"run-{n}"]["type"] for n in range(7)] == [
        "succeeded", "expired", "errored", "errored", "a_type_of_the_future", "succeeded",
        "succeeded",
    ]  # fmt: skip
    assert outcomes["run-2"]["error"]["error"]["type"] == "api_error"
    assert outcomes["run-3"]["error"]["error"]["message"] == "too rude"
    with pytest.raises(json.JSONDecodeError):
        json.loads(outcomes["run-5"]["message"]["content"][0]["text"])
    assert (counts.expired, counts.errored, counts.succeeded) == (1, 2, 4)


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
