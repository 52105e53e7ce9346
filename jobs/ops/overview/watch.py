"""`status --watch`: the same again and again, in its place at a terminal, until Ctrl-C.

Nothing of the terminal is changed but what it shows, so that nothing is left to put right, however
it ends.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from common.process import exits
from common.process.command_line import say
from common.process.exits import JobExit
from ops.facts import colours
from ops.overview.text import Look

_EVERY = 2.0  # seconds
_SHARE = 0.05  # of one core, at most: looking at many large ledgers takes its time
_HOME, _TO_THE_END, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
# A line that is too long is cut and takes no second line, while a view is written.
_CUT, _WRAPPED = "\x1b[?7l", "\x1b[?7h"


class Clock(Protocol):
    """What it waits by. `time` is one; a test has one that does not wait."""

    def process_time(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def check(environ: Mapping[str, str]) -> None:
    """Raise JobExit (2) where stdout is no terminal whose cursor can be moved."""
    if sys.stdout.isatty() and environ.get("TERM") != "dumb":
        return
    there = "stdout is none" if not sys.stdout.isatty() else "TERM=dumb is none"
    remedy = "leave out --watch: ./run_job.sh status says it once"
    message = f"--watch needs a terminal whose cursor can be moved, and {there}: {remedy}"
    raise JobExit(exits.USAGE, message)


def watch(
    views: Callable[[Look], Sequence[str]], environ: Mapping[str, str], clock: Clock = time
) -> int:
    """Show a view until Ctrl-C, and return the exit code.

    `views` gives the texts that say it, the longest first: the first one that the terminal has room
    for is shown, or as much of the last one as there is room for.
    """
    size = shutil.get_terminal_size()
    _write("\n" * size.lines)  # what is on the screen stays above it, to be scrolled back to
    try:
        while True:
            began = clock.process_time()
            size = shutil.get_terminal_size()
            look = Look(min(100, size.columns), colours.wanted(sys.stdout, environ))
            _write(_screen(views(look), size))
            took = clock.process_time() - began
            clock.sleep(max(_EVERY, took / _SHARE))
    except KeyboardInterrupt:
        say("")
    return exits.DONE


def _screen(views: Sequence[str], size: os.terminal_size) -> str:
    room = size.lines - 2  # the line below it, and where the cursor stands
    shown = next((view for view in views if view.count("\n") < room), views[-1]).split("\n")
    hidden = len(shown) - room
    end = "every 2 s until Ctrl-C"
    if hidden > 0:
        shown = shown[:room]
        end = f"{hidden} lines more than this terminal has room for; {end}"
    lines = "".join(f"{line}{_TO_THE_END}\n" for line in shown)
    return f"{_CUT}{_HOME}{lines}{end}{_TO_THE_END}{_BELOW}{_WRAPPED}"


def _write(text: str) -> None:
    letters = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(letters, "replace").decode(letters))
    sys.stdout.flush()
