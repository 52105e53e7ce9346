"""A terminal to which a run shows its progress."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from common.process import progress

_END = b"\0"


class Terminal:
    """Both ends of a terminal: JOB_TERMINAL_FD names the writing one."""

    def __init__(self) -> None:
        self._reading, self.writing = pty.openpty()

    def read(self) -> str:
        """What was shown since the last look.

        The kernel passes it on a little later: whoever reads at once may get a part of it.
        """
        os.write(self.writing, _END)
        shown = b""
        while not shown.endswith(_END):
            shown += os.read(self._reading, 1 << 16)
        return shown.removesuffix(_END).decode()

    def close(self) -> None:
        """Close both ends."""
        os.close(self._reading)
        os.close(self.writing)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A wide terminal that shows every change at once."""
    terminal = Terminal()
    monkeypatch.setenv("JOB_TERMINAL_FD", str(terminal.writing))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    yield terminal
    terminal.close()
