"""What a message batch leaves over, and results that are late, broken, foreign, unknown or gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from common.claude.retries import Retry
from common.delivery import deliver
from rigs.bills import usd_of
from rigs.message_batch_site import (
    CREATE,
    EXPIRED,
    RESULTS,
    SIZE,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    sdk,
    spent,
    standin_db,
    statuses,
    submitted,
    tiers,
)
from rigs.own_jobs import labels
from standin.fault_kinds import MESSAGE_BATCHES

STAYS = {"kind": "stay_in_progress", "times": 1}
ONE = f"{MESSAGE_BATCHES}/{{id}}"
LATER = {"kind": "clock_skew", "seconds": 3 * 86_400}  # three days have passed at Claude


def errored(error_type: str, **rule: Any) -> dict[str, Any]:
    return {"kind": "errored", "error_type": error_type, "path": MESSAGE_BATCHES, **rule}


@pytest.mark.parametrize("kind", ["expire", "api_error", "overloaded_error"])
def test_little_that_is_left_over_is_asked_again_live(claude, kind):
    rule = EXPIRED if kind == "expire" else errored(kind)
    site = claude(message_batch_seconds=0, faults=[{**rule, "times": 2}])
    fill(site, 6)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 30)
    assert calls(site, CREATE) == 1
    assert tiers(site).count("standard") == 3


def test_much_that_is_left_over_goes_into_another_message_batch(claude, monkeypatch):
    site = claude(message_batch_seconds=0, faults=[{**EXPIRED, "times": 4}])
    monkeypatch.setattr(deliver, "LITTLE", 3)
    fill(site, 6)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 30)
    assert calls(site, CREATE) == 2 and tiers(site).count("standard") == 1
    assert result.summary["records"] == "30"


def test_canceled_requests_are_dead_letters_until_a_person_sends_them_again(claude):
    site = claude(faults=[STAYS], message_batch_seconds=0)
    fill(site, 4)

    def cancel(number: int) -> None:
        if number == 0:
            with sdk(site) as client:
                client.messages.batches.cancel(client.messages.batches.list().data[0].id)

    result = go(site, "--wait", "9d", at_wait=cancel)
    assert result.code == 3, result.log
    assert "3 requests canceled" in result.log and "--retry-dead sends again" in result.log
    assert "15 records became dead letters" in result.log
    assert statuses(site) == {"done": 5, "dead": 15}
    reasons = site.ledger("select distinct error from records where status = 'dead'", "labels")
    assert reasons == [("canceled with its message batch, by somebody else than this job",)]
    assert go(site).code == 0 and statuses(site) == {"done": 5, "dead": 15}
    assert go(site, "--retry-dead").code == 0
    is_complete(site, 20)


def test_message_batches_that_never_bring_anything_end_the_run(claude, monkeypatch):
    site = claude(message_batch_seconds=0, faults=[EXPIRED])
    monkeypatch.setattr(deliver, "LITTLE", 1)
    fill(site, 5)
    result = go(site)
    assert result.code == 69 and "brought no answer" in result.log
    assert calls(site, CREATE) == 3
    assert statuses(site) == {"done": SIZE, "waiting": 20}


def test_a_request_refused_for_its_content_is_split_live_down_to_the_culprit(claude):
    """Three in three chunks: they stand side by side when they are asked again, and are not a
    systematic fault.
    """
    bad = ["12", "17", "22"]
    refused = [errored("invalid_request_error", when={"record": n}) for n in bad]
    live = [{"kind": "400", "when": {"record": n}} for n in bad]
    site = claude(message_batch_seconds=0, faults=refused + live)
    fill(site, 6)
    result = go(site)
    assert result.code == 3, result.log
    assert statuses(site) == {"done": 27, "dead": 3}
    dead = site.ledger("select record_id from records where status = 'dead'", "labels")
    assert sorted(row[0] for row in dead) == bad
    assert set(billed_for(site).values()) == {1}
    assert go(site).code == 0 and calls(site, CREATE) == 1


def test_a_schema_that_is_refused_shows_live_and_no_message_batch_is_made(claude):
    site = claude(message_batch_seconds=0, faults=[{"kind": "400"}])
    fill(site, 30)
    result = go(site)
    assert result.code == 78 and "no record is blamed" in result.log
    assert calls(site, CREATE) == 0
    assert "dead" not in statuses(site)


def test_an_error_of_the_accounts_ends_the_run_once_all_results_are_stored(claude):
    site = claude(message_batch_seconds=0, faults=[errored("billing_error", times=1)])
    fill(site, 4)
    result = go(site)
    assert result.code == 77 and "billing_error" in result.log
    assert statuses(site) == {"done": 15, "waiting": 5}
    assert go(site).code == 0
    is_complete(site, 20)


def test_a_result_of_an_unknown_kind_is_not_a_success(claude):
    rule = {"kind": "unknown_result", "path": MESSAGE_BATCHES, "times": 2}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert statuses(site) == {"done": 20}
    cost, unsettled = spent(site)
    assert unsettled > 0  # nobody knows whether it was billed
    assert cost == pytest.approx(usd_of(site.billed()))
    assert calls(site, CREATE) == 1  # live, where it cannot come to the same end


@pytest.mark.parametrize("kind", ["results_cut", "html", "529", "reset"])
def test_results_that_break_off_are_fetched_again_and_stored_once(claude, monkeypatch, kind):
    site = claude(
        message_batch_seconds=0, faults=[{"kind": kind, "path": f"{ONE}/results", "times": 3}]
    )
    monkeypatch.setattr("common.delivery.message_batch.download._TOGETHER", 2)
    fill(site, 12)
    result = go(site)
    assert result.code == 0, result.log
    assert calls(site, RESULTS) == 4 and "sent again in" in result.log
    is_complete(site, 60)


def test_what_came_before_results_broke_off_is_kept_and_saved(claude):
    rule = {"kind": "results_cut", "path": f"{ONE}/results"}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 12)
    assert go(site, retry=Retry(attempts=2)).code == 69
    kept = statuses(site)
    assert 5 < kept["done"] < 60 and kept["done"] + kept["submitted"] == 60, kept
    site = claude()  # it has forgotten the message batch, which counts as lost in two days
    assert go(site).code == 78 and statuses(site) == kept


@pytest.mark.parametrize("kind", ["html", "500", "cut"])
def test_a_look_that_fails_is_taken_again(claude, kind):
    rule = {"kind": kind, "path": ONE, "times": 2}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 3)
    result = go(site)
    assert result.code == 0, result.log
    is_complete(site, 15)


def test_results_of_somebody_else_are_left_alone_and_those_that_lack_are_held(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    fill(site, 6)
    assert go(site, "--wait", "0").code == 75
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
        db.execute("delete from requests where number = 0")
        db.execute("update requests set custom_id = 'somebody-else' where number = 1")
    site = claude(state=folder, message_batch_seconds=0)
    assert go(site, retry=Retry(attempts=2)).code == 69
    with standin_db(folder) as db:
        db.execute("update message_batches set ended_at = ended_at - 3 * 86400")
    site = claude(state=folder, message_batch_seconds=0)
    result = go(site)
    assert result.code == 0, result.log
    assert "2 requests without a result: sent again" in result.log
    assert statuses(site) == {"done": 30}
    assert spent(site)[1] > 0


@pytest.mark.parametrize("how", ["deleted", "archived"])
def test_a_message_batch_that_is_gone_is_said_and_sent_anew(claude, tmp_path: Path, how):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    fill(site, 4)
    assert go(site, "--wait", "0").code == 75
    with standin_db(folder) as db:
        if how == "deleted":
            db.execute("delete from message_batches")
        else:
            db.execute("update message_batches set created_at = created_at - 30 * 86400")
    site = claude(state=folder, message_batch_seconds=0, faults=[LATER])
    result = go(site)
    assert result.code == 0, result.log
    assert "is gone" in result.log and "3 requests sent again" in result.log
    assert statuses(site) == {"done": 20} and submitted(site)["gone"] == 1
    assert spent(site)[1] > 0  # it may have been billed, and counts as spent


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("at", ["2026-11-22T02:00:00Z", True, [1]])
def test_one_that_is_archived_too_early_is_held(claude, at, times):
    """A gateway says so, or an account that closes: what is paid for may still come."""
    rule = {"kind": "changed", "path": ONE, "times": times}
    site = claude(message_batch_seconds=0, faults=[{**rule, "fields": {"archived_at": at}}])
    fill(site, 4)
    result = go(site)
    assert result.code == 78 and "is archived, although it is new" in result.log, result.log
    assert "Nothing is sent again for now; after" in result.log
    assert go(site).code == (0 if times else 78)
    assert set(billed_for(site).values()) == {1}


@pytest.mark.parametrize("how", ["404", "results_short"])
def test_where_nobody_knows_how_old_something_is_the_remedy_is_said(claude, how):
    path = ONE if how == "404" else f"{ONE}/results"
    site = claude(
        message_batch_seconds=0, faults=[{"kind": how, "path": path}, {"kind": "no_date"}]
    )
    fill(site, 4)
    result = go(site)
    assert result.code == (78 if how == "404" else 69), result.log
    assert "carries Date and request-id: let your gateway pass them on" in result.log


@pytest.mark.parametrize("days", [0, 3, -3, 400])
def test_one_that_this_key_cannot_see_is_held_whatever_the_clock_of_this_machine_says(
    claude, tmp_path: Path, days
):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    fill(site, 4)
    assert go(site, "--wait", "0").code == 75
    with standin_db(folder) as db:
        db.execute("delete from message_batches")
    site = claude(state=folder, message_batch_seconds=0)
    site.today = datetime.now(UTC) + timedelta(days=days)
    result = go(site)
    assert result.code == 78
    assert "this key cannot see message batch" in result.log
    assert "is it another workspace's? Nothing is sent again for now" in result.log
    assert not site.billed() and submitted(site)["submitted"] == 1


def test_results_that_will_be_gone_are_said_in_time(claude, tmp_path: Path):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    fill(site, 3)
    site.today = datetime.now(UTC) + timedelta(days=20)
    assert "gone in" not in go(site, "--wait", "0").log
    with standin_db(folder) as db:
        db.execute("update message_batches set expires_at = expires_at + 864000")
    site = claude(state=folder, faults=[{**LATER, "seconds": 8 * 86_400}])
    late = go(site, "--wait", "0")
    assert late.code == 75 and "its results are gone in" in late.log


def test_an_unusable_answer_of_a_message_batch_is_asked_again_live(claude):
    faults = [
        {"kind": kind, "path": MESSAGE_BATCHES, "times": 1}
        for kind in ("half_json", "missing_id", "refusal", "max_tokens")
    ]
    site = claude(message_batch_seconds=0, faults=faults)
    fill(site, 8)
    result = go(site)
    assert result.code == 0, result.log
    assert statuses(site) == {"done": 40}
    assert spent(site)[0] == pytest.approx(usd_of(site.billed()))
    assert site.run(labels(), "--message-batch").code == 0
