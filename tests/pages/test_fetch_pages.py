"""Which address of a record is fetched, what of a page travels, and the text of HTML."""

from __future__ import annotations

import time

import pytest

from common import Record
from pages.fetch import SENT_CHARACTERS, first_url, with_pages
from pages.html_text import text_of_html
from pages.page import Page
from rigs.harness import python


@pytest.mark.parametrize(
    ("record", "url"),
    [
        ({"content": "see https://a.example/x, and http://b.example"}, "https://a.example/x"),
        ({"content": "(HTTP://A.example/y?z=1&q=2#top)."}, "HTTP://A.example/y?z=1&q=2#top"),
        ({"content": '<a href="https://a.example/x">'}, "https://a.example/x"),
        ({"content": "[name](https://a.example/x)"}, "https://a.example/x"),
        ({"content": "https://a.example", "url": "http://b.example/"}, "http://b.example/"),
        ({"content": "https://a.example", "url": None}, "https://a.example"),
        ({"content": "www.a.example ftp://b.example"}, ""),
        ({"content": None}, ""),
    ],
)
def test_the_first_address_of_a_record_is_found(record, url):
    assert first_url(record) == url


def test_records_get_their_page_or_the_reason_why_not_and_each_page_is_fetched_once():
    asked = []

    def fetch(url: str) -> Page:
        asked.append(url)
        return Page(error="status 404") if "bad" in url else Page("text " * SENT_CHARACTERS)

    contents = ["http://good.example", "http://bad.example", "none", "http://good.example again"]
    records: list[Record] = [
        {"record_id": str(n), "content": text} for n, text in enumerate(contents)
    ]
    good, bad, none, again = with_pages(records, fetch)
    assert sorted(asked) == ["http://bad.example", "http://good.example"]
    assert good["page"] == again["page"] and len(good["page"]) == SENT_CHARACTERS
    assert (bad["page"], bad["page_error"]) == ("", "status 404")
    assert (none["page"], none["page_url"], none["page_error"]) == ("", "", None)
    assert [one["record_id"] for one in (good, bad, none, again)] == ["0", "1", "2", "3"]


def test_requests_is_imported_by_who_fetches_and_by_nobody_else():
    code = "import sys, data_enrichment, common.runner.run; print('requests' in sys.modules)"
    assert python(code).stdout == "False\n"


def test_html_becomes_what_a_reader_sees():
    html = """<!doctype html><html><head><title>Tea &amp; Pottery</title><style>p{color:red}</style>
    <script>if (a < b) alert("<p>no</p>")</script></head><body><!-- not <b>this</b> -->
    <h1>Mugs</h1><p>From <b>Fern</b>hill,<br>with 3 < 4 handles.</p>
    <table><tr><td>Blue<td>12&nbsp;€</table></body>"""
    assert (
        text_of_html(html) == "Tea & Pottery\nMugs\nFrom Fernhill,\nwith 3 < 4 handles.\nBlue 12 €"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<" * 200_000, "<!--" * 50_000, "<script>" * 25_000, "<a " * 66_000, "<p" * 100_000,
        "</script" * 25_000,
        "<title" * 33_000, "<!" * 100_000, "&" * 200_000, "<title>" * 28_000,
        "<svg><script>" * 15_000, "&#x" * 66_000,
    ],
)  # fmt: skip
def test_html_that_is_made_to_take_for_ever_does_not(html):
    began = time.process_time()
    text_of_html(html)
    assert time.process_time() - began < 5
