"""Shows progress to a person at a terminal: a changing line at the bottom, never in the log.

Under the wrapper, stderr is a pipe to the log, so the wrapper names the terminal's descriptor in
JOB_TERMINAL_FD. Without the wrapper, stderr may be the terminal itself. Without a terminal,
nothing is shown.
"""

from __future__ import annotations

import os
import shutil
import sys
import time

from common.process.words import duration

_BAR = 24  # characters
_EVERY = 0.2  # seconds between two updates: nobody reads faster
_NOTED_EVERY = 2.0  # seconds between two notes in the ledger, for `status`
_CLEAR = "\r\x1b[K"


class Progress:
    """The changing line. Without a terminal, its methods do nothing."""

    def __init__(self) -> None:
        self._terminal = _terminal()
        self._shown = False
        self._drawn = 0.0
        self._began = time.monotonic()
        self._records = 0  # of the whole run
        self._before = 0  # that had ended before these
        self._noted = -_NOTED_EVERY

    def expect(self, records: int, done: int = 0) -> None:
        """Say how many records the whole run is going to send; `done` were before that.

        Only the first call counts: a part of them is no news, and asked again they are the same.
        """
        if not self._records:
            self._records, self._before = records, done

    @property
    def records(self) -> int:
        """How many records will have ended when the run ends as expected; 0: nobody knows yet."""
        return self._records and self._before + self._records

    def is_to_be_noted(self, now: float) -> bool:
        """Whether to note now, in seconds from any beginning, how far the run is: not too often."""
        if not self._records or now - self._noted < _NOTED_EVERY:
            return False
        self._noted = now
        return True

    def live(self, done: int, in_flight: int, usd: float) -> None:
        """Show how far a live delivery is: records that ended, requests in flight, USD spent."""
        records = self._records
        if self._terminal is None or not records:
            return
        done = min(records, max(0, done - self._before))
        share = done / records
        spent = time.monotonic() - self._began
        left = f", {duration(spent / share - spent)} left" if 0 < share < 1 else ""
        self._draw(
            f"{bar(share)} {done:,}/{records:,} records, {in_flight} in flight, ${usd:.4f}{left}"
        )

    def message_batch(self, state: str) -> None:
        """Show what a message batch is doing; `state` says it in words."""
        self._draw(f"… {state}")

    def clear(self) -> None:
        """Remove the line, so that something else can be printed in its place."""
        if self._shown:
            self._write(_CLEAR)
            self._shown = False

    def _draw(self, line: str) -> None:
        if self._terminal is None or time.monotonic() - self._drawn < _EVERY:
            return
        self._drawn = time.monotonic()
        self._shown = True
        # A line that wraps cannot be cleared.
        self._write(_CLEAR + line[: shutil.get_terminal_size().columns - 1])

    def _write(self, text: str) -> None:
        assert self._terminal is not None
        try:
            os.write(self._terminal, text.encode())
        except OSError:
            # The terminal was closed. The run goes on.
            self._terminal = None
            self._shown = False


def bar(share: float) -> str:
    """A bar that shows how much of something is done: 0 for nothing, 1 for all of it."""
    filled = round(min(1.0, max(0.0, share)) * _BAR)
    return "█" * filled + "░" * (_BAR - filled)


def _terminal() -> int | None:
    """The descriptor of a terminal that can take a line back, or None."""
    if os.environ.get("TERM") == "dumb":
        return None
    number = os.environ.get("JOB_TERMINAL_FD", "")
    if number.isdecimal() and os.isatty(int(number)):
        os.set_inheritable(int(number), False)
        return int(number)
    try:
        return sys.stderr.fileno() if sys.stderr.isatty() else None
    except (OSError, ValueError, AttributeError):
        return None
