"""All evidence: each finding has all of its records on the page and in the table, each text once in
a section, the most urgent first, and ids are links where the job says to what.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import daily_report
from common.report import UrgentFinding, phrases
from common.report.day_report import DayReport, Entry, Section
from common.report.findings_sheet import COLUMNS, findings_sheet
from common.report.markdown import markdown
from common.report.report_page import html
from rigs.digest_answers import finding, own_answers
from rigs.relay import relayed
from rigs.report_site import events, report
from rigs.sample_report import DAY, quote, sample

DATE = DAY.isoformat()
MANY = tuple(quote(str(n), 8, n % 60, f"Where is parcel {n}?") for n in range(100, 127))
LINK = "https://shop.example.com/messages/{id}?from=report"


def page_of(site: Any, kind: str = "html") -> str:
    path = site.root / "reports/daily_report" / f"{DATE}.{kind}"
    return str(path.read_bytes().decode())


def rows_of(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def one_section(*entries: Entry, name: str = "themes", **more: Any) -> DayReport:
    return replace(sample(), sections=(Section(name, entries),), **more)


def test_a_finding_unfolds_to_all_of_its_records_and_the_table_has_them_too(claude) -> None:
    site = claude()
    site.events(events(DATE, 27))
    with relayed(site.standin, own_answers([finding("Parcels", *range(1, 28))])) as site.standin:
        assert report(site).code == 0
    page = page_of(site)
    for number in range(1, 28):
        assert page.count(f"Where is my parcel number {number}?<") == 1
    assert re.search(r"<details><summary><span [^>]*><strong>100 %</strong> · 27 records<", page)
    times = re.findall("<time>(.*?)</time>", page)
    assert times == [f"10:{n:02}" for n in range(1, 28)], "the oldest first"
    rows = rows_of(page_of(site, "csv"))
    assert rows[0] == ["section", "finding", "record_id", "created_at", "text", "trend"]
    assert rows[1] == [
        "themes",
        "Parcels",
        "1",
        f"{DATE}T10:01:00+00:00",
        "Where is my parcel number 1?",
        "",
    ]
    assert [row[2] for row in rows[1:]] == [str(number) for number in range(1, 28)]
    assert site.report(DATE).count("\n> ") == 3, "a few of them in a terminal"
    assert f"Every finding with all of its records: {DATE}.csv" in site.report(DATE)


def test_the_most_urgent_actions_stand_first_and_the_sections_as_a_morning_asks(claude) -> None:
    site = claude()
    site.events(events(DATE, 9))

    def answer(request: dict[str, Any], _answer: Any) -> Any:
        if "<findings" in request["messages"][0]["content"]:
            united = {"title": "Answer all", "detail": "", "findings": ["2", "4"]}
            nothing: dict[str, Any] = {"themes": [], "anomalies": []}
            return {"summary": "Quiet.", "action_items": [united], **nothing}
        return {
            "themes": [finding("Parcels", *range(1, 10))],
            "anomalies": [finding("Smoke", 3) | {"urgency": "now"}, finding("Rise", 1, 2, 3)],
            "action_items": [
                finding("Publish a page", 1, 2, 3, 4) | {"urgency": "later"},
                finding("Answer", 1, 2, 3) | {"urgency": "TODAY"},
                finding("Old digest", 1, 2),
                finding("Whatever", 5, 6, 7) | {"urgency": "at once!"},
                finding("Refund", 9) | {"urgency": "now"},
            ],
        }

    with relayed(site.standin, answer) as site.standin:
        assert report(site).code == 0
        merge = site.standin.texts()[-1]
    # The merge is told how urgent a finding is, where that is known.
    assert '<finding key="1" section="action_items" records="4" urgency="later">' in merge
    assert '<finding key="2" section="action_items" records="3" urgency="today">' in merge
    assert '<finding key="4" section="action_items" records="2">Old digest' in merge
    for text in (site.report(DATE), re.sub("<[^>]*>", "\n", page_of(site))):
        sections = ("Action items", "Anomalies", "Themes", "In figures")
        assert sorted(sections, key=text.index) == list(sections)
        assert text.index("Smoke") < text.index("Rise")
    boxes = re.findall(r"- \[ \] \*\*(.*?)\*\* \((.*?)\)", site.report(DATE))
    assert boxes == [
        ("Refund", "1 record, now"),
        ("Answer all", "3 records, today"),  # as urgent as the most urgent of what it unites
        ("Whatever", "3 records"),
        ("Publish a page", "4 records, later"),
    ]


def test_a_digest_is_asked_for_urgency_and_one_without_it_is_read(claude) -> None:
    schema = UrgentFinding.model_json_schema()
    assert "urgency" in schema["required"]
    assert schema["properties"]["urgency"]["enum"] == ["now", "today", "later"]
    assert UrgentFinding(title="a", detail="b", records=[]).urgency == ""
    assert daily_report.Digest.model_json_schema()["$defs"]["Finding"]["required"] == [
        "title",
        "detail",
        "records",
    ]


def test_a_text_stands_once_in_a_section_and_is_pointed_at_after_that() -> None:
    first = Entry("First", "", 27, MANY)
    second = Entry("Second", "", 3, (MANY[3], quote("7", 9, 5, "Only here."), MANY[4]))
    page = html(one_section(first, second))
    for one in MANY:
        assert page.count(f"{one.text}<") == 1
    again = page[page.index("Only here.") :]
    assert "record <bdi>103</bdi>" in again and "record <bdi>104</bdi>" in again
    assert "Quoted above: " in again and "parcel 103" not in again
    text = markdown(one_section(first, second))
    assert text.count("> 09:05, record 7 — “Only here.”") == 1
    both = replace(
        sample(), sections=(Section("action_items", (first,)), Section("themes", (first,)))
    )
    assert html(both).count("Where is parcel 110?<") == 2, "once in each section"


def test_many_entries_are_folded_and_none_is_lost() -> None:
    entries = tuple(Entry(f"Theme {n}.", "", 1, (MANY[n],)) for n in range(15))
    page = html(one_section(*entries))
    folded = page[page.index('<details class="more"><summary>3 more</summary>') :]
    assert all(f"Theme {n}." in folded for n in (12, 13, 14)) and "Theme 11." not in folded
    assert "3 more: Theme 12.; Theme 13.; Theme 14." in markdown(one_section(*entries))
    assert len(rows_of(findings_sheet(one_section(*entries)))) == 16
    assert "more</summary>" not in html(one_section(*entries[:13])), "never one alone"


def test_records_over_the_most_that_a_page_has_are_in_the_table_alone(monkeypatch) -> None:
    monkeypatch.setattr(phrases, "EVIDENCE_SHOWN", 10)
    page = html(one_section(Entry("Parcels", "", 27, MANY)))
    assert page.count("<li><blockquote") == 10
    assert f'17 records more: <a href="{DATE}.csv">' in page
    assert len(rows_of(findings_sheet(one_section(Entry("Parcels", "", 27, MANY))))) == 28


def test_records_that_the_source_no_longer_has_are_counted_and_said() -> None:
    gone = one_section(Entry("Parcels", "", 29, MANY), Entry("Gone", "", 2, ()))
    page = html(gone)
    assert page.count("2 records are no longer in the source.") == 2
    assert rows_of(findings_sheet(gone))[-1] == ["themes", "Gone", "", "", "", ""]


@pytest.mark.parametrize(
    ("record_id", "path"),
    [
        ("17", "17"),
        ("a b/../c?x#y", "a%20b%2F..%2Fc%3Fx%23y"),
        ('"><script>', "%22%3E%3Cscript%3E"),
        ("](http://evil.example.com)", "%5D%28http%3A%2F%2Fevil.example.com%29"),
        ("ü\ud800", "%C3%BC%3F"),
    ],
)
def test_an_id_is_a_link_where_the_job_says_to_what(record_id: str, path: str) -> None:
    linked = one_section(Entry("Parcels", "", 1, (quote(record_id, 9, 12, "Hello"),)), link=LINK)
    address = f"https://shop.example.com/messages/{path}?from=report"
    assert f'<a href="{address}" rel="noreferrer"><bdi>' in html(linked)
    assert f"](<{address}>) — “Hello”" in markdown(linked)
    text = markdown(linked).split("> 09:12, record ")[1].split("\n", maxsplit=1)[0]
    assert len(re.findall(r"(?<!\\)\]", text)) == 1, "no id ends the text of its own link"
    assert "shop.example.com" not in html(replace(linked, link=""))


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+49 30 1", "@SUM(1)", "-1+cmd|'/c calc'!A0", "\t=1", "＝1"]
)
def test_no_cell_of_the_table_is_taken_for_a_formula(text: str) -> None:
    entry = Entry(text, "", 1, (quote(text, 9, 12, text),))
    section, title, record_id, at, content, _ = rows_of(
        findings_sheet(one_section(entry, name="=themes"))
    )[1]
    for cell in (section, title, record_id, content):
        assert cell.startswith("'")
    assert at == f"{DATE}T09:12:00+01:00"
    assert rows_of(findings_sheet(one_section(entry)))[0] == list(COLUMNS)


def test_the_job_puts_the_link_into_its_report(claude) -> None:
    site = claude()
    site.events(events(DATE, 2))
    job = replace(daily_report.JOB, link="http://127.0.0.1/{id}")
    with relayed(site.standin, own_answers([finding("Parcels", 1, 2)])) as site.standin:
        assert site.run(job, "--date", DATE).code == 0
    assert '<a href="http://127.0.0.1/2" rel="noreferrer">' in page_of(site)


@pytest.mark.parametrize(
    ("weeks", "said"),
    [
        ({1: 612}, ", and 17 % more than on the Saturday before (612)"),
        ({2: 612}, ", and 17 % more than on Saturday 7 November 2026 (612)"),
        ({1: 700, 2: 800}, ", and 5 % fewer than the average of the last 2 Saturdays (750)"),
        ({1: 0}, ", and after none on the Saturday before"),
        ({1: 0, 2: 0}, ", and after none on the last 2 Saturdays"),
        ({}, ""),
    ],
)
def test_a_day_is_compared_with_its_weekday_in_words(weeks: dict[int, int], said: str) -> None:
    days = tuple((DAY - timedelta(weeks=n), count) for n, count in sorted(weeks.items())[::-1])
    before = "12 % more than the average of the previous 7 days (638)"
    assert phrases.compared(replace(sample(), same_weekday=days)) == before + said


def test_the_same_weekday_is_known_from_the_reports_that_are_stored(claude) -> None:
    site = claude()
    first = 1
    for day, count in (("2026-10-31", 2), ("2026-11-07", 4), ("2026-11-14", 6), (DATE, 8)):
        site.events(events(day, count, first))
        first += 100
        assert report(site, "--date", day).code == 0
    # Four weeks before there is no report; the mean is of 2, 4 and 6.
    assert "twice" not in site.report(DATE)
    assert "100 % more than the average of the last 3 Saturdays (4)" in site.report(DATE)
