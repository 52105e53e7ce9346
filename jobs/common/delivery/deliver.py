"""Brings every wanted record to an end: live, or by a deferred delivery and then live what is left.

Live delivery is the loop. In every other one answers come into the ledger by another hand, and
`replay` uses them: such a delivery is a file of its own and a row of DEFERRED.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

from common.claude.request import Request
from common.context import Context
from common.delivery.empty_records import settle
from common.delivery.held import Held
from common.delivery.loop import Loop, Use
from common.delivery.near_a_cap.affordable import to_learn_from
from common.delivery.near_a_cap.rooms import Rooms
from common.delivery.replay import replay
from common.delivery.spending import Spending
from common.job import Record
from common.ledger.states import Purpose
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted
from common.records.chunks import Chunk
from common.records.selection import Selected, chunks, has_failed, room_left, select

LITTLE = 10  # requests left over by a deferred delivery that are rather asked again live
FRUITLESS = 3  # times in a row that a deferred delivery may bring nothing

_IN_WORDS = {"message_batch": "message batches", "celery": "Celery's workers"}

Records = Callable[[], Iterator[Record]]


class Deferred(Protocol):
    """A delivery whose answers come into the ledger by another hand."""

    def submit(self, requests: Iterator[Request]) -> int:
        """Send requests, up to a cost cap: how many were sent. Raises JobExit."""

    def collect(self, wait: float) -> bool:
        """Get the answers to all that is under way into the ledger, if anything is.

        False: some have come, and are to be used before it is called again. Raises Held where some
        cannot be had yet, with 75 where it is still under way after `wait` seconds; JobExit where
        the run has to end.
        """


def _message_batch(context: Context, spending: Spending) -> Deferred | None:
    if context.delivery != "message_batch" and not context.message_batches.under_way():
        return None
    from common.delivery.message_batch.deferred import MessageBatchDelivery

    return MessageBatchDelivery(context, spending)


def _celery(context: Context, spending: Spending) -> Deferred | None:
    by_celery = context.delivery == "celery"
    if not by_celery and not isinstance(context.settings.ledger(), str):
        return None  # there is no queue in a SQLite file
    from common.delivery.celery_workers.queue_delivery import CeleryDelivery

    delivery = CeleryDelivery(context, spending)
    if by_celery:
        delivery.check()
    return delivery


# A delivery that is not to be had at all is None.
DEFERRED: dict[str, Callable[[Context, Spending], Deferred | None]] = {
    "message_batch": _message_batch,
    "celery": _celery,
}


@dataclass(frozen=True)
class Group:
    """Records that a run works on. No chunk holds records of two groups."""

    name: str  # how the log calls it, "" where there is but one
    records: Records


class Delivery:
    """How the requests of one run reach Claude."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spending = Spending(context.budget, context.model, Rooms(context))
        self.loop = Loop(context, self._spending)
        self._deferred = {
            name: deferred
            for name, make in DEFERRED.items()
            if (deferred := make(context, self._spending))
        }
        # With this the run has to end, once it has done all else.
        self.held: Held | None = None

    @property
    def all_at_once(self) -> bool:
        """Whether all groups had better be delivered together, since each delivery takes long."""
        return self._context.delivery in self._deferred

    def close(self) -> None:
        """Let go of what the deliveries hold."""
        self.loop.close()

    def deliver(self, groups: list[Group], use: Use) -> None:
        """Send what is wanted of these groups.

        Raises JobExit where the run has to end before all of it is done.
        """
        context = self._context
        if deferred := self._deferred.get(context.delivery):
            self._deliver_deferred(deferred, groups, use)
            return
        for group in groups:
            with closing(_selected(context, group, room_left(context), use)) as selected:
                context.expect(len(selected))
                self.loop.ask(chunks(context, selected), use)
                settle(context, selected.empty, use)

    def collect(self, records: Records, use: Use) -> None:
        """Use every answer that waits, after collecting what deferred deliveries have brought.

        `records` are those that the answers can be about. Raises JobExit (75) while something is
        processing. A live run does not wait for it. What a run does not wait for, or cannot have
        yet, is `held`.
        """
        context = self._context
        wait = context.options.wait if self.all_at_once else 0.0
        try:
            for deferred in self._deferred.values():
                while not deferred.collect(wait):
                    replay(context, use, records())
        except Held as held:
            if self.all_at_once and held.code == exits.NOT_NOW:
                raise
            self.held = held
        finally:
            if next(context.ledger.unsaved(), None) is not None:
                replay(context, use, records())

    def _deliver_deferred(self, deferred: Deferred, groups: list[Group], use: Use) -> None:
        context = self._context
        # What a second model is asked has been taken by the first one: it all goes at half price.
        first = context.ledger.purpose is not Purpose.SECOND_OPINION
        fruitless = 0
        while True:
            with ExitStack() as spools:
                failed, live, later = _sorted(context, groups, spools, use)
                context.expect(sum(map(len, chain(failed, live, later))))
                self.loop.ask(_chunks(context, failed, failed=True), use)
                self.loop.ask(_chunks(context, live), use)
                rest = _chunks(context, later)
                done = context.tally.done
                while first and (chunk := next(rest, None)):
                    # Live, until one is answered: a refused key, model or schema shows now, and not
                    # in a day.
                    self.loop.ask(iter((chunk,)), use)
                    first = context.tally.done == done
                self._spending.ahead = sum(map(len, later))
                if live_first := to_learn_from(self._spending):
                    self.loop.ask(islice(rest, live_first), use)
                sent = self._submit(deferred, rest)
                settle(
                    context, [one for part in (*failed, *live, *later) for one in part.empty], use
                )
                done = context.tally.done
                if not sent:
                    break
            self.collect(lambda: chain.from_iterable(one.records() for one in groups), use)
            fruitless = fruitless + 1 if context.tally.done == done else 0
            if fruitless == FRUITLESS:
                by = _IN_WORDS[context.delivery]
                in_a_row = f"{FRUITLESS} times in a row {by} brought no answer"
                raise JobExit(exits.UNREACHABLE, f"{in_a_row}; the rest waits")

    def _submit(self, deferred: Deferred, chunks: Iterator[Chunk]) -> int:
        """Send chunks; how many were sent. Raises JobExit (4) where a cap forbids the first one."""
        first = next(chunks, None)
        if first is None:
            return 0
        requests = (self.loop.requests.of_chunk(chunk) for chunk in chain((first,), chunks))
        sent = deferred.submit(requests)
        if not sent:
            capped = self._spending.cap_reached()
            raise JobExit(capped.code, f"{capped.reason}; the rest waits")
        return sent


