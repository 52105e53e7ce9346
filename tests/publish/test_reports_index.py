"""reports/index.html: the list of all reports, made from their pages, and how these are linked."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from dataclasses import replace
from datetime import date, datetime
from html import unescape
from pathlib import Path

import pytest

from common.process.exits import JobExit
from common.publish import reports_index
from common.publish.index_page import Shelf
from common.publish.page_facts import first_sentence, label
from common.report import write
from rigs.sample_report import quiet, sample, with_text


def put(reports: Path, *days: str, job: str = "daily_report", until: str = "") -> None:
    """Write the sample's report as that of each of these days."""
    for day in days:
        at = datetime.fromisoformat(until) if until else None
        write(replace(sample(), day=date.fromisoformat(day), until=at), reports / job)


def listed(reports: Path) -> list[str]:
    """The pages that the list's links lead to, from top to bottom."""
    return re.findall(r'href="([^"#]*)"', (reports / "index.html").read_text(encoding="utf-8"))


def links(reports: Path, stem: str, job: str = "daily_report") -> list[str]:
    """Where the links of a page's first line lead."""
    page = (reports / job / f"{stem}.html").read_text(encoding="utf-8")
    (line,) = re.findall(r'<nav class="days".*', page)
    return re.findall(r'href="([^"]*)"', line)


def update(reports: Path, job: str = "daily_report", *, wrote: bool = False) -> None:
    reports_index.bring_up_to_date(reports, job, wrote=wrote)


