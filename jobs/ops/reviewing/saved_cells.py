"""Reads a table of `common.process.sheet` back, so that a text is known again after a spreadsheet
has saved it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from common.process.sheet import FORMULA, MARK, MOST, cell, units

_UNSEEN = re.compile("[\\s'\x00-\x1f\x7f-\x9f\ufeff\ufffd\u200b-\u200f\u2028-\u202e\u2060]+")


def unmarked(text: str) -> str:
    """What a cell says without the apostrophe that `cell` has put in front."""
    return text[1:] if text.startswith(MARK) and text[1:].startswith(FORMULA) else text


def is_same(given: str, text: str) -> bool:
    """Whether a cell that a spreadsheet has saved still says a text.

    White space, control characters and apostrophes do not count, nor do letters that the code page
    of a machine lacks: for each a question mark is written, or a letter that looks alike.
    """
    seen = _seen(given)
    for written in (cell(text), text):
        if seen == _seen(written):
            return True
    if units(given) >= MOST - 1 and _seen(text).startswith(seen):
        return True
    return any(
        _is_most_of(given, plain) and plain(given) in (plain(text), plain(cell(text)))
        for plain in _PLAIN
    )


def _seen(text: str) -> str:
    return _UNSEEN.sub("", text)


def _unaccented(text: str) -> str:
    letters = unicodedata.normalize("NFKD", _seen(text)).encode("ascii", "ignore")
    return letters.decode().replace("?", "")


def _western(text: str) -> str:
    return _seen(text).encode("cp1252", "ignore").decode("cp1252").replace("?", "")


_PLAIN = (_unaccented, _western)  # what is left of a text in any code page


def _is_most_of(text: str, plain: Callable[[str], str]) -> bool:
    """Whether enough of a text is left to know it by."""
    return 2 * len(plain(text)) >= max(1, len(_seen(text)))
