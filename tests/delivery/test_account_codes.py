"""What is about the account, by its code, ends the run and blames no record, on whatever call."""

from __future__ import annotations

import pytest

from rigs.message_batch_site import CREATE, LIST, calls, fill, go
from rigs.own_jobs import labels
from rigs.report_site import events, requests_sent
from standin.fault_kinds import MESSAGE_BATCHES

DAY = "2026-11-21"
ELSEWHERE = [
    "workspace_human_review_disabled",
    "claude_code_key_creator_not_member",
    "organization_type_not_supported",
    "human_review_not_available",
    "workspace_policy_violation",
]
CODES = [
    *ELSEWHERE,
    "organization_on_hold",
    "cmek_key_disabled",
    "user_profile_required",
    "linked_organization_billing_unavailable",
    "workspace_suspended_in_2027",
]
BLAMED = "select count(*) from records where status in ('failed', 'dead')"


def refusal(code, **rule):
    return {"kind": "400", "error_code": code, "message": "Not here.", **rule}


@pytest.mark.parametrize("code", ELSEWHERE)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_message_batches_that_a_workspace_does_not_have_are_told_of_with_the_remedy(
    claude, code, method
):
    site = claude(faults=[refusal(code, path=MESSAGE_BATCHES, method=method)])
    fill(site, 14)
    result = go(site)
    assert result.code == 77, result.log
    assert (
        "message batches are not available in this workspace: run with --live, or use another"
        " workspace (400 invalid_request_error: Not here.)"
    ) in result.log
    assert "Traceback" not in result.log
    assert calls(site, CREATE) + calls(site, LIST) <= 2
    assert site.ledger(BLAMED, "labels") == [(0,)]
    assert go(site, by="--live").code == 0


@pytest.mark.parametrize("code", CODES)
def test_a_request_that_is_refused_for_the_account_blames_no_record(claude, code):
    site = claude(faults=[refusal(code)])
    site.events(events(DAY, 4))
    result = site.run(labels())
    assert result.code == 77, result.log
    assert "Not here." in result.log
    assert requests_sent(site) == 1
    assert site.ledger(BLAMED, "labels") == [(0,)]


@pytest.mark.parametrize("code", CODES)
def test_a_question_about_the_model_that_is_refused_for_the_account_sends_nothing(claude, code):
    site = claude(faults=[refusal(code, path="/v1/models/{id}")])
    site.events(events(DAY, 4))
    result = site.run(labels())
    assert result.code == 77, result.log
    assert requests_sent(site) == 0


@pytest.mark.parametrize("code", CODES)
def test_results_that_errored_for_the_account_blame_no_record(claude, code):
    rule = {"kind": "errored", "message": "Not here.", "error_code": code}
    site = claude(faults=[rule], message_batch_seconds=0.0)
    fill(site, 14)
    result = go(site)
    assert result.code == 77, result.log
    assert "Not here." in result.log
    assert site.ledger(BLAMED, "labels") == [(0,)]
    assert requests_sent(site) == 1
