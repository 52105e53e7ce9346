"""The chunks that a run would send: walked through and weighed, and nothing is sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from common.claude.envelope import envelope, estimated_tokens
from common.claude.faults import Fault
from common.context import Context
from common.job import Record
from common.process.log import brief, log
from common.records.chunks import packed
from common.records.preparing import SHOW, shown


@dataclass(frozen=True)
class PlannedChunk:
    """The records of one request to be, with the estimated tokens of each."""

    records: list[Record]
    weights: list[int]


def planned(
    context: Context, records: Iterable[Record], leave_out: Callable[[Record], object]
) -> Iterator[PlannedChunk]:
    """Records in the chunks in which a run would send them. prepare() and note() are not called.

    `leave_out` gets those without a text. Those that show() fails for are left out with a warning.
    Raises JobExit (78) where it is so for three in a row.
    """

    def given_up(record_id: str, fault: Fault) -> None:
        context.code.failed(SHOW, record_id, fault)
        log.warning("record %s would be a dead letter: %s", brief(record_id), fault.reason)

    weights: deque[int] = deque()  # of the records that are in no chunk yet, in their order

    def weighed() -> Iterator[tuple[Record, int]]:
        for record, weight in shown(context, records, given_up, leave_out):
            weights.append(weight)
            yield record, weight

    for chunk in packed(weighed(), context.options.chunk_size):
        yield PlannedChunk(chunk, [weights.popleft() for _ in chunk])


def weight_of(context: Context, record: Record) -> int:
    """The estimated tokens of a record as it travels. Raises what show() raises."""
    return estimated_tokens(envelope(context.job, record))
