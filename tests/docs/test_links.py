"""Every link between our pages leads to a file that is there, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rigs.harness import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for name, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        path = page.parent / name if name else page
        assert path.exists(), f"{page.name} leads to {name}, which is not there"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{page.name} leads to {name}#{anchor}: no such heading"


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/day-30.md", "docs/reliability.md"])
def test_every_setting_and_option_that_a_page_names_is_there(name):
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    known = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    settings = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)\b", text))
    assert {one for one in settings if not re.search(rf"^#?{one}=", known, re.MULTILINE)} <= {
        "FETCH_URLS",  # of the job data_enrichment
        "CLAUDE_MODEL_BULK_CLASSIFIER",
    }
    paths = set(re.findall(r"`((?:jobs|tests|docs)/[\w./-]+)`", text))
    assert [path for path in sorted(paths) if not (REPOSITORY / path).exists()] == []
