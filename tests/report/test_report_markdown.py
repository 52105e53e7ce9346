"""What the Markdown of a report says. (test_markdown_safety.py: that no text becomes markup.)"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from common.report import phrases
from common.report.day_report import Entry, Section, Unread
from common.report.markdown import markdown
from common.report.plain_text import plain
from rigs.sample_report import FOOTER, THEMES, quiet, sample, with_text


def test_long_texts_are_cut_where_a_word_ends() -> None:
    long = "word " * 300
    text = markdown(with_text(long))
    assert max(len(quote) for quote in re.findall("“(.*?)”", text)) <= 200
    assert max(len(title) for title in re.findall("(?m)^### (.*)$", text)) <= 120
    assert "word…”" in text
    assert len(plain("x" * 5000, 200)) == 200
    assert plain("x" * 200, 200) == "x" * 200


def test_the_sample_reads_as_it_should() -> None:
    text = markdown(sample())
    assert text.startswith("# Daily report, Saturday 21 November 2026\n\n## What matters\n")
    assert "**714 records**, 12 % more than the average of the previous 7 days (638)." in text
    assert "Busiest hour: 15:00, with 71 records. Times are in Europe/Berlin." in text
    assert "### Parcels held at the depot\n\n**18 %**, 128 records\n" in text
    assert "> 08:42, record 48117 — “My tracking says held at depot since Wednesday." in text
    assert "- [ ] **Repair or withdraw the code HELLO10** (93 records, now)\n\n  And refund" in text
    assert "- record 48391 — answer cut off three times\n" in text
    assert text.endswith("48,210 tokens in, 6,120 out · $0.0788 · run 20261122T020001Z-4711\n")
    assert "Demo" not in text
    headings = re.findall("(?m)^## (.*)$", text)
    assert headings == [
        "What matters",
        "Action items",
        "Anomalies",
        "Themes",
        "In figures",
        "What could not be read, and why",
    ]


def test_the_bars_are_aligned_and_a_zero_hour_is_a_quiet_dot() -> None:
    fences = re.findall(r"```text\n(.*?)\n```", markdown(sample()), re.DOTALL)
    hours, days = (fence.splitlines() for fence in fences)
    assert len(hours) == 24 and len(days) == 8
    assert hours[2] == "02   ·"
    assert hours[15] == "15  71  " + "█" * 32
    assert hours[1] == "01   1  ▌"
    assert {line.index("  ", 4) for line in hours if "█" in line} == {6}
    assert days[0].startswith("Sat 14 Nov  612  █") and days[-1].endswith("  ← this day")
    assert max(map(len, hours + days)) < 64


def test_one_record_is_seen_beside_thousands() -> None:
    text = markdown(replace(sample(), by_hour=(("00", 1), ("01", 9000))))
    assert "00      1  ▏\n01  9,000  █" in text


@pytest.mark.parametrize("hours", [23, 25])
def test_a_day_on_which_the_clocks_change_shows_the_hours_it_had(hours: int) -> None:
    labels = [f"{hour:02}" for hour in range(24)]
    labels = labels[:2] + labels[3:] if hours == 23 else labels[:3] + labels[2:]
    text = markdown(replace(sample(), by_hour=tuple((label, 4) for label in labels)))
    assert f"this day had {hours} hours." in text
    assert len(re.findall(r"(?m)^\d\d +4  █+$", text)) == hours


def test_an_unfinished_day_says_that_there_is_nothing() -> None:
    text = markdown(quiet())
    assert "**0 records**. Times are" in text
    assert "No summary: the day has no records\n" in text
    assert "None today." not in text
    assert markdown(replace(quiet(), records=1)).count("None today.") == 3
    assert "```" not in text and "could not be read" not in text


def test_a_report_of_the_stand_in_says_so_at_the_top_and_at_the_end() -> None:
    lines = markdown(replace(sample(), footer=replace(FOOTER, demo=True))).strip().splitlines()
    assert phrases.DEMO in lines[2] and phrases.DEMO_MADE in lines[-1]


def test_at_most_twenty_unread_records_are_listed() -> None:
    unread = tuple(Unread(str(number), "refused") for number in range(1025))
    text = markdown(replace(sample(), unread=unread, ids_removed=0, undated=0))
    assert text.count("— refused") == 20
    assert "1,025 records of this day could not be read, so no theme counts them:" in text
    assert "\n- and 1,005 more\n" in text


def test_one_is_singular() -> None:
    text = markdown(
        replace(
            sample(),
            records=1,
            by_hour=(("09", 1),),
            previous=((date(2026, 11, 20), 1),),
            sections=(Section("themes", (Entry("t", "", 1, ()),)),),
            unread=(Unread("1", "refused"),),
            ids_removed=1,
            undated=1,
            footer=replace(FOOTER, requests=1, input_tokens=1),
        )
    )
    for said in (
        "**1 record**, as many as the day before (1).",
        "with 1 record.",
        "**100 %**, 1 record\n",
        "1 record of this day could not be read, so no theme counts it:",
        "The model named 1 record id that it was not shown; it was removed.",
        "1 record of the source has no readable time, so it belongs to no day.",
        "· 1 request · 1 token in,",
    ):
        assert said in text


def test_a_section_of_the_users_own_is_shown_like_themes() -> None:
    own = Section("open_questions_asked", THEMES.entries)
    text = markdown(replace(sample(), sections=(own,)))
    assert (
        "## Open questions asked\n\n### Parcels held at the depot\n\n**18 %**, 128 records" in text
    )


def test_a_missing_price_is_said() -> None:
    text = markdown(replace(sample(), footer=replace(FOOTER, usd=None, model="claude_x")))
    assert "cost unknown: no price for claude_x · run" in text
