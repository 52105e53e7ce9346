"""Fetches the pages that records point to, before the records are sent. Notes what it cannot get.

What a page says is written by others, as a record is: it travels escaped, in an element of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from common.job import Record
from common.process.log import log
from common.process.words import counted
from pages.page import Page
from pages.page import fetch as fetch_page

AT_ONCE = 16
SENT_CHARACTERS = 10_000  # of a page's text: about 3,000 tokens

_URL = re.compile(r"""https?://[^\s<>"'`\\^{}|]+""", re.IGNORECASE)
_NOT_ITS_END = ".,;:!?)]*_~"


def with_pages(
    records: list[Record], fetch: Callable[[str], Page] | None = None, text: str = "content"
) -> list[Record]:
    """The records with `page`, `page_url` and `page_error`, "" where there is none.

    `text`: the column with the address.
    """
    urls = [first_url(record, text) for record in records]
    wanted = list(dict.fromkeys(url for url in urls if url))
    pages = dict(zip(wanted, _fetched(wanted, fetch), strict=True)) if wanted else {}
    if failed := [page.error for page in pages.values() if page.error]:
        log.warning(
            "%s of %s could not be read: %s", len(failed), counted(len(pages), "page"), failed[0]
        )
    return [_with_page(record, url, pages) for record, url in zip(records, urls, strict=True)]


def first_url(record: Record, text: str = "content") -> str:
    """The address in a record's column `url`, else the first one in its text, or ""."""
    for value in (record.get("url"), record.get(text)):
        if found := _URL.search(str(value or "")):
            return found.group().rstrip(_NOT_ITS_END)
    return ""


def _fetched(urls: list[str], fetch: Callable[[str], Page] | None) -> list[Page]:
    with ThreadPoolExecutor(AT_ONCE, "fetch") as threads:
        return list(threads.map(fetch or fetch_page, urls))


def _with_page(record: Record, url: str, pages: dict[str, Page]) -> Record:
    page = pages.get(url, Page())
    return {
        **record,
        "page": page.text[:SENT_CHARACTERS],
        "page_url": url,
        "page_error": page.error or None,
    }
