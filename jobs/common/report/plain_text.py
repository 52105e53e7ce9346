"""Text from outside, made fit to show: one line, nothing invisible, no longer than asked for.

`plain` takes away what has no shape of its own but changes what is around it: line breaks, control
characters, direction overrides, zero-width characters, lone surrogates. It does not escape: whoever
shows the text escapes it in their own way.
"""

from __future__ import annotations

import unicodedata

# How much of a text is shown, in characters.
TITLE, DETAIL, QUOTE, EVIDENCE, SUMMARY, WORD, HOUR = 120, 600, 200, 600, 1200, 80, 12

_BLANKS = set("\u115f\u1160\u2800\u3164\uffa0")  # letters by category, empty by look
_JOINERS = set("\u200c\u200d")  # change the shape of the letters and emoji they stand between
_MOST_MARKS = 4  # accents on one letter; more than any script needs is a tower over the lines above


def plain(text: str, limit: int) -> str:
    """Return the text as one line of at most `limit` characters, "…" the last one if it was cut."""
    head = text[: limit * 20]  # a record may hold megabytes: look at no more than could be shown
    line = " ".join(_visible(head).split())
    if len(line) <= limit and len(head) == len(text):
        return line
    return _cut(line, limit - 1) + "…"


def _visible(text: str) -> str:
    shown: list[str] = []
    marks = 0
    for place, character in enumerate(text):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in ("Cc", "Zs", "Zl", "Zp") or character in _BLANKS:
            shown.append(" ")
        elif category == "Cs" or ord(character) & 0xFFFE == 0xFFFE:
            shown.append("\ufffd")
        elif category == "Cf":
            if character in _JOINERS and _joins(text, place):
                shown.append(character)
        elif marks <= _MOST_MARKS and not _selects(character):
            shown.append(character)
    return "".join(shown)


def _joins(text: str, place: int) -> bool:
    """Whether a joiner has work to do: Persian, Indic scripts and emoji need it, Latin never."""
    around = text[max(place - 1, 0) : place] + text[place + 1 : place + 2]
    return len(around) == 2 and all(
        ord(character) > 0x2FF and unicodedata.category(character)[0] in "LMS"
        for character in around
    )


def _selects(character: str) -> bool:
    """Whether it is an invisible selector, which can hide text. The emoji one (U+FE0F) stays."""
    return (
        character == "\u034f"
        or "\ufe00" <= character <= "\ufe0e"
        or "\U000e0100" <= character <= "\U000e01ef"
    )


def _cut(line: str, limit: int) -> str:
    """The first `limit` characters, or a few fewer: ends after a whole word, or a whole letter."""
    head = line[:limit]
    if len(line) > limit and line[limit] != " ":
        words, _, rest = head.rpartition(" ")
        if words and len(rest) <= 20:
            head = words
        elif not line[limit].isalnum():  # in the middle of a letter with accents, or of an emoji
            while head and (unicodedata.category(head[-1])[0] == "M" or head[-1] in _JOINERS):
                head = head[:-1]
    return head.rstrip()
