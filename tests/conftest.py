"""Fixtures of every test: a site, with the stand-in where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rigs.harness import Site
from standin.standin import StandIn


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy of the machine's cannot reach its loopback.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An installation without a stand-in: nothing can be sent."""
    return Site(tmp_path)


@pytest.fixture
def claude(site: Site) -> Iterator[Callable[..., Site]]:
    """Start the stand-in: claude(faults=[…], latency=…) gives the site with it; a second call
    replaces it.
    """
    with ExitStack() as closing:

        def start(**options: Any) -> Site:
            closing.pop_all().close()
            site.standin = closing.enter_context(StandIn(**options))
            return site

        yield start
