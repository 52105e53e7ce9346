"""While a commit waits for a disk or a server, requests go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

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
        self._rests: asyncio.Event | None = None  # None as long as there was no work

    def __call__(self, work: Callable[[], object]) -> object:
        """What `work` gives. Within the event loop itself it is done at once."""
        loop = self.loop
        if loop is None or loop.is_running():
            return work()
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        if not asyncio.all_tasks(loop):
            return work()
        if self._thread is None:
            thread = self._closing.enter_context(ThreadPoolExecutor(1, "commits"))
            # A signal while the thread starts would leave it uncounted, and work in a second one.
            thread.submit(lambda: None).result()
            self._thread = thread
        self._rests = self._rests or asyncio.Event()
        try:
            self._rests.clear()
            working = self._thread.submit(work)
            return loop.run_until_complete(asyncio.wrap_future(working, loop=loop))
        except BaseException:  # a second signal ends the run, but no commit in its middle
            self._thread.submit(lambda: None).result()  # which comes after it
            raise
        finally:
            self._rests.set()

    async def at_rest(self) -> None:
        """Come back when no work is under way, and whoever called for the last one goes on.

        Until then a commit's transaction is open, and what another one did would be lost in it.
        """
        while self._rests and not self._rests.is_set():
            await self._rests.wait()
