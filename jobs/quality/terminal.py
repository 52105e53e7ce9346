"""How --try and --eval write for a person at a terminal: lines that fit, and amounts of USD."""

from __future__ import annotations

import textwrap
from unicodedata import east_asian_width

from common.process.log import one_line

WIDTH = 96


def wrapped(words: str, margin: str = "", hanging: str = "") -> list[str]:
    """Words in lines that a terminal shows whole.

    Each begins with `margin`, and all but the first one with `hanging`, too.
    """
    words = one_line(words)
    # Signs of Chinese and the like fill two columns each.
    wide = sum(east_asian_width(sign) in "WF" for sign in words)
    return textwrap.wrap(
        words,
        WIDTH if 4 * wide < len(words) else WIDTH // 2,
        initial_indent=margin,
        subsequent_indent=margin + hanging,
        break_on_hyphens=False,
    )


def money(usd: float | None) -> str:
    """An amount of USD, with as many digits as it takes to tell something."""
    if usd is None:
        return "cost unknown"
    if usd and usd < 0.001:
        return f"${usd:.6f}"
    return f"${usd:.4f}" if usd < 1 else f"${usd:,.2f}"
