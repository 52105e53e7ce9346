"""The patterns of times: dates, clocks and zones, and how these stand together.

time_forms.py says what the groups mean that a pattern finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

_NAME = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t|tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?"
_NTH = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th|\.)?"
_TIME = (
    r"(?P<hour>[0-9]{1,2})(?P<colon>[:.]?|[-_](?=[0-9]{2}[-_]))(?P<minute>[0-9]{2})"
    r"(?:(?P=colon)(?P<second>[0-9]{2})(?:[.,:](?P<fraction>[0-9]*))?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?(?![a-z]))?"
)
_NOTE = r" ?\([^)]*\)| ?\[[^\]]*\]"
_ZONE = (
    # An offset decides. What stands before it or after only names it again: "EST -05:00", Go's
    # "+0100 CET m=+0.01", Java's "[Region]".
    r"(?:(?: ?(?:utc|gmt)| [a-z]{1,5}(?= ))? ?"
    # Three digits could be two offsets.
    r"(?P<sign>[+-])(?![0-9]{3}(?![0-9]))"
    r"(?P<offset_hours>[0-9]{1,2}):?(?P<offset_minutes>[0-9]{2})?(?::?[0-9]{2})?"
    rf"(?:{_NOTE}| (?!m=)[a-z]+(?:/[a-z_/]+)?| ?[+-][0-9]{{2,4}})*"
    # A "Z" that was added to an offset of nothing says the same.
    r"|(?:\+00:?00)? ?[\[(]?(?P<zone>[a-z]+ [a-z]+ time|[a-z]+(?:/[a-z0-9_/+-]+)?)[\])]?"
    rf"(?:{_NOTE})?)?(?: m=[+-][0-9.]+)?"
)
_CLOCK = rf"{_TIME}{_ZONE}"
# Between a date and a time of day; a date alone, which XML gives an offset.
_LATER = rf"(?:(?:,? (?:at |@ |- )?|[T_:+-]){_CLOCK})?"
_ALONE = r"(?:Z|(?: ?\+|-)(?:0[0-9]|1[0-4]):[0-5][0-9])"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_DATES = (
    # 2026-11-23, 2026/11/23
    r"(?P<year>[0-9]{4})(?P<dash>[-/.:])(?P<month>[0-9]{1,2})(?P=dash)(?P<day>[0-9]{1,2})",
    # ISO weeks and days of the year: 2026-W48-1, 2026-327
    r"(?P<year>[0-9]{4})-?(?:W(?P<week>[0-9]{2})-?(?P<weekday>[1-7])|(?P<ordinal>[0-9]{3}))",
    # 23 Nov 2026, 23/Nov/2026, 23NOV2026, Monday, 23. November 2026
    rf"(?:{_WEEKDAY}(?:, ?| ))?{_NTH}[ /-]?{_NAME}[ /-]?(?P<year>[0-9]{{4}})",
    # Nov 23, 2026, Monday, November 23rd 2026
    rf"(?:{_WEEKDAY}(?:, ?| ))?{_NAME} {_NTH},? (?P<year>[0-9]{{4}})",
    # 2026-Nov-23
    rf"(?P<year>[0-9]{{4}})(?P<dash>[ -]){_NAME}(?P=dash)(?P<day>[0-9]{{1,2}})",
)
_FORMS = (
    # Mail: Mon, 23 Nov 2026 10:30:15 +0000, where a year may have two digits
    (
        rf"(?:(?P<in_mail>{_WEEKDAY}), ?)?(?P<day>[0-9]{{1,2}})[ -]{_NAME}[ -]"
        rf"(?P<year>[0-9]{{2}}|[0-9]{{4}}) {_CLOCK}"
    ),
    *(rf"{date}(?:{_ALONE}|{_LATER})" for date in _DATES),
    (
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"
        rf"(?:{_ALONE}|[ T_-]?{_CLOCK})"
    ),
    # ctime and what is like it: Mon Nov 23 10:30:15 2026, a zone before the year or after it
    *(
        rf"(?:{_WEEKDAY},? )?{day} {rest}"
        for day in (rf"{_NAME} {_NTH}", rf"{_NTH} {_NAME}")
        for rest in (rf"{_TIME} (?P<year>[0-9]{{4}}){_ZONE}", rf"{_CLOCK} (?P<year>[0-9]{{4}})")
    ),
    # Python's repr()
    (
        r"(?:datetime\.)?(?:datetime|(?<=\.)date)\((?P<year>[0-9]{4}), (?P<month>[0-9]{1,2}), "
        r"(?P<day>[0-9]{1,2})(?:, (?P<hour>[0-9]{1,2}), (?P<minute>[0-9]{1,2})"
        r"(?:, (?P<second>[0-9]{1,2})(?:, (?P<micro>[0-9]{1,6}))?)?)?"
        r"(?:, tzinfo=[a-z.<(=']*?(?P<zone>utc|[a-z]+/[a-z_/]+)['>()]*)?\)"
    ),
)


@cache
def forms() -> tuple[Callable[[str], re.Match[str] | None], ...]:
    """What finds the parts of a time, for each form of it: compiled when a text first needs it."""
    return tuple(_form(pattern).fullmatch for pattern in _FORMS)


NUMBER = _form(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?").fullmatch
WEEK = _form(r"[0-9]{4}-?W[0-9]{2}").fullmatch
# JavaScript's, .NET's and MongoDB's: Date(1795429815252), {"$date": 1795429815252}
MILLISECONDS = _form(
    r"(?:\\?/|new )?(?:Date\(|\{ ?\"\$date\": ?(?:\{ ?\"\$numberLong\": ?\")?)"
    r"([+-]?[0-9]{1,18})(?:[+-][0-9]{4})?[)\"} ]+(?:\\?/)?"
).fullmatch
# What a log or a language puts around a time: [23/Nov/2026], ISODate("…"), ~U[…], {"$date": "…"}
_WRAPPING = re.compile(
    r"^(?:~[A-Z]|(?:new )?#?[a-z.]*(?:date|time|inst)[a-z0-9]* ?|\{ ?\"\$date\": ?)?[\[(<\"']+",
    re.IGNORECASE,
).sub
_CLOSING = "])>}\"' "


def unwrapped(text: str) -> str:
    """A text without what a log or a language puts around a time."""
    return _WRAPPING("", text).rstrip(_CLOSING)
