"""A message batch whose reply was lost is found again; one that never came to be is submitted anew;
nothing is paid twice.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.claude import message_batch_api
from common.claude.retries import Retry
from common.delivery.message_batch import adoption, body
from common.delivery.message_batch import deferred as delivery
from rigs.message_batch_site import (
    CREATE,
    SIZE,
    billed_for,
    calls,
    fill,
    foreign,
    go,
    is_complete,
    sdk,
    standin_db,
    statuses,
    submitted,
)
from standin.fault_kinds import MESSAGE_BATCHES

LOST = ("create_lost", "create_500_made")


def at_create(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "path": MESSAGE_BATCHES, "method": "POST", "times": 1, **more}


@pytest.mark.parametrize("kind", [*LOST, "cut"])
@pytest.mark.parametrize("skew", [0, 600, -600])
def test_one_whose_reply_was_lost_is_adopted(claude, kind, skew):
    faults = [at_create(kind), {"kind": "clock_skew", "seconds": skew}]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert "found again, its reply had been lost" in result.log
    is_complete(site, 20)
    assert calls(site, CREATE) == 1 and submitted(site) == {"collected": 1}


def test_one_that_the_list_shows_late_is_adopted_all_the_same(claude):
    faults = [at_create("create_lost"), {"kind": "list_lag", "seconds": 0.5}]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 4)
    first = go(site, "--wait", "10m")  # which an instant clock spends before the list shows it
    assert first.code in (0, 75), first.log
    while go(site, "--wait", "10m").code == 75:
        pass
    is_complete(site, 20)
    assert calls(site, CREATE) == 1


@pytest.mark.parametrize("kind", ["create_500", "reset", "html", "529", "504"])
def test_one_that_never_came_to_be_is_submitted_anew_after_the_grace(claude, monkeypatch, kind):
    monkeypatch.setattr("common.delivery.deliver.LITTLE", 1)
    site = claude(message_batch_seconds=0, faults=[at_create(kind)])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert "never became a message batch" in result.log
    before = result.log.split("never became")[0]
    assert "looking whether it was made" in before and before.count("submitted, expires") == 0
    looking = sum(result.clock.waits)
    assert looking >= (adoption.GRACE + timedelta(seconds=60)).total_seconds()
    is_complete(site, 20)
    assert calls(site, CREATE) == 2 and submitted(site) == {"void": 1, "collected": 1}


def test_runs_that_do_not_wait_come_to_the_same_end_together(claude, tmp_path):
    def at(minutes: float, *faults: Any) -> Any:
        skew = {"kind": "clock_skew", "seconds": minutes * 60}
        folder = tmp_path / "standin"
        return claude(state=folder, message_batch_seconds=0, faults=[skew, *faults])

    site = at(0, at_create("create_500"))
    fill(site, 4)
    assert go(site, "--wait", "0").code == 75
    for minutes in (10, 16, 16.5):
        at(minutes)
        assert go(site, "--wait", "0").code == 75
        assert statuses(site) == {"done": SIZE, "submitted": 15}
    at(18)
    assert "never became a message batch" in go(site, "--wait", "0").log
    while go(site, "--wait", "20h").code == 75:
        pass
    assert statuses(site) == {"done": 20} and len(billed_for(site)) == 15


@pytest.mark.parametrize("days", [1, 2, 400, -1, -400])
@pytest.mark.parametrize("lag", [0, 0.3])
def test_with_a_clock_of_ours_that_is_days_off_one_whose_reply_was_lost_is_adopted(
    claude, monkeypatch, days, lag
):
    wrong = timedelta(days=days)
    monkeypatch.setattr("common.times.now", lambda: datetime.now(UTC) + wrong)
    faults = [at_create("create_lost"), {"kind": "list_lag", "seconds": lag}]
    site = claude(message_batch_seconds=0, faults=faults)
    site.today = datetime.now(UTC) + timedelta(days=days)
    fill(site, 4)
    while go(site, "--wait", "10m").code == 75:
        pass
    is_complete(site, 20)
    assert calls(site, CREATE) == 1 and submitted(site) == {"collected": 1}


@pytest.mark.parametrize("days", [1, 400, -1])
def test_a_clock_of_ours_that_is_put_right_between_two_runs_drops_no_intent(claude, tmp_path, days):
    folder = tmp_path / "standin"
    lag = {"kind": "list_lag", "seconds": 60}
    site = claude(state=folder, message_batch_seconds=0, faults=[at_create("create_lost"), lag])
    fill(site, 4)
    assert go(site, "--wait", "0").code == 75
    for passed in (days, days + 1, 0):
        site.today = datetime.now(UTC) + timedelta(days=passed)
        assert go(site, "--wait", "0").code == 75
    before = site.billed()
    site = claude(state=folder, message_batch_seconds=0)
    assert go(site).code == 0
    assert statuses(site) == {"done": 20} and len(before + site.billed()) == 4


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "results_short", "lines": 0},
        {"kind": "results_line", "line": "not JSON"},
        {"kind": "results_line", "line": '{"result": {}}'},
        {"kind": "results_line", "line": "[]"},
    ],
    ids=str,
)
def test_one_whose_first_results_name_no_request_may_be_ours_and_nothing_is_sent_again(
    claude, tmp_path, rule
):
    folder = tmp_path / "standin"
    faults = [at_create("create_lost"), rule]
    site = claude(state=folder, message_batch_seconds=0, faults=faults)
    fill(site, 2)
    result = go(site, "--wait", "2h")
    assert result.code in (69, 75) and calls(site, CREATE) == 1, result.log
    site = claude(state=folder, message_batch_seconds=0)
    assert go(site).code == 0 and not site.billed()
    assert statuses(site) == {"done": 10}


def test_where_claude_does_not_say_what_time_it_is_a_run_has_to_wait_for_the_grace(claude):
    site = claude(message_batch_seconds=0, faults=[at_create("create_500"), {"kind": "no_date"}])
    fill(site, 4)
    for days in (0, 400, -400):
        site.today = datetime.now(UTC) + timedelta(days=days)
        result = go(site, "--wait", "10m")
        assert result.code == 75, result.log
        assert "carries Date and request-id" in result.log and "--wait 20m" in result.log
        assert statuses(site) == {"done": SIZE, "submitted": 15}
    result = go(site, "--wait", "20m")
    assert result.code == 0 and "never became a message batch" in result.log, result.log
    assert sum(result.clock.waits) >= adoption.GRACE.total_seconds()
    assert statuses(site) == {"done": 20}


def test_where_claude_does_not_say_what_time_it_is_one_is_found_again_all_the_same(claude):
    site = claude(message_batch_seconds=0, faults=[at_create("create_lost"), {"kind": "no_date"}])
    site.today = datetime.now(UTC) + timedelta(days=9)
    fill(site, 4)
    assert go(site).code == 0
    is_complete(site, 20)


def test_one_that_its_owner_deletes_meanwhile_is_in_nobodys_way(claude, tmp_path):
    faults = [
        at_create("create_500"),
        {"kind": "404", "path": f"{MESSAGE_BATCHES}/{{id}}/results", "times": 1},
    ]
    site = claude(state=tmp_path / "standin", message_batch_seconds=0, faults=faults)
    fill(site, 4)

    def other(number: int) -> None:
        if number == 0:
            foreign(site, 3)
        if number == 2:
            with standin_db(tmp_path / "standin") as db:
                db.execute("delete from message_batches")

    result = go(site, "--wait", "2h", at_wait=other)
    assert result.code == 0 and "whose results cannot be read" in result.log, result.log
    assert "never became a message batch" in result.log
    assert statuses(site) == {"done": 20}


def test_while_somebody_elses_of_the_same_size_is_running_nothing_is_sent_again(claude):
    faults = [at_create("create_500"), {"kind": "stay_in_progress", "times": 1}]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 4)
    ids: list[str] = []

    def other(number: int) -> None:
        if number == 0:
            ids.append(foreign(site, 3))

    result = go(site, "--wait", "2h", at_wait=other)
    assert result.code == 75 and "which is still processing: not sent again yet" in result.log
    assert result.log.count(": not sent again yet") == 1
    assert sum(result.clock.waits) > adoption.GRACE.total_seconds() * 4
    assert statuses(site) == {"done": SIZE, "submitted": 15}
    with sdk(site) as client:
        client.messages.batches.cancel(ids[0])
    while (again := go(site)).code == 75:
        pass
    assert again.code == 0 and "never became a message batch" in again.log
    is_complete(site, 20)


def test_somebody_elses_of_the_same_size_that_has_ended_is_not_adopted(claude):
    site = claude(message_batch_seconds=0, faults=[at_create("create_lost", when={"every": 3})])
    fill(site, 4)
    others = [foreign(site, 3), foreign(site, 3)]

    def other(number: int) -> None:
        if number < 3:  # before its own shows up, which a first look may not yet find ended
            others.append(foreign(site, 3))

    result = go(site, at_wait=other)
    assert result.code == 0, result.log
    assert calls(site, CREATE) == len(others) + 1
    (mine,) = site.ledger("select message_batch_id from message_batches", "labels")
    assert mine[0] not in others
    assert statuses(site) == {"done": 20}
    assert all(times == 1 for times in billed_for(site).values())


def test_two_lost_at_once_are_told_apart(claude, monkeypatch):
    monkeypatch.setattr(body, "MOST_REQUESTS", 3)
    site = claude(message_batch_seconds=0, faults=[at_create("create_lost", times=2)])
    fill(site, 7)
    result = go(site)
    assert result.code == 0, result.log
    assert result.log.count("found again") == 2
    is_complete(site, 35)
    assert calls(site, CREATE) == 2


def test_one_lost_and_one_never_made_are_told_apart(claude, monkeypatch):
    monkeypatch.setattr(body, "MOST_REQUESTS", 3)
    rule = {"cycle": ["create_500", "reset"], **at_create("", times=1)}
    del rule["kind"]
    site = claude(message_batch_seconds=0, faults=[rule, at_create("create_lost")])
    fill(site, 7)
    result = go(site)
    assert result.code == 0, result.log
    assert result.log.count("found again") == 1 and result.log.count("never became") == 1
    is_complete(site, 35)


def test_the_newest_one_of_then_may_be_deleted_meanwhile(claude):
    site = claude(message_batch_seconds=0, faults=[at_create("create_lost", when={"every": 2})])
    fill(site, 4)
    head = foreign(site, 1)
    with sdk(site) as client:
        while client.messages.batches.retrieve(head).processing_status != "ended":
            pass

        def delete(number: int) -> None:
            if number == 0:
                client.messages.batches.delete(head)

        result = go(site, at_wait=delete)
    assert result.code == 0, result.log
    assert calls(site, CREATE) == 2
    assert statuses(site) == {"done": 20} and submitted(site) == {"collected": 1}


def test_while_a_candidate_cannot_be_read_nothing_is_sent_again(claude):
    unreadable = {"kind": "403", "path": f"{MESSAGE_BATCHES}/{{id}}/results"}
    site = claude(message_batch_seconds=0, faults=[at_create("create_lost"), unreadable])
    fill(site, 4)
    result = go(site)
    assert result.code == 77, result.log
    assert go(site).code == 77
    assert statuses(site) == {"done": SIZE, "submitted": 15} and calls(site, CREATE) == 1


@pytest.mark.parametrize("times", [1, 3])
def test_a_refusal_that_surely_made_nothing_is_followed_by_another_try(claude, times):
    site = claude(message_batch_seconds=0, faults=[at_create("429", retry_after=7, times=times)])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert [wait for wait in result.clock.waits if 7 <= wait <= 8] == result.clock.waits[:times]
    is_complete(site, 20)
    assert submitted(site) == {"collected": 1}


def test_it_is_not_tried_for_ever(claude):
    site = claude(message_batch_seconds=0, faults=[at_create("429", retry_after=400, times=None)])
    fill(site, 4)
    result = go(site)
    assert result.code == 69 and "a message batch was not taken" in result.log
    assert sum(result.clock.waits) < 900
    assert statuses(site) == {"done": SIZE, "waiting": 15} and submitted(site) == {"void": 1}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("422", 78), ("400", 78), ("405", 78), ("401", 77), ("402", 77), ("429_spend", 77)],
)
def test_one_that_is_refused_ends_the_run_and_its_records_wait(claude, kind, code):
    site = claude(message_batch_seconds=0, faults=[at_create(kind)])
    fill(site, 4)
    result = go(site)
    assert result.code == code and "a message batch was not taken" in result.log
    assert statuses(site) == {"done": SIZE, "waiting": 15} and submitted(site) == {"void": 1}
    assert go(site).code == 0
    is_complete(site, 20)


def test_where_nobody_listens_any_more_nothing_was_made(claude, monkeypatch):
    """The connection is refused at the very moment of asking."""
    site = claude(message_batch_seconds=0)
    fill(site, 4)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # it never listens
        dead = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        real = message_batch_api.create

        async def create(client, body, size):
            return await real(client.copy(base_url=dead), body, size)

        monkeypatch.setattr(delivery, "create", create)
        result = go(site, retry=Retry(attempts=3))
    assert result.code == 69, result.log
    assert result.log.count("sent again in") == 2
    assert submitted(site) == {"void": 1}
    monkeypatch.setattr(delivery, "create", real)
    assert go(site).code == 0
    is_complete(site, 20)
