"""Triage decides: what becomes of each record, what is asked again, and when the run ends.

No database here.
"""

from __future__ import annotations

import pytest

from common.claude.faults import Fault, Kind
from common.claude.request import Outcome, Request
from common.delivery.triage import Reading, Seen, Verdict, triage
from common.ledger.states import RequestStatus
from common.tally import Tally

CUT_OFF = Fault(Kind.UNUSABLE, "cut off (max_tokens)")
REFUSAL = Fault(Kind.REFUSAL, "refused (cyber)")
REJECTED = Fault(Kind.REJECTED, "400 invalid_request_error: no")


def request(*record_ids: str, number: int = 1, whole: bool = True) -> Request:
    records = [{"record_id": record_id} for record_id in record_ids]
    return Request(f"run-{number}", {}, [*records], f"chunk {number}/9", number=number, whole=whole)


def answered(asked: Request, seen: Seen | None = None, **faults: Fault) -> Verdict:
    """The verdict on an answer with outputs for all records but those with faults."""
    outputs: dict[str, str | None] = {name: "{}" for name in asked.record_ids if name not in faults}
    outcome = Outcome(asked, "{}", {}, attempts=1)
    return triage(outcome, Reading(outputs, faults), seen or Seen())


def unanswered(asked: Request, fault: Fault | None, seen: Seen | None = None) -> Verdict:
    outcome = Outcome(asked, fault=fault, attempts=2, unsettled_usd=0.5)
    return triage(outcome, None, seen or Seen())


def groups(verdict: Verdict) -> tuple[list[str], list[str], list[str], list[str]]:
    return [*verdict.done], [*verdict.failed], [*verdict.dead], [*verdict.waiting]


def asked_again(verdict: Verdict) -> list[tuple[list[str], int]]:
    return [([one["record_id"] for one in again.records], again.room) for again in verdict.again]


def test_an_answer_with_all_outputs_ends_its_request_and_all_of_its_records():
    verdict = answered(request("a", "b"))
    assert verdict.status is RequestStatus.DONE
    assert groups(verdict) == (["a", "b"], [], [], [])
    assert not verdict.again and not verdict.stop and verdict.attempts is None


@pytest.mark.parametrize("record_ids", ["a", "abc"])
def test_what_a_room_lowered_for_a_cap_cut_off_is_asked_again_with_the_usual_room(record_ids):
    """As often as it takes: it is a failure of nobody, and three in a row say nothing."""
    seen = Seen()
    for number in range(1, 9):
        asked = request(*record_ids, number=number)
        asked.lowered = True
        outcome = Outcome(asked, "{}", {"stop_reason": "max_tokens"}, attempts=1)
        verdict = triage(outcome, Reading(faults=dict.fromkeys(record_ids, CUT_OFF)), seen)
        seen.note(verdict)
        assert groups(verdict) == ([], [*record_ids], [], []) and not verdict.stop
        assert not verdict.alone and asked_again(verdict) == [([*record_ids], 1)]
        assert all(again.full_room and again.whole for again in verdict.again)
    assert not seen.failed_chunks and not seen.failed_alone


def test_records_without_an_output_are_asked_again_in_halves():
    verdict = answered(request(*"abcde"), a=CUT_OFF, c=CUT_OFF, e=CUT_OFF)
    assert verdict.status is RequestStatus.DONE and verdict.reason == CUT_OFF.reason
    assert groups(verdict) == (["b", "d"], ["a", "c", "e"], [], [])
    assert asked_again(verdict) == [(["a", "c"], 1), (["e"], 1)]
    assert {again.label for again in verdict.again} == {"chunk 1/9 (part)"}
    assert not any(again.whole for again in verdict.again)


def test_a_record_alone_is_asked_three_times_with_more_room_each_time_and_then_is_dead():
    seen, rooms = Seen(), []
    for time in (1, 2, 3):
        verdict = answered(request("a", whole=False), seen, a=CUT_OFF)
        seen.note(verdict)
        assert verdict.status is RequestStatus.FAILED and verdict.alone
        assert groups(verdict) == ([], ["a"], [], []) if time < 3 else ([], [], ["a"], [])
        rooms += [room for _, room in asked_again(verdict)]
    assert rooms == [2, 4]


