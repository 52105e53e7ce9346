"""`reports/index.html`: the list of all reports, made from their pages, and the links between them.

The pages are what is stored: a page that somebody removes is no longer listed, and its neighbours
link past it. Only the head of each page is read. Whoever brings the list up to date does it under a
lock, so that two jobs at once leave no day out.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path

from common.process.files import open_ours, write_whole
from common.publish.index_page import Page, Shelf, html
from common.publish.page_facts import (
    PageFacts,
    day_of,
    facts_in,
    first_sentence,
    with_neighbours,
)

NAME = "index.html"
_HEAD = 8192  # characters of a page in which its facts stand


def bring_up_to_date(reports: Path, job: str, *, wrote: bool) -> None:
    """Write the list anew, and the links between the job's pages, where a report was written or
    removed since.

    `reports` is the folder that has a folder for each job; the caller holds the lock of `job`, and
    `wrote` says that it has just put a page there. Where nothing has changed, it costs a look at
    each of these folders. Raises OSError, and JobExit (73) as files.py does.
    """
    if not reports.is_dir() or not (wrote or _is_outdated(reports)):
        return
    with _alone(reports):
        shelves = _shelves(reports)
        for shelf in shelves:
            if shelf.job == job:  # nobody else writes these pages now
                _link(reports / job, shelf.pages)
        if shelves:
            write_whole(reports / NAME, html(shelves))


def _is_outdated(reports: Path) -> bool:
    """Whether a folder of reports has changed since the list was written."""
    try:
        written = (reports / NAME).stat().st_mtime_ns
    except FileNotFoundError:
        written = 0
    # Files are only ever put into a folder by renaming, which changes the folder's own time.
    return any(
        folder.stat().st_mtime_ns >= written and bool(_stems(folder))
        for folder in reports.iterdir()
        if folder.is_dir()
    )


def _stems(folder: Path) -> list[str]:
    """The names of a folder's pages, the newest first."""
    with os.scandir(folder) as entries:
        found = [entry.name[:-5] for entry in entries if entry.name.endswith(".html")]
    return sorted(filter(day_of, found), reverse=True)


@contextmanager
def _alone(reports: Path) -> Iterator[None]:
    """Wait until nobody else brings the list up to date; that takes less than a second."""
    descriptor = open_ours(reports / ".index.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _shelves(reports: Path) -> list[Shelf]:
    """The reports of each job; the job with the most of them first."""
    folders = sorted(folder for folder in reports.iterdir() if folder.is_dir())
    found = [Shelf(folder.name, tuple(_pages(folder))) for folder in folders]
    shelves = [shelf for shelf in found if shelf.pages]
    return sorted(shelves, key=lambda shelf: len(shelf.pages), reverse=True)


def _pages(folder: Path) -> Iterator[Page]:
    """A folder's pages, the newest first."""
    for stem in _stems(folder):
        try:
            with (folder / f"{stem}.html").open(encoding="utf-8", errors="replace") as file:
                head = file.read(_HEAD)
                if facts := facts_in(head):
                    yield Page(stem, facts, has_facts=True)
                else:
                    older = _facts_of_an_older_page(head + file.read())
                    yield Page(stem, older, has_facts=False)
        except FileNotFoundError:  # removed just now
            continue


# What a page shows that was written before pages stated their facts.
_RECORDS = re.compile(r'<p class="total"><strong>([\d,]+)</strong>')
_MATTERS = re.compile(r'<section class="matters">.*?<p[^>]*>(.*?)</p>', re.DOTALL)
_ACTION = '<article class="action">'


def _facts_of_an_older_page(page: str) -> PageFacts:
    """The same facts of a page that does not state them."""
    records, matters = _RECORDS.search(page), _MATTERS.search(page)
    said = unescape(re.sub(r"<[^>]*>", "", matters[1])) if matters else ""
    return PageFacts(
        title="",
        records=int(records[1].replace(",", "")) if records else None,
        sentence=first_sentence(said),
        actions=page.count(_ACTION),
        demo='<p class="demo">' in page,
    )


def _link(folder: Path, pages: tuple[Page, ...]) -> None:
    """Let each page link to the ones before and after it; a page that does so is left alone."""
    stems = ["", *(page.stem for page in pages), ""]  # the newest first
    for page, following, previous in zip(pages, stems, stems[2:], strict=False):
        if page.has_facts and (page.facts.previous, page.facts.following) != (previous, following):
            path = folder / f"{page.stem}.html"
            text = path.read_text(encoding="utf-8", errors="replace")
            write_whole(path, with_neighbours(text, page.facts, previous, following))
