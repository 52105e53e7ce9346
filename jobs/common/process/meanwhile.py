"""While a commit waits for a disk or a server, requests go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

# Calls a function, and returns when it has returned, or raises what it raises.
Meanwhile = Callable[[Callable[[], object]], object]


def at_once(work: Callable[[], object]) -> object:
    """Call a function, and do nothing else meanwhile."""
    return work()


class Aside:
    """Does work in another thread while this one runs an event loop, if something goes on there.

    One piece of work at a time, so what it uses needs no lock.
    """

    def __init__(self, closing: ExitStack) -> None:
        """`closing` ends the thread."""
        self.loop: asyncio.AbstractEventLoop | None = None  # once there is one
        self._closing = closing
        self._thread: ThreadPoolExecutor | None = None
        self._at_work: asyncio.Future[Any] | None = None

    def __call__(self, work: Callable[[], object]) -> object:
        """What `work` gives. Within the event loop itself it is done at once."""
        loop = self.loop
        if loop is None or loop.is_running():
            return work()
        import asyncio
        from concurrent.futures import ThreadPoolExecutor, wait

        if not asyncio.all_tasks(loop):
            return work()
        if self._thread is None:
            self._thread = self._closing.enter_context(ThreadPoolExecutor(1, "commits"))
        working = self._thread.submit(work)
        self._at_work = asyncio.wrap_future(working, loop=loop)
        try:
            return loop.run_until_complete(self._at_work)
        finally:
            wait((working,))  # a second signal ends the run, but no commit in its middle

    async def at_rest(self) -> None:
        """Come back when no work is under way."""
        import asyncio

        while self._at_work and not self._at_work.done():
            await asyncio.wait((self._at_work,))
