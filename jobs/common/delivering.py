"""Brings every wanted record to an end: live, or by message batch, with what is left over asked again live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, islice

from common import exits
from common.batching import Chunk
from common.context import Context
from common.database import Record
from common.exchange import Exchange, Use
from common.exits import JobExit
from common.log import counted, log
from common.replay import replay
from common.selection import Taken, chunks, take_up
from common.spool import Spool

LITTLE = 10  # requests left over by message batches that are rather asked again live


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
    first = True
    while True:
        with ExitStack() as closing_spools:
            live, waiting = _sorted(context, windows, closing_spools)
            exchange.ask(_chunks(context, live), use)
            rest = _chunks(context, waiting)
            if first:
                # Live: a refused key, model or schema shows now, and not in a day.
                exchange.ask(islice(rest, 1), use)
                first = False
            if not exchange.submit(rest):
                return
        collect(
            context, exchange, lambda: chain.from_iterable(one.records() for one in windows), use
        )


def _sorted(
    context: Context, windows: list[Window], closing_spools: ExitStack
) -> tuple[list[Taken], list[Taken]]:
    """What is wanted: what has failed before, or is little, for now; the rest for a message batch."""
    live: list[Taken] = []
    waiting: list[Taken] = []
    for window in windows:
        now: Taken = Spool((), context.settings.state)
        later: Taken = Spool((), context.settings.state)
        closing_spools.callback(now.close)
        closing_spools.callback(later.close)
        fresh = False
        with closing(_taken(context, window)) as taken:
            for record, known in taken:
                failed = known is not None and (known.error or known.crashes)
                (now if failed else later).add((record, known))
                fresh |= known is None
        if fresh or len(later) > LITTLE * context.options.chunk_size:
            waiting.append(later)
        else:
            live.append(later)
        live.append(now)
    return live, waiting


def _taken(context: Context, window: Window) -> Taken:
    taken = take_up(context, window.records())
    if taken:
        name = f"{window.name}: " if window.name else ""
        log.info("%s%s to send", name, counted(len(taken), "record"))
    return taken


def _chunks(context: Context, taken: Iterable[Taken]) -> Iterator[Chunk]:
    return chain.from_iterable(chunks(context, one) for one in taken)
