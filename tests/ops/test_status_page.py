"""The status page and the text: one source, one meaning for each colour, absolute times, money."""

from __future__ import annotations

import fcntl
import html
import re
from datetime import timedelta

import pytest

from common import times
from ops import status
from ops.facts import colours
from ops.facts.colours import MEANINGS, Tone
from rigs.harness import REPOSITORY
from rigs.status_site import StatusSite, ago, run_id


@pytest.fixture
def here(tmp_path, databases):
    return StatusSite(tmp_path, databases)


def page_of(here, **environ):
    assert here.ask(status, "--html", **environ).code == 0
    return (here.root / "reports/status.html").read_text()


def words(text):
    """What a text says, without how it is set out: a bar at the terminal is a bar of the page."""
    text = re.sub(r"<(style|title)>.*?</\1>|<svg.*?</svg>", "", text, flags=re.DOTALL)
    text = re.sub(r"</?(?:time|a|b|code|span|wbr)\b[^>]*>", "", text)
    text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    return " ".join(re.sub("[█░▁▂▃▄▅▆▇]", " ", text).split()).lower()


def busy(here):
    """A site with something of everything, and a lock that is held as long as it is kept."""
    for days, code in ((3, 0), (2, 69), (1, 0)):
        here.ran("sorter", ago(days=days), code, done=7 * days)
        here.told("sorter", ago(days=days), code, "Claude could not be reached" if code else "")
    here.records("sorter", "done", "a", at=ago(days=1))
    here.records("sorter", "failed", "b")
    here.records("sorter", "dead", "c", "d")
    at = ago(minutes=10)
    here.ran("sorter", at, None)
    here.change(
        "sorter",
        "update runs set records = 400, done = 99, dead = 1, usd = 0.25 where run_id = ?",
        run_id(at),
    )
    folder = here.root / "reports/sorter"
    folder.mkdir(parents=True)
    for day in ("2026-11-20", "2026-11-21"):
        (folder / f"{day}.html").write_text("a report")
    lock = (here.root / "state/sorter.lock").open("w+")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write(f"4711 {at} {run_id(at)}\n")
    lock.flush()
    return lock


def test_the_page_says_all_that_the_text_says(here, monkeypatch):
    at = times.now()
    monkeypatch.setattr(times, "now", lambda: at)
    with busy(here):
        page = words(page_of(here, MAX_COST_USD_MONTH="2"))
        lines = here.ask(status, "sorter", MAX_COST_USD_MONTH="2").out.splitlines()
    text = " ".join(words(line) for line in lines)
    for line in filter(None, map(words, lines)):
        # In the text a label stands beside what belongs to it, and long lines are broken.
        missing = [word for word in re.findall(r"\S+", line) if word not in page]
        assert not missing, line
    for sentence in (
        "100 of 400 records, $0.2500, 1 dead, about 30m left",
        "in the next run: 1 failed record asked again.",
        "this month, budget $2.00",
        "claude could not be reached",
        "dead letters, newest first (2)",
        "reports/sorter/2026-11-21.html (the newest of 2)",
        "began took code done failed dead cost",
    ):
        assert sentence in page and sentence in text, sentence


def test_a_run_under_way_shows_how_far_it_is(here):
    with busy(here):
        said = here.ask(status).out
        page = page_of(here)
    assert "100 of 400 records, $0.2500, 1 dead, about 30m left" in said
    assert "██████░" in said and "░ 25%" in said
    assert '<progress value="0.250" max="1" aria-label="running: 25%">' in page


