"""The list of all reports as one HTML page: no script, no request for anything, readable on a
phone. Its style is index_page.css.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from common.html_document import document
from common.process.words import counted
from common.publish.page_facts import PageFacts, day_of, label

DEMO = "Demo: no model was asked."
_OPEN_MONTHS = 2  # of each job, the newest ones; the others unfold


@dataclass(frozen=True)
class Page:
    """A report that is there."""

    stem: str  # 2026-11-21
    facts: PageFacts
    has_facts: bool  # False: an older version wrote it, and it has no links to be kept right


@dataclass(frozen=True)
class Shelf:
    """The reports of one job, the newest first."""

    job: str
    pages: tuple[Page, ...]

    @property
    def title(self) -> str:
        """The job's name in words."""
        return self.job.replace("_", " ").capitalize()


def html(shelves: Sequence[Shelf]) -> str:
    """Return the list as a whole HTML document, ending in a newline."""
    return document("Reports", Path(__file__).with_name("index_page.css"), _body(shelves))


def _body(shelves: Sequence[Shelf]) -> Iterator[str]:
    yield "<main><header><h1>Reports</h1>"
    if any(page.facts.demo for shelf in shelves for page in shelf.pages):
        yield f'<p class="demo">{DEMO}</p>'
    if len(shelves) > 1:
        links = (f'<a href="#{quote(one.job)}">{escape(one.title)}</a>' for one in shelves)
        yield f'<nav aria-label="Jobs">{"".join(links)}</nav>'
    yield "</header>"
    for shelf in shelves:
        yield f'<section id="{escape(shelf.job)}"><h2>{escape(shelf.title)}</h2><div>'
        months = groupby(shelf.pages, key=lambda page: _month(page.stem))
        for number, (month, pages) in enumerate(months):
            yield from _in_month(month, [*pages], shelf.job, unfolded=number < _OPEN_MONTHS)
        yield "</div></section>"
    yield "</main>"


def _in_month(month: str, pages: list[Page], job: str, *, unfolded: bool) -> Iterator[str]:
    """The reports of a month, the newest first."""
    records = sum(page.facts.records or 0 for page in pages)
    of = "" if unfolded else f' <span class="of">{counted(records, "record")}</span>'
    yield f"<details{' open' if unfolded else ''}><summary><h3>{month}</h3>{of}</summary><ol>"
    for page in pages:
        yield _row(page, job)
    yield "</ol></details>"


def _row(page: Page, job: str) -> str:
    facts = page.facts
    so_far = f' <span class="so-far">so far, {escape(facts.until)}</span>' if facts.until else ""
    link = f"{quote(job)}/{page.stem}.html"
    # Of a day without records, the sentence says so.
    records = counted(facts.records, "record") if facts.records else ""
    actions = f"{counted(facts.actions, 'action')} open" if facts.actions else ""
    figures = "".join(f"<span>{words}</span>" for words in (records, actions) if words)
    said = f'<p dir="auto">{escape(facts.sentence, quote=True)}</p>' if facts.sentence else ""
    look = ' class="none"' if facts.records == 0 else ""
    named = f'<a href="{link}">{_name(page.stem)}</a>{so_far}'
    below = f'<p class="figures">{figures}</p>' if figures else ""
    return f'<li{look}><p class="day">{named}</p><div>{said}{below}</div></li>'


def _month(stem: str) -> str:
    """ "2026-11-21" -> "November 2026"; a week has the month of its Thursday."""
    day = day_of(stem)
    return f"{day:%B} {day.year}" if day else ""


def _name(stem: str) -> str:
    """ "2026-11-21" -> "Sat 21"; "2026-W47" -> "Week 47"."""
    day = day_of(stem)
    return f"{day:%a} {day.day}" if day and "W" not in stem else label(stem)
