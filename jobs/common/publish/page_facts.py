"""What a report's page says about itself to the list of all reports, and its links to its
neighbours.

Both stand in the page: the facts in a <meta> of its head, the links in a <nav> of one line. The
list is made from the pages alone, whichever job has written them, and a page that gets a new
neighbour is changed in these two lines and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from html import escape, unescape

# A page is called 2026-11-21.html, 2026-11-21-so-far.html or, for a week, 2026-W47.html.
_STEM = re.compile(r"(\d{4}-\d\d-\d\d)(-so-far)?|(\d{4})-W(\d\d)", re.ASCII).fullmatch
SO_FAR = "-so-far"

_META = re.compile(r'<meta name="report" content="([^"]*)">')
_NAV = re.compile(r'<nav class="days"[^>]*>.*?</nav>')
_MOST_CHARACTERS = 300  # of the first sentence


@dataclass(frozen=True)
class PageFacts:
    """What the list says of one report. All texts are plain, and not escaped."""

    title: str  # the job's name in words, "Daily report"
    records: int | None  # None: the page does not say
    sentence: str  # the first one of what matters, or why there is none
    actions: int  # action items: nobody ticks one off, so all of them are open
    demo: bool = False
    until: str = ""  # "14:05" where the day is not over: what was there at this time
    previous: str = ""  # the neighbours' names, 2026-11-20, as far as the page links to them
    following: str = ""


def meta(facts: PageFacts) -> str:
    """The facts as a line of the page's head."""
    return f'<meta name="report" content="{escape(json.dumps(asdict(facts)), quote=True)}">'


def nav(facts: PageFacts) -> str:
    """The links to the days before and after, and to the list, as one line of the page."""
    before = _link(facts.previous, "prev", f"← {label(facts.previous)}")
    after = _link(facts.following, "next", f"{label(facts.following)} →")
    whole = '<a href="../index.html">All reports</a>'
    return f'<nav class="days" aria-label="Other reports">{before}{whole}{after}</nav>'


def facts_in(head: str) -> PageFacts | None:
    """The facts in the first part of a page; None where it has none, or none of this form."""
    if found := _META.search(head):
        try:
            return PageFacts(**json.loads(unescape(found[1])))
        except (TypeError, ValueError):
            return None
    return None


def with_neighbours(page: str, facts: PageFacts, previous: str, following: str) -> str:
    """The page with links to these neighbours ("" for none) in the place of those it has."""
    new = replace(facts, previous=previous, following=following)
    page = _META.sub(lambda _: meta(new), page, count=1)
    return _NAV.sub(lambda _: nav(new), page, count=1)


def day_of(stem: str) -> date | None:
    """The day of a report's name, of a week its Thursday; None for what is no report's name."""
    if not (found := _STEM(stem)):
        return None
    try:
        if found[4]:
            return date.fromisocalendar(int(found[3]), int(found[4]), 4)
        return date.fromisoformat(found[1])
    except ValueError:
        return None


def label(stem: str) -> str:
    """ "2026-11-21" -> "Sat 21 Nov"; "2026-W47" -> "Week 47"; "" for what is no report's name."""
    if not (day := day_of(stem)):
        return ""
    if "W" in stem:
        return f"Week {int(stem[-2:])}"
    return f"{day:%a} {day.day} {day:%b}"


def first_sentence(text: str) -> str:
    """The first sentence of a plain text of one line, cut where it is very long."""
    for end in _ends(text):
        if end <= _MOST_CHARACTERS:
            return text[:end]
        break
    if len(text) <= _MOST_CHARACTERS:
        return text
    return text[: _MOST_CHARACTERS - 1].rpartition(" ")[0].rstrip() + "…"


# After a mark that can end a sentence, and what closes a quotation or a bracket.
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”]*")
# What ends with a full stop and is no end of a sentence; and a single letter, as in "e.g.".
_SHORT = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|Nr|vs|etc|approx|ca|bzw)|\b\w)\.$", re.IGNORECASE)


def _ends(text: str) -> Iterator[int]:
    """Where sentences end, except the last one."""
    for found in _END.finditer(text):
        rest = text[found.end() :].lstrip()
        goes_on = rest[:1].islower() or (found[0] == "." and _SHORT.search(text[: found.end()]))
        if rest and not goes_on:
            yield found.end()


def _link(stem: str, rel: str, words: str) -> str:
    if not stem:
        return "<span></span>"
    return f'<a rel="{rel}" href="{escape(stem, quote=True)}.html">{escape(words)}</a>'
