"""Reads the results of one message batch that has ended, and stores them some hundred at a time.

What is stored already is passed over, so that a download can be begun anew as often as it takes.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from common.claude.faults import Fault, Kind
from common.claude.message import tokens_of
from common.claude.message_batch_api import results
from common.claude.request import Outcome, Request
from common.context import Context
from common.delivery.message_batch.result_lines import (
    Downloaded,
    LeftOver,
    ResultLine,
    named_in,
    read_line,
    without_answer,
)
from common.delivery.spending import Spending
from common.delivery.store import store
from common.ledger.message_batches import AwaitedRequest, MessageBatch
from common.process.words import counted
from common.records.spool import Spool

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_TOGETHER = 500  # results in one commit, …
_MOST_TOGETHER = 20_000_000  # … of so many bytes at most


class Download:
    """The way of one message batch's results into the ledger."""

    def __init__(
        self,
        context: Context,
        spending: Spending,
        message_batch: MessageBatch,
        counts: Mapping[str, int],
    ) -> None:
        """`counts`: how many requests ended in which way, as Claude says."""
        self._context = context
        self._spending = spending
        self._message_batch = message_batch
        self._counts = counts
        self.left_over = LeftOver()
        self.lacking = 0  # results that should have come with the last reading, and did not
        self.refused = ""  # why Claude refused requests, where the fault is the account's

    async def read(self, client: AsyncAnthropic) -> bool | Fault:
        """Store all results; a fault where some are lacking. Raises what the SDK raises.

        A line may have been damaged on the way: before its request is asked again, which costs
        money, everything is read once more.
        """
        self.lacking = 0
        for last in (False, True):
            found = await self._read_once(client)
            if lacking := self._lacking(found):
                self.lacking = lacking
                return Fault(Kind.UNREACHABLE, f"{counted(lacking, 'result')} did not come")
            if last or not found.unreadable:
                self._judge(found.unreadable)
                break
        return True

    async def _read_once(self, client: AsyncAnthropic) -> Downloaded:
        with Spool[bytes]((), self._context.settings.state) as lines:
            names: list[bytes] = []
            try:
                async with aclosing(results(client, self._message_batch.id)) as stream:
                    async for line in stream:
                        lines.add(line)  # first: the disk may be full
                        names.append(named_in(line))
            except Exception:  # what has come is kept: the next download passes it over
                self._store_answers(lines, names, Downloaded())
                raise
            found = Downloaded()
            others = self._store_answers(lines, names, found)
            # Last: of two lines about one request, the answer that was paid for is what counts.
            for some in _grouped((read_line(line), len(line)) for line in lines.at(others)):
                self._store(some)
        return found

    def _store_answers(
        self, lines: Spool[bytes], names: Sequence[bytes], found: Downloaded
    ) -> Sequence[int]:
        """Note all lines, and store those that are answers: the numbers of other readable ones.

        In the order of their requests, which is not the one they come in: a commit then changes
        some pages of the ledger, and not hundreds all over it.
        """
        order = array("L", sorted(range(len(names)), key=names.__getitem__))
        others = array("L")

        def answers() -> Iterator[tuple[ResultLine, int]]:
            for number, raw in zip(order, lines.at(order), strict=True):
                line = read_line(raw)
                found.note(line)
                if line.kind == "succeeded":
                    yield line, len(raw)
                elif line.kind:
                    others.append(number)

        for some in _grouped(answers()):
            self._store(some)
        return others

    def _lacking(self, found: Downloaded) -> int:
        unreadable = [line.custom_id for line in found.unreadable if line.custom_id]
        missing = self._context.message_batches.left(self._message_batch.id)
        return found.unexplained(missing - len(self._awaited(unreadable)), self._counts)

    def _judge(self, unreadable: Sequence[ResultLine]) -> None:
        """The end of requests whose lines cannot be read; of those without a name all is told."""
        for line in unreadable:
            if not line.custom_id:
                self.left_over.note(line)
        self._store([line for line in unreadable if line.custom_id])

    def _awaited(self, request_ids: Sequence[str]) -> list[AwaitedRequest]:
        awaited: list[AwaitedRequest] = []
        for first in range(0, len(request_ids), _TOGETHER):
            some = request_ids[first : first + _TOGETHER]
            awaited += self._context.message_batches.awaited(self._message_batch.id, some)
        return awaited

    def _store(self, lines: Sequence[ResultLine]) -> None:
        """Commit some results: the answers, then the requests that have none."""
        by_id = {line.custom_id: line for line in lines}
        answers, others = [], []
        for request in self._awaited([*by_id]):
            line = by_id[request.request_id]
            if line.kind == "succeeded":
                answers.append(outcome := _outcome(request, line))
                self._spending.price(outcome, tokens_of(outcome.message or {}))
                continue
            others.append(without_answer(request, line))
            self.left_over.note(line)
            if line.refused:
                self.refused = line.reason
        if full := store(self._context, answers):
            raise full
        with self._context.ledger.transaction():
            self._context.ledger.apply(others)
        self._context.tally.apply(others)


def _grouped(lines: Iterable[tuple[ResultLine, int]]) -> Iterator[list[ResultLine]]:
    """Lines that come with their sizes, as many at a time as one commit takes."""
    group: list[ResultLine] = []
    size = 0
    for line, more in lines:
        group.append(line)
        size += more
        if len(group) == _TOGETHER or size > _MOST_TOGETHER:
            yield group
            group, size = [], 0
    if group:
        yield group


def _outcome(request: AwaitedRequest, line: ResultLine) -> Outcome:
    asked = Request(
        request.request_id,
        {},
        [{"record_id": record_id} for record_id in request.record_ids],
        run_id=request.run_id,
        delivery="message_batch",
        model=request.model,
        most_usd=request.unsettled_usd,
    )
    return Outcome(asked, json.dumps(line.message), line.message, attempts=1)
