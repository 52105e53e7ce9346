"""What each colour means, at a terminal and on the status page: one meaning for each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import IO

BOLD, FAINT = "1", "2"  # no colours: they say nothing


class Tone(StrEnum):
    """A colour by what it means. status_page.css has a class of each name."""

    GOOD = "good"
    BUSY = "busy"
    LOOK = "look"
    BAD = "bad"
    NOTHING = "nothing"


MEANINGS = {
    Tone.GOOD: ("green", "ended well"),
    Tone.BUSY: ("blue", "is running, or waits for its turn"),
    Tone.LOOK: ("amber", "needs a look"),
    Tone.BAD: ("red", "failed, or was given up on"),
    Tone.NOTHING: ("grey", "nothing happened"),
}
# What a terminal is sent for each: bold beside red, for those who see no red.
_CODES = {
    Tone.GOOD: "32",
    Tone.BUSY: "36",
    Tone.LOOK: "33",
    Tone.BAD: "1;31",
    Tone.NOTHING: FAINT,
}


def wanted(stream: IO[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to write in colours: to a terminal that knows them, of a person who wants them.

    NO_COLOR with any value says that the person does not (no-color.org).
    """
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def painted(text: str, tone: Tone | str | None) -> str:
    """A text in a colour, BOLD or FAINT; None and "" leave it as it is."""
    code = _CODES[tone] if isinstance(tone, Tone) else tone
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text
