"""What TERM, INT, HUP and the time limit do to a run.

The first one ends it in order: it sends nothing new, and waits for the requests in flight. A
second signal ends it at once.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType

from common.process import exits
from common.process.exits import JobExit
from common.process.log import log

TIME_LIMIT = signal.SIGALRM  # sent by time_limit.py
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, TIME_LIMIT)
# Seconds in which a second signal counts as the first: timeout(1) sends TERM to the job, and then
# once more to its process group.
_ONE_REQUEST = 1.0


class Stop:
    """Whether a signal, or the time limit, has told the run to stop."""

    def __init__(self) -> None:
        self.by = ""  # the signal's name, or "time limit"; "" as long as there was none
        self.overdue = False  # the time limit is over
        self.now = False  # a second signal came: wait for nothing
        self._since = 0.0
        self._wake: list[Callable[[], None]] = []

    def listen(self) -> Callable[[], None]:
        """Handle the signals from now on, even INT where a shell has made the process ignore it.

        Returns a function that puts the earlier handlers back.
        """
        before = {number: signal.signal(number, self._handle) for number in _SIGNALS}

        def give_back() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return give_back

    def waking(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` when a signal comes, so that a wait ends at once.

        If one has come already, calls it now. Returns a function that takes `wake` off again.
        """
        self._wake.append(wake)
        if self.by:
            wake()
        return lambda: self._wake.remove(wake)

    def sleep(self, seconds: float) -> None:
        """Wait for something that is gone, to be asked for again, unless the run has to stop.

        Raises JobExit (69) where it has to.
        """
        time.sleep(seconds)
        if self.by:
            raise JobExit(exits.UNREACHABLE, f"stopped by {self.by} while it was waited for")

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == TIME_LIMIT:
            self.overdue = True
            if self.by:  # it stops already
                return
        if self.by and time.monotonic() - self._since < _ONE_REQUEST:
            return
        if self.by:
            self.now = True
            raise JobExit(
                exits.NOT_NOW, f"stopped at once by a second signal ({signal.strsignal(number)})"
            )
        name = signal.Signals(number).name.removeprefix("SIG")
        self.by = "time limit" if self.overdue else name
        self._since = time.monotonic()
        log.warning("%s: finishing what is in flight, then stopping", self.by)
        for wake in self._wake:
            wake()
