"""Every link between our pages leads to a file that is there, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common import settings
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


# Variables that are no settings of ours, and files that a page makes up.
_OTHERS = {
    "FETCH_URLS",  # of the job data_enrichment
    "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "TEST_POSTGRES_URL", "TEST_REDIS_URL",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS",
}  # fmt: skip
_MADE_UP = {"jobs/ticket_triage.py", "jobs/ticket_labels.py"}


def test_every_setting_that_a_page_names_is_there_and_options_names_each():
    jobs = ["job", "daily_report", "weekly_report", "bulk_classifier"]
    for page in PAGES:
        named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)\b", page.read_text(encoding="utf-8")))
        unknown = {one for one in named - _OTHERS if not settings.general_name(one, jobs)}
        assert unknown <= {"NAME_JOB"}, page.name
    options = (REPOSITORY / "docs/options.md").read_text(encoding="utf-8")
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    for name in settings.KNOWN:
        assert f"`{name}`" in options
        assert re.search(rf"^#?{name}=", example, re.MULTILINE), name


def test_every_path_that_a_page_names_is_there():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        paths = set(re.findall(r"`((?:jobs|tests|docs)/[\w./-]+)`", text)) - _MADE_UP
        missing = [path for path in sorted(paths) if not (REPOSITORY / path).exists()]
        assert [path for path in missing if path != "tests/.venv/"] == [], page.name
