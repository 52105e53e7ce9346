"""A process that stands still, as when the lid of a laptop is closed: time goes on without it."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest


class Freeze:
    """Holds this thread up once, while its event loop waits for what arrives.

    It begins when `begins()` is true, and goes on when `ends()` is, to find that `seconds` have
    passed. As after SIGSTOP and SIGCONT, its wait comes back as if nothing had arrived.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        seconds: float,
        *,
        begins: Callable[[], bool],
        ends: Callable[[], bool],
    ) -> None:
        self.over = False
        this = threading.current_thread()
        original, now = selectors.DefaultSelector.select, time.monotonic
        passed = 0.0

        def select(selector: Any, timeout: float | None = None) -> Any:
            nonlocal passed
            if self.over or timeout == 0 or threading.current_thread() is not this or not begins():
                return original(selector, timeout)
            deadline = now() + 30
            while not ends():
                assert now() < deadline, "it did not come to that"
                os.sched_yield()
            self.over, passed = True, seconds
            return []

        monkeypatch.setattr(selectors.DefaultSelector, "select", select)
        monkeypatch.setattr(time, "monotonic", lambda: now() + passed)
