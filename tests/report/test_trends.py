"""How a theme stands against the days before: by the stored reports alone, and not by chance."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from common.ledger.reported.stored_reports import StoredEntry, StoredReport
from common.report.day_report import DayReport, Section, Trend
from common.report.digests import Group
from common.report.findings_sheet import findings_sheet
from common.report.markdown import markdown
from common.report.report_page import html
from common.report.trend import trend_words
from common.report.trend.trends import Past
from rigs.sample_report import DAY, THEMES, sample

OLD = "2026-10-01-abcdef-1"  # a theme that began long before


def day(before: int) -> str:
    return str(DAY - timedelta(days=before))


def entry(records: int, theme: str = OLD, title: str = "Parcels", section: str = "themes"):
    return StoredEntry(section, title, "", "", tuple(map(str, range(records))), theme)


def stored(before: int, *entries: StoredEntry, records: int = 50) -> StoredReport:
    return StoredReport(day(before), records, "Quiet.", "a", entries, traced=True)


def week(*counts: int, theme: str = OLD) -> Past:
    """The days before, the last one first, on which a theme had so many records."""
    reports = [
        stored(n, *([entry(count, theme)] if count else []), entry(9, "2026-10-02-a-1", "Other"))
        for n, count in enumerate(counts, 1)
    ]
    return Past(DAY, reports[::-1])


def group(records: int, theme: str = OLD) -> Group:
    return Group("themes", "Parcels", "", frozenset(map(str, range(records))), theme=theme)


def trend(past: Past, records: int, theme: str = OLD) -> Trend:
    found = past.trend(group(records, theme))
    assert found
    return found


@pytest.mark.parametrize(
    ("today", "before", "kind"),
    [
        (30, [10] * 7, "up"),
        (10, [30] * 7, "down"),
        (33, [30] * 7, "usual"),
        # Twice as many of very few are chance.
        (2, [1] * 7, "usual"),
        (1, [3] * 7, "usual"),
        (4, [1] * 7, "up"),
        (6, [4, 5, 3, 4, 4, 5, 3], "usual"),
        # Of very many, some more are not much.
        (1_150, [1_000] * 7, "usual"),
        (1_300, [1_000] * 7, "up"),
        # One day says less than seven.
        (16, [10], "usual"),
        (16, [10] * 7, "up"),
        (8, [17], "down"),
        (9, [0] * 6 + [1], "up"),
    ],
)
def test_more_or_less_is_said_where_chance_alone_would_seldom_do_it(today, before, kind):
    assert trend(week(*before), today).kind == kind


def test_a_theme_is_compared_with_the_days_since_it_began_that_had_records_and_themes():
    past = week(12, 8, 0, 0, theme=f"{day(2)}-a-1")
    found = trend(past, 10, f"{day(2)}-a-1")
    assert (found.kind, found.usual) == ("usual", 10)
    assert [count for _, count in found.days] == [None, None, None, 0, 0, 8, 12]
    nothing = stored(1, records=0)
    unmerged = stored(2, entry(3, ""))  # no theme of it has a name
    past = Past(DAY, [stored(3, entry(6)), unmerged, nothing])
    found = trend(past, 6)
    assert (found.kind, found.usual) == ("usual", 6)
    assert [count for _, count in found.days][-3:] == [6, None, 0]


def test_a_day_on_which_nobody_looked_whether_a_theme_went_on_says_nothing_of_it():
    first, theme = replace(stored(4, entry(5, "x")), traced=False), f"{day(3)}-a-1"
    untraced = replace(stored(3, entry(8, theme)), traced=False)
    past = Past(DAY, [first, untraced, stored(2, entry(6, theme)), stored(1, entry(3, "y"))])
    assert [count for _, count in trend(past, 6, theme).days][-4:] == [None, 8, 6, 0]
    looked = Past(DAY, [first, stored(3, entry(8, theme)), stored(2, entry(6, theme))])
    assert [count for _, count in trend(looked, 6, theme).days][-4:] == [0, 8, 6, None]


def test_a_theme_that_began_today_is_new_and_nothing_is_said_without_an_id():
    assert trend(week(5), 8, f"{DAY}-a-1").kind == "new"
    assert week(5).trend(group(8, "")) is None


def test_a_day_so_far_is_up_where_it_is_already_and_never_down():
    past = replace(week(10, 10, 10), is_over=False)
    assert past.trend(group(1)) is None and past.trend(group(10)) is None
    assert trend(past, 30).kind == "up"
    assert past.gone("themes", set()) == ()


def test_what_the_last_day_with_records_had_is_gone_unless_it_was_tiny_or_goes_on():
    last = stored(
        2,
        entry(5, "a", "Small"),
        entry(9, "b", "Large"),
        entry(2, "c", "Tiny"),
        entry(7, OLD),
        entry(8, "", "Nobody's"),
        entry(8, "e", "Elsewhere", "other_themes"),
    )
    past = Past(DAY, [stored(3, entry(50, "d", "Gone before")), last, stored(1, records=0)])
    gone = past.gone("themes", {OLD})
    assert [(one.title, one.records, one.seen) for one in gone] == [
        ("Large", 9, date(2026, 11, 19)),
        ("Small", 5, date(2026, 11, 19)),
    ]


HOSTILE = 'x"><script>`*_<b>\n# y'


def with_trends() -> DayReport:
    up, down, new, usual, _ = THEMES.entries
    counts = [None, None, 0, 3, None, 6, 3]
    days = tuple((DAY - timedelta(days=7 - n), count) for n, count in enumerate(counts))
    since = tuple(one for one, count in days if count)
    entries = (
        replace(up, trend=Trend("up", 4, since, days)),
        replace(down, trend=Trend("down", 102.4, since[-1:], days)),
        replace(new, trend=Trend("new", 0, (), days)),
        replace(usual, trend=Trend("usual", 21.5, since, days)),
    )
    last = stored(1, *(entry(9 - n, f"{n}", HOSTILE) for n in range(6)))
    gone = Past(DAY, [last]).gone("themes", ())
    return replace(sample(), sections=(Section("themes", entries, gone),))


def test_a_trend_is_said_in_words_beside_its_arrow_and_its_drawing_has_a_text():
    page = html(with_trends())
    said = re.sub(r"<svg.*?</svg>", "", page)
    assert '<span aria-hidden="true">↑ </span>up from 4 a day' in said
    assert '<span aria-hidden="true">↓ </span>down from 102 the day before' in said
    assert "as usual (22 a day)" in said and "</span>new</span>" in said
    drawings = re.findall(r"<svg.*?</svg>", page)
    assert len(drawings) == 3, "none where it is new"
    label = "Mon 0, Tue 3, Wed not known, Thu 6, Fri 3, Sat 128"
    assert f'role="img" aria-label="Records by day: {label}"' in drawings[0]
    assert drawings[0].count("<polyline") == 2, "a gap where nobody knows"
    text = markdown(with_trends())
    assert "**18 %**, 128 records, ↑ up from 4 a day `·▁ ▁▁█`" in text


def test_titles_of_what_is_gone_are_text_and_few_are_named():
    for written in (html(with_trends()), markdown(with_trends())):
        assert "Gone since the day before:" in written and "1 smaller one." in written
        assert "(9 records)" in written and "(4 records)" not in written
        assert not re.search(r"(?<!\\)<script>", written) and "\n# y" not in written


def test_the_table_has_the_trend_of_a_theme_in_each_of_its_rows():
    rows = findings_sheet(with_trends()).split("\r\n")
    assert [row.rsplit(",", 1)[1] for row in rows if row.startswith('"themes"')] == [
        *['"up"'] * 3,
        *['"down"'] * 2,
        '"new"',
        '"as usual"',
    ]


def test_a_drawing_ends_with_the_last_day_that_is_known():
    days = [(DAY - timedelta(days=n), count) for n, count in ((3, None), (2, 1), (1, 2), (0, None))]
    drawn = trend_words.drawing_of(days)
    assert '<polyline points="3,10.0 11,3.0"/><circle cx="11" cy="3.0"' in drawn
    assert "not known" not in drawn
