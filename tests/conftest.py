"""Fixtures for every test: a site, with or without the stand-in for Claude."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rigs.harness import Site
from standin.standin import StandIn

# Whoever starts the tests in the background, or by nohup, has them ignore Ctrl-C or a hang-up. What
# they start would inherit that: bash cannot even trap a signal that it was born to ignore.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy that this machine may use does not lead to its own loopback.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An installation without a stand-in: nothing can be sent."""
    return Site(tmp_path)


@pytest.fixture
def claude(site: Site) -> Iterator[Callable[..., Site]]:
    """A function that starts the stand-in: claude(faults=[…], latency=…) returns the site.

    A second call replaces the stand-in.
    """
    with ExitStack() as closing:

        def start(**options: Any) -> Site:
            closing.pop_all().close()
            site.standin = closing.enter_context(StandIn(**options))
            return site

        yield start
