"""An event loop that reads what has arrived before it looks at the clock, and is never held up.

A process can stand still for longer than any time limit: the lid of a laptop is closed, a virtual
machine is paused, a debugger or a full disk holds it up. When it goes on, every limit has passed,
and answers that were paid for wait in its sockets. So time in which nothing could be read does not
count: not for our limits, not for those of the libraries.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from contextlib import suppress
from typing import Any

_STOOD_STILL = 1.0  # seconds that a turn of the loop may take; what takes longer does not count


class _Selector(selectors.DefaultSelector):
    """Notes for how long the process stood still, be it within select() or between two calls."""

    def __init__(self) -> None:
        super().__init__()
        self.stood_still = 0.0
        self._left_at = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        if began - self._left_at > _STOOD_STILL:
            self.stood_still += began - self._left_at
        ready = super().select(timeout)
        self._left_at = time.monotonic()
        if timeout is not None and self._left_at - began > timeout + _STOOD_STILL:
            self.stood_still += self._left_at - began
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    """A loop whose clock stands still while the process does."""

    def __init__(self) -> None:
        self._patient = _Selector()
        super().__init__(self._patient)

    def time(self) -> float:
        """Seconds, from any beginning."""
        return super().time() - self._patient.stood_still

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> list[Any]:
        """As any loop's, but nobody waits for the name server at the end of the process.

        One that does not answer takes half a minute or longer, in a thread that nothing can stop.
        """
        found: asyncio.Future[list[Any]] = self.create_future()

        def come_back(addresses: list[Any], error: Exception | None) -> None:
            if found.done():  # cancelled
                return
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)

        def look_up() -> None:
            addresses: list[Any] = []
            error: Exception | None = None
            try:
                addresses = socket.getaddrinfo(host, port, **more)
            except Exception as failed:  # whatever it is, whoever asked has to deal with it
                error = failed
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
                self.call_soon_threadsafe(come_back, addresses, error)

        threading.Thread(target=look_up, daemon=True, name="name server").start()
        return await found