def test_the_list_says_of_each_day_what_its_page_says_the_newest_first(tmp_path):
    put(tmp_path, "2026-10-31", "2026-11-20", "2026-11-21")
    update(tmp_path)
    assert listed(tmp_path) == [
        "daily_report/2026-11-21.html",
        "daily_report/2026-11-20.html",
        "daily_report/2026-10-31.html",
    ]
    page = unescape((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert page.count("<span>714 records</span><span>4 actions open</span>") == 3
    assert first_sentence(sample().summary) in page and sample().summary not in page
    assert page.index("November 2026") < page.index("October 2026")
    assert (tmp_path / "index.html").stat().st_mode & 0o777 == 0o600


def test_each_page_links_to_the_ones_before_and_after_it_and_to_the_list(tmp_path):
    put(tmp_path, "2026-11-19", "2026-11-21")
    update(tmp_path)
    put(tmp_path, "2026-11-20")  # a day that comes late
    update(tmp_path)
    assert links(tmp_path, "2026-11-19") == ["../index.html", "2026-11-20.html"]
    assert links(tmp_path, "2026-11-20") == ["2026-11-19.html", "../index.html", "2026-11-21.html"]
    assert links(tmp_path, "2026-11-21") == ["2026-11-20.html", "../index.html"]


def test_a_page_that_gets_a_neighbour_is_the_same_in_all_other_lines(tmp_path):
    report = with_text('<nav class="days">x</nav> <meta name="report" content="{}"> \\1 & "')
    write(replace(report, day=date(2026, 11, 20)), tmp_path / "daily_report")
    before = (tmp_path / "daily_report/2026-11-20.html").read_text(encoding="utf-8").splitlines()
    put(tmp_path, "2026-11-21")
    update(tmp_path)
    after = (tmp_path / "daily_report/2026-11-20.html").read_text(encoding="utf-8").splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line[:18] for line in changed] == ['<meta name="report', '<nav class="days" ']
    assert (tmp_path / "daily_report/2026-11-20.html").stat().st_mode & 0o777 == 0o600


def test_a_page_that_somebody_removed_is_no_longer_listed_and_linked_past(tmp_path):
    put(tmp_path, "2026-11-19", "2026-11-20", "2026-11-21")
    update(tmp_path)
    (tmp_path / "daily_report/2026-11-20.html").unlink()
    update(tmp_path)
    assert len(listed(tmp_path)) == 2
    assert links(tmp_path, "2026-11-21") == ["2026-11-19.html", "../index.html"]


def test_where_nothing_has_changed_nothing_is_read_or_written(tmp_path, monkeypatch):
    put(tmp_path, "2026-11-20", "2026-11-21")
    update(tmp_path)
    os.utime(tmp_path / "daily_report", (1e9, 1e9))
    written = (tmp_path / "index.html").stat().st_mtime_ns
    monkeypatch.setattr(Path, "open", None)
    update(tmp_path)
    assert (tmp_path / "index.html").stat().st_mtime_ns == written


def test_a_run_that_died_before_the_list_is_made_up_for_by_the_next(tmp_path):
    put(tmp_path, "2026-11-20")
    update(tmp_path)
    put(tmp_path, "2026-11-21")
    update(tmp_path)  # by a run that has written nothing itself
    assert len(listed(tmp_path)) == 2


def test_the_reports_of_several_jobs_and_weeks_stand_in_one_list(tmp_path):
    put(tmp_path, "2026-11-20", "2026-11-21")
    put(tmp_path, "2026-11-20", job="shop_report")
    weekly = tmp_path / "weekly_report"
    weekly.mkdir()
    page = (tmp_path / "shop_report/2026-11-20.html").read_text(encoding="utf-8")
    (weekly / "2026-W47.html").write_text(page, encoding="utf-8")
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations/daily_report-2026-11-21.html").write_text("<p>no report</p>")
    update(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert text.index("Daily report") < text.index("Shop report")
    assert ">Week 47</a>" in text and "evaluations" not in text
    leads_to = re.findall('<a href="#([a-z_]+)">', text)
    assert leads_to == re.findall('<section id="([a-z_]+)">', text) and len(leads_to) == 3
    # The other job's pages are changed by its own runs alone: it may be writing them now.
    assert links(tmp_path, "2026-11-21") == ["2026-11-20.html", "../index.html"]


def test_two_jobs_at_once_leave_no_day_out(tmp_path):
    days = [f"2026-11-{day:02}" for day in range(1, 6)]

    def work(job: str) -> None:
        for day in days:
            put(tmp_path, day, job=job)
            update(tmp_path, job, wrote=True)

    threads = [threading.Thread(target=work, args=(job,)) for job in ("daily_report", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(listed(tmp_path)) == 2 * len(days)
    for job in ("daily_report", "other"):
        assert links(tmp_path, "2026-11-03", job) == [
            "2026-11-02.html",
            "../index.html",
            "2026-11-04.html",
        ]


def test_the_pages_are_looked_at_under_the_lock_that_whoever_writes_the_list_waits_for(
    tmp_path, monkeypatch
):
    put(tmp_path, "2026-11-21")
    look, refused = reports_index._shelves, []

    def looking(reports: Path) -> list[Shelf]:
        with (reports / ".index.lock").open() as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                refused.append(True)
        return look(reports)

    monkeypatch.setattr(reports_index, "_shelves", looking)
    update(tmp_path)
    assert refused == [True]


def test_a_page_of_an_older_version_is_listed_with_what_it_shows(tmp_path):
    put(tmp_path, "2026-11-21")
    path = tmp_path / "daily_report/2026-11-21.html"
    page = re.sub(r'<meta name="report"[^>]*>\n', "", path.read_text(encoding="utf-8"))
    path.write_text(re.sub(r'<nav class="days".*</nav>', "", page), encoding="utf-8")
    update(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "714 records" in text and "Parcels have been standing" in text


def test_a_day_without_records_and_a_day_so_far_are_marked(tmp_path):
    write(replace(quiet(), day=date(2026, 11, 20)), tmp_path / "daily_report")
    put(tmp_path, "2026-11-21", until="2026-11-21T14:05")
    update(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "No records." in text and "0 records" not in text
    assert 'href="daily_report/2026-11-21-so-far.html">Sat 21</a>' in text
    assert "so far, 14:05" in text
    assert links(tmp_path, "2026-11-20") == ["../index.html", "2026-11-21-so-far.html"]


def test_hostile_words_stay_words_in_the_list(tmp_path):
    write(with_text("<script>alert(1)</script>\" onclick='x'"), tmp_path / "daily_report")
    update(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script" not in text and "&lt;script&gt;alert(1)" in text
    assert "default-src 'none'" in text


def test_what_is_no_report_is_not_listed(tmp_path):
    put(tmp_path, "2026-11-21")
    for name in ("2026-02-30.html", "notes.html", "2026-W60.html", ".2026-11-21.html.x.part"):
        (tmp_path / "daily_report" / name).write_text("x")
    update(tmp_path)
    assert listed(tmp_path) == ["daily_report/2026-11-21.html"]


def test_a_link_in_the_place_of_the_lock_is_left_alone(tmp_path):
    put(tmp_path, "2026-11-21")
    (tmp_path / ".index.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JobExit) as end:
        update(tmp_path)
    assert end.value.code == 73
    assert not (tmp_path / "elsewhere").exists()


def test_without_any_report_there_is_no_list(tmp_path):
    update(tmp_path / "nothing")
    update(tmp_path)
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two. Three.", "One."),
        ("Costs $1.50 more. Two.", "Costs $1.50 more."),
        ("Ask Dr. Ng at St. Ives, e.g. today. Two.", "Ask Dr. Ng at St. Ives, e.g. today."),
        ("“Is it?” he asks. Two.", "“Is it?” he asks."),
        ("窯が壊れた。修理が必要だ。", "窯が壊れた。"),
        ("no end at all", "no end at all"),
        ("", ""),
        ("word " * 100, ("word " * 59).strip() + "…"),
    ],
)
def test_the_first_sentence_is_found(text, first):
    assert first_sentence(text.strip()) == first


def test_a_report_is_called_as_people_call_its_day():
    assert [label(stem) for stem in ("2026-11-21", "2026-11-21-so-far", "2026-W07", "", "x")] == [
        "Sat 21 Nov",
        "Sat 21 Nov",
        "Week 7",
        "",
        "",
    ]
