"""What errored, expired or was canceled in a message batch: told with counts and the first reason,
kept in the ledger, and sent again where that can change anything.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from common.delivery.message_batch.result_lines import read_line
from rigs.harness import Site
from rigs.message_batch_site import (
    CREATE,
    EXPIRED,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    standin_db,
    statuses,
    tiers,
)
from standin.fault_kinds import MESSAGE_BATCHES

STAYS = {"kind": "stay_in_progress", "times": 1}
FINAL = ["invalid_request_error", "request_too_large", "not_found_error", "unheard_of_error"]
PASSING = ["api_error", "overloaded_error", "rate_limit_error", "timeout_error"]


def errored(error_type: str, **rule: Any) -> dict[str, Any]:
    return {
        "kind": "errored",
        "error_type": error_type,
        "message": "the reason in the API's words",
        "path": MESSAGE_BATCHES,
        **rule,
    }


def reasons(site: Site) -> list[tuple[Any, ...]]:
    """Why requests ended without an answer, in the ledger."""
    return site.ledger("select status, error from requests where error is not null", "labels")


@pytest.mark.parametrize("error_type", PASSING)
def test_what_errored_for_nobodys_fault_is_told_of_and_sent_again(claude, error_type):
    site = claude(message_batch_seconds=0, faults=[errored(error_type, times=2)])
    fill(site, 6)
    result = go(site)
    assert result.code == 0, result.log
    line = next(line for line in result.log.splitlines() if "2 requests errored" in line)
    assert " WARN " in line and f"{error_type}: the reason in the API's words" in line
    assert reasons(site) == [("lost", f"{error_type}: the reason in the API's words")] * 2
    is_complete(site, 30)


@pytest.mark.parametrize("error_type", FINAL)
def test_what_sending_anew_cannot_change_goes_live_down_to_a_dead_letter(claude, error_type):
    """Never into another message batch, in this run or in any later one."""
    record = {"record": "18"}
    faults = [errored(error_type, when=record), {"kind": "413", "when": record}]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 30)
    result = go(site)
    assert result.code == 3, result.log
    assert "1 request errored" in result.log and calls(site, CREATE) == 1
    assert statuses(site) == {"done": 149, "dead": 1}
    assert site.ledger("select record_id from records where status = 'dead'", "labels") == [("18",)]
    assert ("failed", f"{error_type}: the reason in the API's words") in reasons(site)
    assert go(site).code == 0 and calls(site, CREATE) == 1
    assert set(billed_for(site).values()) == {1}


def test_what_expired_is_told_of_waits_and_is_sent_again(claude):
    site = claude(message_batch_seconds=0, faults=[{**EXPIRED, "times": 3}])
    fill(site, 6)
    result = go(site)
    assert result.code == 0, result.log
    assert (
        "3 requests expired (the first: expired: not processed in time): sent again" in result.log
    )
    assert reasons(site) == [("lost", "expired: not processed in time")] * 3
    is_complete(site, 30)


def test_each_kind_is_counted_in_one_line(claude):
    faults = [{**EXPIRED, "times": 2}, errored("api_error", times=1)]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 6)
    result = go(site)
    assert result.code == 0, result.log
    lines = [line for line in result.log.splitlines() if "2 requests expired" in line]
    assert len(lines) == 1 and "1 request errored" in lines[0]


def test_what_was_canceled_in_part_leaves_what_was_done(claude, tmp_path: Path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    fill(site, 6)
    assert go(site, "--wait", "0").code == 75
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
        line = json.dumps({"result": {"type": "canceled"}})
        db.execute(
            "update requests set outcome = 'canceled',"
            " line = json_set(?, '$.custom_id', custom_id) where number in (0, 3)",
            (line,),
        )
    site = claude(state=folder, message_batch_seconds=0)
    result = go(site)
    assert result.code == 3, result.log
    assert "2 requests canceled" in result.log and calls(site, CREATE) == 0
    assert statuses(site) == {"done": 20, "dead": 10}
    again = go(site, "--retry-dead")
    assert again.code == 0, again.log
    assert statuses(site) == {"done": 30} and set(billed_for(site).values()) == {1}
    assert set(tiers(site)[-2:]) == {"standard"}


def test_no_depth_of_nesting_breaks_the_reading_of_a_line():
    for depth in range(850, 1100):
        message: dict[str, Any] = {
            "type": "message",
            "content": [],
            "stop_reason": None,
            "x": "DEEP",
        }
        line = json.dumps({"custom_id": "r", "result": {"type": "succeeded", "message": message}})
        assert read_line(line.replace('"DEEP"', "[" * depth + "]" * depth).encode())
        unknown = json.dumps({"custom_id": "r", "result": {"type": "DEEP"}})
        assert read_line(unknown.replace('"DEEP"', "[" * depth + "]" * depth).encode())


@pytest.mark.parametrize("depth", [900, 930, 950, 960, 970, 975, 980, 985, 990, 995])
def test_an_answer_nested_as_deeply_as_can_just_be_read_breaks_no_run(claude, depth):
    deep = "[" * depth + "]" * depth
    message = '{"type": "message", "content": [], "stop_reason": null, "usage": {}, "x": %s}'
    line = '{"custom_id": "ID", "result": {"type": "succeeded", "message": %s}}'
    rule = {"kind": "results_line", "line": line.replace("%s", message.replace("%s", deep))}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log[-3000:]
    assert statuses(site) == {"done": 20}