def test_a_run_that_has_not_said_how_much_there_is_to_do_shows_no_progress(here):
    at = ago(minutes=10)
    here.ran("sorter", at, None)
    with (here.root / "state/sorter.lock").open("w+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"4711 {at} {run_id(at)}\n")
        lock.flush()
        assert "running" in here.ask(status).out and "░" not in here.ask(status).out
        assert "<progress" not in page_of(here)


def test_last_month_and_the_budgets_stand_beside_this_month(here):
    last_month = times.stamp(times.instant(f"{times.stamp()[:8]}01") - timedelta(hours=1))
    here.records("sorter", "done", "a", at=f"{last_month[:8]}01T00:00:00Z", usd=3.5)
    here.records("sorter", "done", "b", at=last_month, usd=0.5)
    here.records("sorter", "done", "c", usd=0.25)
    before = times.stamp(times.instant(f"{last_month[:8]}01") - timedelta(seconds=1))
    here.records("sorter", "done", "d", at=before, usd=100)
    caps = {"MAX_COST_USD": "2", "MAX_COST_USD_MONTH_SORTER": "50"}
    said = here.ask(status, **caps).out
    assert "$0.2500 today, budget $2.00   $0.2500 this month, budget $50.00" in said
    assert "$4.00 last month" in said and "is used" not in said
    assert "$0.2500 today, $0.2500 this month, $4.00 last month" in said
    cost = here.json(status, **caps)["jobs"][0]["cost"]
    assert (cost["last_month"], cost["most_today"], cost["most_month"]) == (4.0, 2.0, 50.0)
    assert "budget $" not in here.ask(status).out


def test_a_budget_that_is_nearly_used_needs_a_look(here):
    here.records("sorter", "done", "a", usd=0.5)
    here.records("sorter", "submitted", "b", usd=0.35)
    said = here.ask(status, MAX_COST_USD_MONTH="1").out
    assert "85% of MAX_COST_USD_MONTH is used this month" in said
    assert "is used" not in here.ask(status, MAX_COST_USD_MONTH="1.1").out
    assert '<p class="look">85% of' in page_of(here, MAX_COST_USD_MONTH="1")


def test_a_budget_that_is_no_amount_is_one_note(here):
    here.records("sorter", "done", "a")
    here.records("other", "done", "a")
    said = here.ask(status, MAX_COST_USD="much").out
    assert said.count("note: MAX_COST_USD: ") == 1
    assert "cannot be read" not in said and said.count("1 done") == 2


@pytest.mark.sqlite("files")
def test_reports_are_linked_and_the_index_where_there_is_one(here):
    here.job("sorter")
    here.job("sorter_two")
    for name in (
        "sorter/2026-11-09.html", "sorter/2026-11-10.html", "sorter/2026-11-10.md",
        "sorter/.2026-11-11.html.x", "evaluations/sorter-2026-11-02.html",
        "evaluations/sorter_two-2026-11-03.html", "review/sorter.csv",
    ):  # fmt: skip
        (here.root / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        (here.root / "reports" / name).write_text("")
    page = page_of(here)
    assert (
        '<a href="sorter/2026-11-10.html">reports/<wbr>sorter/<wbr>2026-11-10.html</a>'
        " (the newest of 2)" in page
    )
    assert page.count('<a href="evaluations/sorter-2026-11-02.html">') == 1
    assert '<a href="review/sorter.csv">' in page and "index.html" not in page
    (here.root / "reports/index.html").write_text("")
    assert '<a href="index.html">reports/index.html</a>' in page_of(here)
    assert "all reports: reports/index.html" in here.ask(status).out
    for path in re.findall(r'href="([^"]+)"', page_of(here)):
        assert (here.root / "reports" / path).is_file()


@pytest.mark.sqlite("a demo has files of its own")
def test_a_demo_links_to_its_own_reports(here):
    here.records("sorter", "done", "a", path="state/demo/sorter.db")
    for folder in ("reports", "state/demo/reports"):
        (here.root / folder / "sorter").mkdir(parents=True)
    (here.root / "reports/sorter/2026-11-12.html").write_text("")
    (here.root / "state/demo/reports/sorter/2026-11-10.html").write_text("")
    assert "state/demo/reports/sorter/2026-11-10.html" in here.ask(status, "--demo").out
    assert "2026-11-12" not in here.ask(status, "--demo").out


def test_weeks_are_reports_too(here):
    (here.root / "reports/weekly").mkdir(parents=True)
    for week in ("2026-W09", "2026-W47", "notes"):
        (here.root / f"reports/weekly/{week}.html").write_text("")
    here.job("weekly")
    (found,) = here.json(status)["jobs"][0]["written"]
    assert found == {"kind": "report", "path": "weekly/2026-W47.html", "count": 2}


def test_times_are_absolute_wherever_they_are_relative(here):
    with busy(here):
        page = words(page_of(here))
        text = words(here.ask(status, "sorter").out)
    for said in (page, text):
        relative = re.findall(r"(\S+ \S+) \d+[smhd](?: \d+[mh])? ago", said)
        assert relative
        for before in relative:
            assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,$", before), before
    assert "does not refresh itself" in page


def test_the_legend_gives_each_colour_one_meaning(here, monkeypatch):
    here.job("sorter")
    page = page_of(here)
    for tone, (name, meaning) in MEANINGS.items():
        assert f'<i class="{tone}" aria-hidden="true"></i>{name}: {meaning}</li>' in page
    assert "ended well" not in here.ask(status).out  # nothing is coloured there
    monkeypatch.setattr(colours, "wanted", lambda *_: True)
    said = here.ask(status).out
    for tone, (name, meaning) in MEANINGS.items():
        assert colours.painted(f"{name}: {meaning}", tone) in said


def test_every_colour_of_the_page_is_one_of_the_legend():
    palette = (REPOSITORY / "jobs/common/html_document.css").read_text()
    named = set(re.findall(r"--([a-z]+)(?:-paper|-bar)?: #", palette))
    neutral = {"paper", "ink", "quiet", "line", "raised", "accent"}
    assert named == neutral | {tone.value for tone in Tone if tone is not Tone.NOTHING}
    for style in (REPOSITORY / "jobs").rglob("*.css"):
        rest = re.sub(r":root \{.*?\}", "", style.read_text(), flags=re.DOTALL)
        assert not re.search(r"#[0-9a-f]{3,6}\b|rgba?\(|hsla?\(", rest), style
        assert style.name == "html_document.css" or ":root" not in style.read_text(), style


def test_the_charts_stand_in_line_whatever_they_show(here):
    here.ran("sorter", ago(days=1), 69)  # nothing done, nothing spent
    page = page_of(here)
    figures = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    assert len(figures) == 3
    shape = [re.sub(r">[^<]*<", "><", re.sub(r'="[^"]*"', "", figure)) for figure in figures]
    assert len(set(shape)) == 1
    assert all(figure.count("<rect") == 60 for figure in figures)
    axes = {found for figure in figures for found in re.findall('<p class="axis">.*?</p>', figure)}
    assert len(axes) == 1


def test_the_text_of_a_job_has_the_charts_of_the_page(here):
    here.ran("sorter", ago(days=1), 0, done=8)
    here.ran("sorter", ago(days=3), 0, done=1)
    (line,) = [
        line for line in here.ask(status, "sorter").out.splitlines() if "Records done" in line
    ]
    assert line[17:47] == " " * 26 + "▁ █ "
    assert line[49:].startswith("at most 8, on ") and line[49:].lower() in words(page_of(here))
