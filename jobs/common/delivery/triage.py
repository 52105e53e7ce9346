"""Triage: what to do about a request that ended, and about each of its records. It only decides.

A chunk of several records without outputs is split in half until the culprit stands alone. Alone:
what asking again cannot change is a dead letter at once, and the rest is asked up to three times.
Three whole chunks that fail in a row with the same reason are not three bad records, nor are a
first chunk and both its halves: the run ends and blames none. A record that a function of the job's
failed for is a dead letter, whatever came with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from common.claude.faults import Fault, Kind, Whose
from common.claude.request import Outcome, Request
from common.job import Record
from common.ledger.states import Ending, RequestStatus
from common.process import exits
from common.process.exits import JobExit

ASKED_ALONE = 3  # how often a record is asked alone before it is a dead letter
CHUNKS_IN_A_ROW = 3


@dataclass(frozen=True)
class Reading:
    """What an answer was good for: outputs (JSON, or None) and faults, both by record id."""

    outputs: dict[str, str | None] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)


@dataclass(frozen=True)
class AskAgain:
    """Records to be asked again together; `room` times the usual room for the answer."""

    records: list[Record]
    label: str
    whole: bool = False
    room: int = 1
    # Its max_tokens is not lowered near a cost cap.
    full_room: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict(Ending):
    """How a request ended, what is asked again of it, and whether the run ends with it."""

    request: Request
    again: Sequence[AskAgain] = ()
    how: str = "in smaller chunks"
    stop: JobExit | None = None
    # It was a whole chunk, and not one of its records got an output.
    failed_chunk: bool = False
    # It was a part of one, and all of its records failed for its reason.
    failed_part: bool = False


@dataclass
class Seen:
    """What a run has seen so far, as far as its next verdicts depend on it."""

    failed_alone: Counter[str] = field(default_factory=Counter)  # times, by record id
    failed_chunks: dict[int, Verdict] = field(default_factory=dict)  # whole ones, by number
    failed_parts: defaultdict[int, list[Verdict]] = field(default_factory=lambda: defaultdict(list))
    any_done: bool = False
    # Whether an answer to this version of the job was ever of use; None: nobody has looked.
    proven: bool | None = None

    def note(self, verdict: Verdict) -> None:
        """Remember a verdict."""
        if verdict.done:
            self.any_done = True
            self.failed_chunks.pop(verdict.request.number, None)
        if verdict.failed_part and not self.any_done:
            self.failed_parts[verdict.request.number].append(verdict)
        if verdict.failed_chunk:
            self.failed_chunks[verdict.request.number] = verdict
        if verdict.alone:
            self.failed_alone.update([*verdict.failed, *verdict.dead])


def triage(outcome: Outcome, reading: Reading | None, seen: Seen) -> Verdict:
    """The verdict on a request that ended.

    `reading`: what its answer was good for, if it has one.
    """
    fault = outcome.fault
    if reading is not None and outcome.cut_off_by_a_cap:
        verdict = _asked_with_full_room(outcome.request, reading)
    elif reading is not None:
        verdict = _judged(outcome.request, reading, seen)
    elif fault is not None and fault.whose is Whose.RECORD:
        refused = dict.fromkeys(outcome.request.record_ids, fault)
        verdict = _unanswered(_judged(outcome.request, Reading(faults=refused), seen), outcome)
        verdict = replace(verdict, status=RequestStatus.FAILED, reason=fault.reason)
    else:
        verdict = _unanswered(_unjudged(outcome.request, fault), outcome)
    if verdict.failed_chunk:
        return _in_a_row(verdict, seen)
    return _in_both_halves(verdict, seen) if verdict.failed_part else verdict


def _asked_with_full_room(request: Request, reading: Reading) -> Verdict:
    """The same is asked again. It is no fault of the records, though a next run sees they failed:
    that it does not lower their room again.
    """
    reasons = {record_id: fault.reason for record_id, fault in reading.faults.items()}
    return Verdict(
        request_id=request.request_id,
        status=RequestStatus.FAILED,
        reason=next(iter(reasons.values()), ""),
        failed=reasons,
        request=request,
        again=[AskAgain(request.records, request.label, whole=request.whole, full_room=True)],
        how="with room for longer answers",
    )


def _unanswered(verdict: Verdict, outcome: Outcome) -> Verdict:
    attempts = max(1, outcome.attempts)
    return replace(verdict, attempts=attempts, unsettled_usd=outcome.unsettled_usd)


def _unjudged(request: Request, fault: Fault | None) -> Verdict:
    """Nobody here is to blame: the records wait as if they had not been sent."""
    stop = None
    if fault is not None and fault.kind is not Kind.STOPPED:
        about = "Claude could not be reached: " if fault.kind is Kind.UNREACHABLE else ""
        stop = JobExit(fault.code, f"{about}{fault.reason}; the rest waits")
    return Verdict(
        request_id=request.request_id,
        status=RequestStatus.LOST,
        waiting=request.record_ids,
        request=request,
        stop=stop,
    )


def _judged(request: Request, reading: Reading, seen: Seen) -> Verdict:
    faults = reading.faults
    if not request.records:
        # A merge's answer: whoever asked for it reads it, and then closes its request.
        status = RequestStatus.ANSWERED
    elif reading.outputs or not faults:
        status = RequestStatus.DONE
    else:
        status = RequestStatus.FAILED
    buried = {key: fault.reason for key, fault in faults.items() if fault.kind is Kind.CODE}
    faults = {key: fault for key, fault in faults.items() if fault.kind is not Kind.CODE}
    first = next(iter(faults.values()), None)
    if first is None:
        return Verdict(
            request_id=request.request_id,
            status=status,
            reason=next(iter(buried.values()), ""),
            done=reading.outputs,
            dead=buried,
            request=request,
        )
    alone = len(request.records) == 1
    reasons = {record_id: fault.reason for record_id, fault in faults.items()}
    times = seen.failed_alone[request.record_ids[0]] + 1 if alone else 0
    dead = alone and (first.final or times >= ASKED_ALONE)
    if dead:
        again = []
    elif alone:
        # What was cut off may need more room than others do.
        again = [AskAgain(request.records, request.label, room=2**times)]
    else:
        again = _halves(request, faults.keys())
    # One alone that Claude refuses to answer says nothing about others.
    all_failed = len(faults) == len(request.records) and not (alone and first.kind is Kind.REFUSAL)
    return Verdict(
        request_id=request.request_id,
        status=status,
        reason=first.reason,
        done=reading.outputs,
        failed={} if dead else reasons,
        dead=buried | (reasons if dead else {}),
        alone=alone,
        request=request,
        again=again,
        failed_chunk=request.whole and all_failed,
        failed_part=not request.whole and all_failed and {*reasons.values()} == {first.reason},
    )


def _halves(request: Request, record_ids: Collection[str]) -> list[AskAgain]:
    records = [record for record in request.records if record["record_id"] in record_ids]
    middle = (len(records) + 1) // 2
    label = request.label if request.label.endswith(" (part)") else f"{request.label} (part)"
    return [AskAgain(half, label) for half in (records[:middle], records[middle:]) if half]


def _in_a_row(verdict: Verdict, seen: Seen) -> Verdict:
    """The verdict, or the end of the run where whole chunks fail in a row for the same reason."""
    failed = {**seen.failed_chunks, verdict.request.number: verdict}
    row = _neighbours(verdict, failed)
    if len(row) < CHUNKS_IN_A_ROW:
        return verdict
    in_a_row = f"{CHUNKS_IN_A_ROW} chunks in a row failed with the same message"
    return replace(
        verdict,
        again=(),
        forgiven=[record_id for one in row for record_id in one.request.record_ids],
        stop=JobExit(exits.BUG, f"{in_a_row}, so no record is blamed: {verdict.reason}"),
    )


def _in_both_halves(verdict: Verdict, seen: Seen) -> Verdict:
    """The verdict, or the end of the run where all of its first chunk fails again in parts, alike.

    As long as nothing was done at all: a chunk is hardly made of bad records alone. One record is
    no chunk, and two may well be bad where the job has worked before.
    """
    chunk = seen.failed_chunks.get(verdict.request.number)
    enough = CHUNKS_IN_A_ROW if seen.proven else 2
    if chunk is None or seen.any_done or len(chunk.request.records) < enough:
        return verdict
    parts = [*seen.failed_parts[verdict.request.number], verdict]
    alike = [part for part in parts if part.reason == chunk.reason]
    failed = {record_id for part in alike for record_id in part.request.record_ids}
    if not failed.issuperset(chunk.request.record_ids):
        return verdict
    everything = "every record of the first chunk failed, in it and again in its halves"
    return replace(
        verdict,
        again=(),
        forgiven=chunk.request.record_ids,
        stop=JobExit(exits.SETTINGS, f"{everything}, so no record is blamed: {verdict.reason}"),
    )


def _neighbours(verdict: Verdict, failed: Mapping[int, Verdict]) -> list[Verdict]:
    """The chunks around this one that failed for the same reason, without a gap.

    In the order of sending: refusals come back sooner than answers, and would always be neighbours.
    """
    alike = {number for number, one in failed.items() if one.reason == verdict.reason}
    first = last = verdict.request.number
    while first - 1 in alike:
        first -= 1
    while last + 1 in alike:
        last += 1
    return [failed[number] for number in range(first, last + 1)]
