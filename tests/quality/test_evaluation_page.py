"""The page of an evaluation: whole, private, without scripts, every text escaped."""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rigs.evaluation_site import (
    HAIKU,
    SONNET,
    answer_otherwise,
    evaluate,
    figures,
    fill,
    labels_file,
    measured,
)


@pytest.fixture
def evening(claude):
    """A site late on 2026-11-28, in UTC."""
    site = claude()
    site.today = datetime(2026, 11, 28, 23, 30, tzinfo=UTC)
    return site


class Tables(HTMLParser):
    """The cells of every table, row by row; and whether all that is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "wbr"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "table" in self.open and {"td", "th"} & {*self.open}:
            self.tables[-1][-1][-1] += data


def page_of(site, day: str = "2026-11-28") -> str:
    path: Path = site.root / f"reports/evaluations/measured-{day}.html"
    return path.read_text(encoding="utf-8")


def test_the_confusion_table_has_every_pair_and_the_page_stands_by_itself(evening):
    said = fill(evening, 200)
    result = evaluate(evening, labels_file(evening, said), "--json")
    found = figures(result)
    page = page_of(evening)
    read = Tables(page)
    assert not read.open
    assert not re.search(r"<script|src=|href=|@import|url\(", page)
    values, confusion, wrong = read.tables
    assert values[0] == ["Value", "Expected", "Got", "Precision", "Recall", "F1"]
    assert len(values) == 5
    across = confusion[0][1:]
    counts = {
        (row[0], got): int(cell)
        for row in confusion[1:]
        for got, cell in zip(across, row[1:], strict=True)
        if cell
    }
    expected = {(one["expected"], one["got"]): one["count"] for one in found["confusions"]}
    expected |= {
        (value, value): one["right"] for value, one in found["fields"]["label"]["values"].items()
    }
    assert counts == expected
    assert len(wrong) - 1 == len(found["wrong"]) > 20
    assert all(
        row[0].startswith(one["id"]) for row, one in zip(wrong[1:], found["wrong"], strict=True)
    )
    assert f"Accuracy {found['accuracy']:.3f}" in page
    assert found["page"].endswith("reports/evaluations/measured-2026-11-28.html")
    assert f"Page: {found['page']}" in evaluate(evening, labels_file(evening, said)).stdout


def test_a_record_without_an_answer_has_a_column_of_its_own(claude):
    site = claude(faults=[{"kind": "refusal", "when": {"record": "2"}}])
    site.today = datetime(2026, 11, 28, tzinfo=UTC)
    site.events((n, "Where is my parcel?", "2026-11-20") for n in (1, 2))
    assert evaluate(site, labels_file(site, {"1": "Parcel", "2": "Parcel"})).code == 0
    _, confusion, _ = Tables(page_of(site)).tables
    assert confusion == [["", "Parcel", "(no answer)"], ["Parcel", "1", "1"]]


def test_it_is_private_and_the_last_one_of_a_day_stays(evening):
    path = labels_file(evening, fill(evening, 10))
    assert evaluate(evening, path).code == 0
    first = page_of(evening)
    assert evaluate(evening, path, job=measured(instructions="Label it.")).code == 0
    files = [*(evening.root / "reports/evaluations").iterdir()]
    assert [file.name for file in files] == ["measured-2026-11-28.html"]
    assert page_of(evening) != first
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    evening.today = datetime(2026, 11, 29, tzinfo=UTC)
    assert evaluate(evening, path).code == 0
    assert page_of(evening, "2026-11-29")


def test_every_text_is_escaped_and_long_ones_are_cut(evening):
    hostile = "<script>alert('x')</script> & \u202e parcel " + "long " * 200
    evening.events([("<b>1</b>", hostile, "2026-11-20"), ("2", "My refund", "2026-11-20")])
    path = labels_file(evening, {"<b>1</b>": "Refund", "2": "Refund"})
    result = evaluate(evening, path)
    assert result.code == 0
    page = page_of(evening)
    assert "<script" not in page and "<b>1" not in page and "\u202e" not in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page and "&lt;script&gt;alert(&#x27;x" in page
    assert "long " * 100 not in page
    assert not Tables(page).open
    assert "\u202e" not in result.stdout


def test_two_models_stand_side_by_side_on_it(evening):
    said = fill(evening, 20)
    path = labels_file(evening, said)
    both = ("--model", HAIKU, "--model", SONNET)
    assert evaluate(evening, path, *both).code == 0
    answer_otherwise(evening, SONNET, {"4": "Other" if said["4"] != "Other" else "Parcel"})
    result = evaluate(evening, path, *both, "--json")
    page = page_of(evening)
    assert "Side by side" in page and "Only claude-sonnet-5-5 right" in page
    differing = Tables(page).tables[0]  # what was asked for comes first
    assert [row[0] for row in differing[1:]] == [
        one["id"] for one in figures(result)["side_by_side"]["differing"]
    ]
    assert "4" in [row[0] for row in differing[1:]]
    scrolled = re.findall(r'<div class="wide" tabindex="0" role="region" aria-label="(.+?)">', page)
    assert len(scrolled) == len(set(scrolled)) == page.count("<table") == 7


def test_where_it_cannot_be_written_the_figures_are_told_all_the_same(evening):
    path = labels_file(evening, fill(evening, 10))
    (evening.root / "reports").write_text("in the way")
    result = evaluate(evening, path)
    assert result.code == 73 and "could not be used" in result.log
    assert "ACCURACY" in result.stdout and "Page:" not in result.stdout
    found = figures(evaluate(evening, path, "--json"))
    assert (found["exit_code"], found["page"], found["n"]) == (73, None, 10)


def test_a_demo_says_so(evening):
    path = labels_file(evening, {"1": "Parcel", "2": "Parcel"})
    job = measured()
    result = evening.run(job, "--demo", "--eval", path)
    assert result.code == 0, result.log
    (page,) = (evening.root / "state/demo/reports/evaluations").iterdir()
    assert "Demo: no model was asked" in page.read_text()
