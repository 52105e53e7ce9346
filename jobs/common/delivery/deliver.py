"""Brings every wanted record to an end: live, or by message batch, with what is left over asked again live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, islice

from common.context import Context
from common.delivery.loop import Exchange, Use
from common.delivery.replay import replay
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import counted
from common.records.chunks import Chunk
from common.records.selection import Taken, chunks, is_new, take_up
from common.records.spool import Spool
from common.source.sqlite_source import Record

LITTLE = 10  # requests left over by message batches that are rather asked again live
FRUITLESS = 3  # times in a row that message batches may bring nothing


Records = Callable[[], Iterator[Record]]


@dataclass(frozen=True)
class Window:
    """Records that a run works on. No chunk holds records of two windows."""

    name: str  # how the log calls it, "" where there is but one
    records: Records


def deliver(context: Context, exchange: Exchange, windows: list[Window], use: Use) -> None:
    """Send what is wanted in these windows. Raises JobExit where the run has to end before all of it is done."""
    if context.delivery == "live":
        for window in windows:
            with closing(_taken(context, window)) as taken:
                exchange.ask(chunks(context, taken), use)
    else:
        _by_message_batch(context, exchange, windows, use)


def collect(context: Context, exchange: Exchange, records: Records, use: Use) -> JobExit | None:
    """Store what message batches have brought, and use every answer that waits; `records` are those it can be about.

    Raises JobExit (75) while one is still processing. A live run does not wait for it: it does all else first, and the
    JobExit with which it has to end then is returned.
    """
    try:
        if context.message_batches.open():
            exchange.collect(0.0 if context.delivery == "live" else context.options.wait)
    except JobExit as end:
        if context.delivery != "live" or end.code != exits.NOT_NOW or context.stop.by:
            raise
        return end
    finally:
        if next(context.ledger.unsaved(), None) is not None:
            replay(context, use, records())
    return None


def _by_message_batch(
    context: Context, exchange: Exchange, windows: list[Window], use: Use
) -> None:
    first, fruitless = True, 0
    while True:
        with ExitStack() as closing_spools:
            failed, live, waiting = _sorted(context, windows, closing_spools)
            exchange.ask(_chunks(context, failed, failed=True), use)
            exchange.ask(_chunks(context, live), use)
            sizes: list[int] = []
            rest = _measured(_chunks(context, waiting), sizes)
            done = context.counts.done
            while first and (chunk := next(rest, None)):
                # Live, until one is answered: a refused key, model or schema shows now, and not in a day.
                exchange.ask(iter((chunk,)), use)
                first = context.counts.done == done
            done, asked = context.counts.done, len(sizes)
            sent = exchange.submit(rest)
            if not sent:
                return
            if asked + sent < len(sizes):
                # A cost cap came before the rest: it is taken up again, when what was reserved is settled.
                left = islice(chain.from_iterable(waiting), sum(sizes[: asked + sent]), None)
                context.counts.records -= sum(1 for _, known in left if is_new(context, known))
        collect(
            context, exchange, lambda: chain.from_iterable(one.records() for one in windows), use
        )
        fruitless = fruitless + 1 if context.counts.done == done else 0
        if fruitless == FRUITLESS:
            in_a_row = f"{FRUITLESS} times in a row message batches brought no answer"
            raise JobExit(exits.UNREACHABLE, f"{in_a_row}; the rest waits")


def _measured(chunks: Iterator[Chunk], sizes: list[int]) -> Iterator[Chunk]:
    for chunk in chunks:
        sizes.append(len(chunk.records))
        yield chunk


def _sorted(
    context: Context, windows: list[Window], closing_spools: ExitStack
) -> tuple[list[Taken], list[Taken], list[Taken]]:
    """What is wanted: (what has failed before, what else is for now, what is for a message batch)."""
    suspected: list[Taken] = []
    others: list[Taken] = []
    fresh = False
    for window in windows:
        now: Taken = Spool((), context.settings.state)
        later: Taken = Spool((), context.settings.state)
        closing_spools.callback(now.close)
        closing_spools.callback(later.close)
        with closing(_taken(context, window)) as taken:
            for record, known in taken:
                failed = known is not None and (known.error or known.crashes)
                (now if failed else later).add((record, known))
                fresh |= known is None
        suspected.append(now)
        others.append(later)
    little = sum(map(len, others)) <= LITTLE * context.options.chunk_size
    return (suspected, others, []) if little and not fresh else (suspected, [], others)


def _taken(context: Context, window: Window) -> Taken:
    taken = take_up(context, window.records())
    if taken:
        name = f"{window.name}: " if window.name else ""
        log.info("%s%s to send", name, counted(len(taken), "record"))
    return taken


def _chunks(context: Context, taken: Iterable[Taken], *, failed: bool = False) -> Iterator[Chunk]:
    return chain.from_iterable(chunks(context, one, failed=failed) for one in taken)
