"""The page and the Markdown of a week: no text becomes markup, and each count has its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from common.report.day_report import Gone, Section
from common.weeks import week_phrases
from common.weeks.iso_week import Week
from common.weeks.week_markdown import markdown
from common.weeks.week_page import html
from common.weeks.week_report import Course, DayOfWeek, WeekEntry, WeekReport, WentOn
from common.weeks.week_sheet import week_sheet
from rigs.hostile_texts import HOSTILE
from rigs.sample_report import FOOTER

WEEK = Week(date(2026, 11, 16))
COURSE = Course(
    by_day=(3, None, 0, 5, 1, 1, 2),
    record_ids=(("1", "2", "3"), (), (), ("4",) * 5, ("5",), ("6",), ("7", "=8")),
    first=WEEK.monday,
    change="up",
    before=4,
)


def with_text(text: str) -> WeekReport:
    """A report that has this text in every place where a text can be."""
    entry = WeekEntry(
        text, text, 12, (), course=COURSE, went_on=WentOn(theme=text, records=9, days=4)
    )
    days = tuple(
        DayOfWeek(day=day, records=count and 10, requests=2, usd=0.01)
        for day, count in zip(WEEK.days, COURSE.by_day, strict=True)
    )
    return WeekReport(
        title=text,
        timezone=text,
        records=50,
        summary=text,
        summary_missing="",
        sections=tuple(
            Section(name, (entry, replace(entry, urgency="now")), (Gone(text, 3, WEEK.monday),))
            for name in ("action_items", "anomalies", "themes")
        ),
        footer=FOOTER,
        week=WEEK,
        days=days,
        before=(7,) * 7,
        lacks="Without Tuesday 17, of which no report is stored.",
        commands=("./run_job.sh daily_report --date 2026-11-17",),
    )


class Tags(HTMLParser):
    """The elements of a page, in order, with their attributes' names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[object] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [name for name, _ in attrs]))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(tag)

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


def structure(text: str) -> list[str]:
    """The kinds of the tokens of a Markdown text; runs of text are one."""
    found = []
    for token in MarkdownIt("commonmark").parse(text):
        kinds = [one.type for one in token.children or ()]
        found += [token.type, *(kind for kind in kinds if kind not in ("text", "softbreak"))]
    return found


def test_a_hostile_text_in_every_field_stays_text():
    page, text = Tags(html(with_text("harmless"))).tags, structure(markdown(with_text("harmless")))
    for hostile in filter(str.strip, HOSTILE):
        report = with_text(hostile)
        if "(untitled)" in markdown(report):
            continue  # nothing of it can be seen
        assert Tags(html(report)).tags == page, hostile
        assert structure(markdown(report)) == text, hostile


def test_a_week_says_what_changed_what_went_on_and_what_is_missing():
    text = markdown(with_text("Late parcels"))
    assert "Named on Monday; “Late parcels” went on: 9 records since." in text
    assert "**24 %**, 12 records, ↑ up from 4, `▅ ·█▂▂▄`" in text
    assert "Gone since the week before: Late parcels (3 records)." in text
    assert "Without Tuesday 17, of which no report is stored." in text
    page = html(with_text("Late parcels"))
    assert "Tue not known" in page and 'title="Tuesday 17 November 2026: not known"' in page
    assert '"themes","Late parcels","\'=8","2026-11-22"' in week_sheet(with_text("Late parcels"))


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (date(2026, 11, 16), "week 47, 16 to 22 November 2026"),
        (date(2026, 11, 30), "week 49, 30 November to 6 December 2026"),
        (date(2026, 12, 28), "week 53, 28 December 2026 to 3 January 2027"),
    ],
)
def test_a_week_says_from_when_to_when_it_is(first, expected):
    assert replace(with_text(""), week=Week(first)).period_in_words == expected


def test_a_whole_week_is_compared_by_its_sum_and_others_by_the_mean_of_a_day():
    report = with_text("")
    assert week_phrases.compared(report).startswith("8.3 a day, after 7 in the week before (6 days")
    whole = replace(report, days=tuple(replace(day, records=8) for day in report.days))
    assert week_phrases.compared(whole) == "14 % more than the week before (49)"
    assert week_phrases.compared(replace(whole, before=(None,) * 7)) == ""
