"""TERM, INT and HUP end a run in order: what is in flight may finish, nothing new is sent.

A second one ends it now.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from common.process import exits
from common.process.exits import JobExit
from common.process.log import log

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# seconds in which signals mean the same: timeout(1) sends its TERM to the job, then to its group
_ONE_REQUEST = 1.0


class Stop:
    """Whether the run has been told to stop."""

    def __init__(self) -> None:
        self.by = ""  # the signal's name, "" while nobody has
        self.now = False  # told twice: nothing is waited for any more
        self._since = 0.0
        self._wake: list[Callable[[], None]] = []

    def listen(self) -> Callable[[], None]:
        """Handle the signals from now on, also where a shell has made the process ignore INT;
        returns the way back.
        """
        before = {number: signal.signal(number, self._handle) for number in _SIGNALS}

        def give_back() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return give_back

    def waking(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` when a signal comes, so that whoever waits comes back; returns the way back.

        Where one has come already, it is called at once.
        """
        self._wake.append(wake)
        if self.by:
            wake()
        return lambda: self._wake.remove(wake)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.by and time.monotonic() - self._since < _ONE_REQUEST:
            return
        if self.by:
            self.now = True
            raise JobExit(
                exits.NOT_NOW, f"stopped at once by a second signal ({signal.strsignal(number)})"
            )
        self.by = signal.Signals(number).name.removeprefix("SIG")
        self._since = time.monotonic()
        log.warning("%s: finishing what is in flight, then stopping", self.by)
        for wake in self._wake:
            wake()