def _sorted(
    context: Context, groups: list[Group], spools: ExitStack, use: Use
) -> tuple[list[Selected], list[Selected], list[Selected]]:
    """What is wanted: (what has failed before, what else goes live, what is deferred)."""
    failed: list[Selected] = []
    others: list[Selected] = []
    fresh = context.ledger.purpose is Purpose.SECOND_OPINION
    room = room_left(context)
    for group in groups:
        selected = later = spools.enter_context(_selected(context, group, room, use))
        room = None if room is None else room - selected.new
        fresh |= selected.fresh
        if selected.failed:
            now, later = (spools.enter_context(Selected(context)) for _ in range(2))
            for record, state in selected:
                (now if has_failed(state) else later).take(record, state)
            selected.close()
            failed.append(now)
        others.append(later)
    little = sum(map(len, others)) <= LITTLE * context.options.chunk_size
    return (failed, others, []) if little and not fresh else (failed, [], others)


def _selected(context: Context, group: Group, room: int | None, use: Use) -> Selected:
    """What is wanted of a group.

    Records that came back get the answers closed without them; and those that --try or --eval has
    asked about get these answers, where they are of the same version.
    """
    selected = select(context, group.records(), room)
    name = f"{group.name}: " if group.name else ""
    if selected:
        log.info("%s%s to send", name, counted(len(selected), "record"))
    if selected.kept:
        count = counted(len(selected.kept), "record")
        log.info("%s%s answered by --try or --eval before: nothing is paid again", name, count)
        with context.ledger.transaction():
            context.kept.take_over(selected.kept)
    to_use = bool(selected.kept)
    if selected.answered:
        with context.ledger.transaction():
            to_use |= sum(map(context.ledger.reopen, selected.answered)) > 0
    if to_use:
        replay(context, use, group.records())
    return selected


def _chunks(
    context: Context, groups: Iterable[Selected], *, failed: bool = False
) -> Iterator[Chunk]:
    return chain.from_iterable(chunks(context, group, failed=failed) for group in groups)