@pytest.mark.parametrize("fault", [REFUSAL, REJECTED])
def test_what_asking_again_cannot_change_makes_a_record_alone_dead_at_once(fault):
    verdict = answered(request("a"), a=fault)
    assert groups(verdict) == ([], [], ["a"], []) and not verdict.again
    assert verdict.dead == {"a": fault.reason}


def test_a_request_that_is_refused_blames_its_records_and_says_what_it_can_have_cost():
    verdict = unanswered(request("a", "b"), REJECTED)
    assert verdict.status is RequestStatus.FAILED and verdict.reason == REJECTED.reason
    assert groups(verdict) == ([], ["a", "b"], [], [])
    assert (verdict.attempts, verdict.unsettled_usd) == (2, 0.5)
    assert asked_again(verdict) == [(["a"], 1), (["b"], 1)]


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(Kind.REFUSED, "401 authentication_error: no"), 77, "401 authentication_error: no"),
        (Fault(Kind.NOT_FOUND, "404 not_found_error: x"), 78, "404 not_found_error: x"),
        (Fault(Kind.UNREACHABLE, "529 overloaded"), 69, "Claude could not be reached: 529"),
        (Fault(Kind.CAPPED, "cost cap: $1"), 4, "cost cap: $1; the rest waits"),
    ],
)
def test_a_fault_that_is_not_the_records_ends_the_run_and_its_records_wait(fault, code, words):
    verdict = unanswered(request("a", "b"), fault)
    assert verdict.status is RequestStatus.LOST
    assert groups(verdict) == ([], [], [], ["a", "b"])
    assert verdict.stop is not None and verdict.stop.code == code
    assert words in verdict.stop.message


@pytest.mark.parametrize("fault", [None, Fault(Kind.STOPPED, "stopped before it was sent")])
def test_a_request_that_was_not_sent_or_not_waited_for_only_waits(fault):
    verdict = unanswered(request("a"), fault)
    assert groups(verdict) == ([], [], [], ["a"]) and verdict.stop is None


def test_three_whole_chunks_in_a_row_with_one_reason_end_the_run_and_blame_nobody():
    seen, tally = Seen(), Tally()
    # In the order in which they came back, which is not that of sending.
    for number in (3, 1, 2):
        verdict = unanswered(request(f"a{number}", f"b{number}", number=number), REJECTED, seen)
        seen.note(verdict)
        tally.apply([verdict])
        assert bool(verdict.stop) == (number == 2)
    assert verdict.stop is not None and verdict.stop.code == 1
    assert "so no record is blamed: 400 invalid_request_error: no" in verdict.stop.message
    assert not verdict.again
    assert sorted(verdict.forgiven) == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert not tally.failed and not tally.dead


def test_dead_letters_are_taken_back_by_id_when_the_job_turns_out_to_be_at_fault():
    seen, tally = Seen(), Tally()
    tally.died("old", REJECTED.reason)  # the same words, another story
    for number in (1, 2, 3):
        verdict = unanswered(request(f"a{number}", number=number), REJECTED, seen)
        seen.note(verdict)
        tally.apply([verdict])
    assert verdict.stop and tally.dead == {"old": REJECTED.reason}


def test_chunks_with_a_gap_or_with_different_reasons_are_no_row():
    for story in (
        [(1, REJECTED), (2, REJECTED), (4, REJECTED)],
        [(1, REJECTED), (2, Fault(Kind.REJECTED, "413 too large")), (3, REJECTED)],
    ):
        seen = Seen()
        for number, fault in story:
            verdict = unanswered(request("a", "b", number=number), fault, seen)
            seen.note(verdict)
            assert not verdict.stop


def test_parts_of_chunks_and_refusals_of_single_records_say_nothing_about_others():
    seen = Seen()
    for number in (1, 2, 3, 4):
        seen.note(unanswered(request("a", "b", number=number, whole=False), REJECTED, seen))
        seen.note(answered(request("c", number=number), seen, c=REFUSAL))
    assert not seen.failed_chunks


def test_a_merge_is_about_no_record_and_stays_answered_for_whoever_asked_for_it():
    merge = Request("merge-2026-11-21", {})
    assert triage(Outcome(merge, "{}", {}), Reading(), Seen()).status is RequestStatus.ANSWERED
    refused = unanswered(merge, REJECTED)
    assert refused.status is RequestStatus.FAILED and not refused.again and not refused.stop
