"""The HTML of a report: what it says, that it asks nobody for anything, that text stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from common.report import phrases
from common.report.day_report import Section, Unread
from common.report.plain_text import DETAIL, QUOTE, TITLE, plain
from common.report.report_page import html
from rigs.hostile_texts import HOSTILE, random_texts
from rigs.sample_report import FOOTER, THEMES, quiet, sample, with_text

# What may stand in the page at all, and which attributes.
ELEMENTS = set(
    "html head meta title style body main header section article footer h1 h2 h3 p div span strong "
    "ol ul li i br figure figcaption blockquote time bdi "
    "a details summary nav".split()
)
ATTRIBUTES = set(
    "lang charset http-equiv content name class dir title style role aria-label href rel".split()
)
EMPTY = {"meta", "br"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text; elements must balance."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(" ".join([tag, *(name for name, _ in attrs)]))
        self.names.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("<!-->")

    def handle_pi(self, data: str) -> None:
        self.tags.append("<?>")

    def unknown_decl(self, data: str) -> None:
        self.tags.append("<![>")


def words_of(page: str) -> str:
    return " ".join(Page(page).text.split())


def shapes(page: Page) -> list[tuple[str, str]]:
    """The attributes of a page, without those that hold a text: a title, and the page's facts."""
    return [
        (name, value)
        for name, value in page.attributes
        if name != "title" and not (name == "content" and value.startswith("{"))
    ]


@pytest.mark.parametrize(
    "text", [*HOSTILE, *random_texts(300, seed=3)], ids=lambda text: ascii(text[:30])
)
def test_a_hostile_text_in_every_field_stays_text(text: str) -> None:
    hostile = Page(html(with_text(text)))
    kind = Page(html(with_text("harmless" if plain(text, 80) else "")))
    assert hostile.tags == kind.tags
    assert shapes(hostile) == shapes(kind)
    for limit in (TITLE, DETAIL, QUOTE):
        assert plain(text, limit) in hostile.text


def test_the_page_has_no_script_and_asks_nobody_for_anything() -> None:
    for report in (sample(), quiet(), with_text("<script src=//example.com></script>")):
        page = Page(html(report))
        assert page.names <= ELEMENTS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
        for name, value in page.attributes:
            assert name != "href" or value in ("2026-11-21.csv", "../index.html")
            assert name != "style" or re.fullmatch(r"--(height|part):[01]\.\d{4}", value)
    style = re.search(r"(?s)<style>(.*)</style>", html(sample()))
    assert style and not re.search(r"url\(|@import|</|expression", style[1])


def test_the_policy_comes_before_anything_that_it_governs() -> None:
    page = html(sample())
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.index("Content-Security-Policy") < page.index("<title>") < page.index("<style>")


def test_the_sample_reads_as_it_should() -> None:
    page = html(sample())
    text = words_of(page)
    assert "<title>Daily report, Saturday 21 November 2026</title>" in page
    title = "Daily report, Saturday 21 November 2026"
    assert text.startswith(f"{title} All reports {title} What matters Parcels have been standing")
    assert "714 records, 12 % more than the average of the previous 7 days (638)" in text
    assert "Busiest hour: 15:00, with 71 records. Times are in Europe/Berlin." in text
    assert "three say that the carrier told them to ask the shop. 18 % · 128 records" in text
    assert "08:42, record 48117" in text
    assert "2 records of this day could not be read, so no theme counts them:" in text
    assert "The model named 1 record id that it was not shown; it was removed." in text
    assert text.endswith("48,210 tokens in, 6,120 out · $0.0788 · run 20261122T020001Z-4711")
    assert page.count('class="box"') == 4
    assert "Demo" not in text


def test_the_bars_are_as_high_as_the_counts() -> None:
    page = html(sample())
    assert 'title="15:00: 71 records" style="--height:1.0000"' in page
    assert 'title="01:00: 1 record" style="--height:0.0141"' in page
    assert '<li class="none" title="02:00: 0 records" style="--height:0.0000">' in page
    assert 'title="Monday 16 November 2026: 590 records" style="--height:0.8263"' in page
    assert page.count("<li class=") == 24 + 8
    assert page.count('class="marked"') == 2


@pytest.mark.parametrize("hours", [23, 25])
def test_a_day_on_which_the_clocks_change_has_a_bar_for_each_hour_it_had(hours: int) -> None:
    page = html(
        replace(sample(), previous=(), by_hour=tuple((f"{hour:02}", 1) for hour in range(hours)))
    )
    assert page.count("<li class=") == hours
    assert f"this day had {hours} hours." in page


def test_a_text_runs_in_the_direction_of_its_own_script() -> None:
    page = html(sample())
    assert '<blockquote dir="auto">مرحبا، طلبي' in page
    assert "record <bdi>48406</bdi>" in page


def test_an_empty_day_says_that_there_is_nothing() -> None:
    text = words_of(html(quiet()))
    assert "0 records Times are in" in text
    assert "No summary: the day has no records" in text
    assert "None today." not in text
    assert html(replace(quiet(), records=1)).count("None today.") == 3
    assert "could not be read" not in text and "Records by" not in text


def test_a_report_of_the_stand_in_says_so_at_the_top_and_at_the_end() -> None:
    text = words_of(html(replace(sample(), footer=replace(FOOTER, demo=True))))
    assert text.index(phrases.DEMO) < text.index("What matters")
    assert text.endswith(phrases.DEMO_MADE)


def test_at_most_twenty_unread_records_are_listed() -> None:
    unread = tuple(Unread(str(number), "refused") for number in range(25))
    text = words_of(html(replace(sample(), unread=unread)))
    assert text.count("— refused") == 20 and "and 5 more" in text


def test_a_section_of_the_users_own_is_shown_like_themes() -> None:
    own = Section("open_questions", THEMES.entries)
    text = words_of(html(replace(sample(), sections=(own,))))
    assert "Open questions Parcels held at the depot Orders sent" in text
    assert "18 % · 128 records" in text


def test_a_share_bar_never_leaves_its_frame() -> None:
    page = html(replace(sample(), records=10))
    assert "--part:1.0000" in page


def test_a_missing_price_is_said() -> None:
    text = words_of(html(replace(sample(), footer=replace(FOOTER, usd=None, model="claude-x"))))
    assert "cost unknown: no price for claude-x" in text
