"""What fetching a page gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page's text, or why there is none."""

    text: str = ""
    error: str = ""
