"""What becomes of records whose request did not give them an output.

A chunk of several is split in half until the culprit stands alone. Alone: what asking again cannot change is a dead
letter at once, and the rest is asked up to three times. Three whole chunks that fail in a row with the same message are
not three bad records: the run ends and blames none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.claude.faults import Fault
from common.claude.request import Request
from common.context import Context
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.source.sqlite_source import Record

ASKED_ALONE = 3  # how often a record is asked alone before it is a dead letter
CHUNKS_IN_A_ROW = 3


@dataclass
class Used:
    """What an answer was good for: outputs (JSON, or None) by record id, and faults by record id."""

    outputs: dict[str, str | None]
    faults: dict[str, Fault]


@dataclass
class Again:
    """Records to be asked again together; `room` times the usual room for the answer."""

    records: list[Record]
    label: str
    whole: bool = False
    room: int = 1


class Verdicts:
    """Judges requests, inside the caller's ledger transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ledger = context.ledger
        self._asked: dict[str, int] = {}  # how often a record failed alone in this run
        self._failed: dict[int, tuple[str, list[str]]] = {}  # whole chunks: why, and which records
        self.on_fault_without_record: Callable[[Fault], object] = lambda fault: None

    def on_answer(self, request: Request, used: Used) -> list[Again] | JobExit:
        """Note the outputs of an answer, and judge the records it has none for."""
        if used.outputs:
            self._failed.pop(request.number, None)
            self._ledger.done(request.request_id, used.outputs)
            self._context.counts.done += len(used.outputs)
            self._context.troubled.difference_update(used.outputs)
        if not used.faults:
            if request.records:
                self._ledger.closed(request.request_id, "done")
            return []
        first = next(iter(used.faults.values()))
        self._ledger.closed(request.request_id, "done" if used.outputs else "failed", first.reason)
        return self._judge(request, used.faults)

    def on_fault(self, request: Request, fault: Fault) -> list[Again] | JobExit:
        """Judge the records of a request that was refused."""
        self._ledger.closed(request.request_id, "failed", fault.reason)
        if not request.records:
            self.on_fault_without_record(fault)
        return self._judge(request, dict.fromkeys(request.record_ids, fault))

    def _judge(self, request: Request, faults: dict[str, Fault]) -> list[Again] | JobExit:
        records = [record for record in request.records if record["record_id"] in faults]
        if not records:
            return []
        fault = faults[records[0]["record_id"]]
        self._context.troubled.update(faults)
        if len(request.records) == 1:
            again = self._alone(request, fault)
        else:
            log.warning(
                "%s: %d of %d records without an output (%s): asked again in smaller chunks",
                request.label,
                len(records),
                len(request.records),
                fault.reason,
            )
            self._ledger.failed(faults, fault.reason)
            again = _halves(records, request)
        return self._systematic(request, records, fault) or again

    def _alone(self, request: Request, fault: Fault) -> list[Again]:
        record_id = request.record_ids[0]
        failures = self._asked[record_id] = self._asked.get(record_id, 0) + 1
        dead = fault.final or failures >= ASKED_ALONE
        self._ledger.failed([record_id], fault.reason, failures=1, dead=dead)
        if dead:
            self._context.counts.dead += 1
            self._context.troubled.discard(record_id)
            self._context.reasons.append(f"{record_id}: {fault.reason}")
            log.error("record %s is a dead letter: %s", record_id, fault.reason)
            return []
        log.warning("record %s, asked alone: %s: asked again", record_id, fault.reason)
        # What was cut off may need more room than others do.
        return [Again(request.records, request.label, room=2**failures)]

    def _systematic(self, request: Request, records: list[Record], fault: Fault) -> JobExit | None:
        """The end of the run, where whole chunks fail in a row with the same message."""
        lone_refusal = len(request.records) == 1 and fault.reason.startswith("refused")
        if not request.whole or lone_refusal or len(records) < len(request.records):
            return None
        self._failed[request.number] = fault.reason, [record["record_id"] for record in records]
        # In the order they were sent in: refusals come back sooner than answers, and would always be neighbours.
        row = self._neighbours(request.number, fault.reason)
        if len(row) < CHUNKS_IN_A_ROW:
            return None
        blamed = [record_id for number in row for record_id in self._failed[number][1]]
        self._ledger.revive(blamed)
        dead = {f"{record_id}: {fault.reason}" for record_id in blamed} & {*self._context.reasons}
        self._context.counts.dead -= len(dead)
        others = [reason for reason in self._context.reasons if reason not in dead]
        self._context.reasons = [*others, fault.reason]
        return JobExit(
            exits.BUG,
            f"{CHUNKS_IN_A_ROW} chunks in a row failed with the same message, so no record is blamed: {fault.reason}",
        )

    def _neighbours(self, number: int, reason: str) -> list[int]:
        """The chunks around this one that failed with the same reason, without a gap."""
        alike = {n for n, (why, _) in self._failed.items() if why == reason}
        first = last = number
        while first - 1 in alike:
            first -= 1
        while last + 1 in alike:
            last += 1
        return list(range(first, last + 1))


def _halves(records: list[Record], request: Request) -> list[Again]:
    middle = (len(records) + 1) // 2
    label = request.label if request.label.endswith(" (part)") else f"{request.label} (part)"
    return [Again(half, label) for half in (records[:middle], records[middle:]) if half]
