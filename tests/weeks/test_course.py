"""What the code computes about a week, from the stored reports of its days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from common.ledger.reported.stored_reports import StoredReport
from common.report.digests import Group
from common.weeks import course
from common.weeks.iso_week import Week, week_named, week_of
from common.weeks.week_before import WeekBefore
from common.weeks.week_report import Course
from rigs.week_site import entry

WEEK = Week(date(2026, 11, 16))
SECTIONS = ["action_items", "anomalies", "themes"]


def day(number: int) -> date:
    """The so many-th day of the week, from 0; negative ones are of the week before."""
    return WEEK.monday + timedelta(days=number)


def reported(**days: object) -> dict[date, StoredReport]:
    """Stored reports by day: mon=[…], tue=[…] of the week; _mon=[…] of the week before."""
    names = "mon tue wed thu fri sat sun".split()
    found = {}
    for name, entries in days.items():
        at = day(names.index(name.lstrip("_")) - 7 * name.startswith("_"))
        found[at] = StoredReport(str(at), 9, "", "x", tuple(entries))  # type: ignore[arg-type]
    return found


def test_a_week_is_named_as_the_calendar_of_iso_8601_has_it():
    assert str(week_of(date(2027, 1, 1))) == "2026-W53" and week_named("2026-W53")
    assert str(week_of(date(2024, 12, 30))) == "2025-W01"
    assert week_named("2026-W54") is week_named("2025-W53") is week_named("2026-11-16") is None
    assert Week(date(2026, 12, 28)).days[-1] == Week(date(2026, 12, 28)).sunday


def test_the_findings_of_one_theme_are_one_that_says_what_each_day_said():
    late = {"theme": "t-1", "detail": "Late."}
    days = reported(
        mon=[entry("Late parcels", 1, 2, **late), entry("Cups", 3, theme="t-2")],
        wed=[entry("Parcels still late", 4, urgency="now", **{**late, "detail": "Later."})],
        thu=[entry("Refund", 4, section="action_items"), entry("Odd", 5, section="of_their_own")],
    )
    parcels, cups, refund = course.findings_of(WEEK, days, SECTIONS)
    assert (parcels.title, parcels.detail) == (
        "Parcels still late",
        "Monday: Late. Wednesday: Later.",
    )
    assert parcels.record_ids == {"1", "2", "4"} and parcels.days == {day(0), day(2)}
    assert parcels.urgency == "now"
    assert cups.title == "Cups" and refund.section == "action_items"


def test_actions_of_two_days_stay_two_findings():
    days = reported(
        mon=[entry("Refund", 1, section="action_items")],
        tue=[entry("Refund", 2, section="action_items")],
    )
    assert len(course.findings_of(WEEK, days, SECTIONS)) == 2


def test_an_action_says_whether_its_theme_went_on_after_its_day():
    late, cups = entry("Late", 1, 2, 3, 4, theme="t-1"), entry("Cups", 9, theme="t-2")
    days = reported(
        mon=[entry("Ask the courier", 1, section="action_items"), late, cups],
        wed=[entry("Late", 5, 6, theme="t-1")],
    )
    findings = course.findings_of(WEEK, days, SECTIONS)
    action = next(one for one in findings if one.section == "action_items")
    ids = course.ids_by_day(WEEK, days)
    went = course.went_on(action, findings, WEEK, ids)
    assert went and (went.theme, went.records, went.days) == ("Late", 2, 1)
    of_cups = replace(action, record_ids=frozenset({"9"}))
    went = course.went_on(of_cups, findings, WEEK, ids)
    assert went and (went.theme, went.records) == ("Cups", 0)
    on_the_last_day = replace(action, days=frozenset({day(2)}))
    assert course.went_on(on_the_last_day, findings, WEEK, ids) is None, "no later day is known"
    about_no_theme = replace(action, record_ids=frozenset({"77"}))
    assert course.went_on(about_no_theme, findings, WEEK, ids) is None


@pytest.mark.parametrize(
    ("counts", "before", "days_before", "change"),
    [
        ([4] * 7, 0, 7, "new"),
        ([4] * 7, 14, 7, "up"),
        ([4] * 7, 26, 7, "usual"),
        ([1] * 7, 28, 7, "down"),
        ([4, None, 4, None, 4, None, 4], 28, 7, "usual"),  # 16 on four days, 28 on seven
        ([4] * 7, 2, 1, "usual"),  # one day says little
        ([1, 0, 0, 0, 0, 0, 0], 2, 7, "usual"),  # less than three records away
    ],
)
def test_a_theme_is_compared_with_as_many_days_of_the_week_before(
    counts, before, days_before, change
):
    one = Course(by_day=tuple(counts), record_ids=((),) * 7, first=day(0))
    assert course.compared(one, before, days_before).change == change


def test_without_a_report_of_the_week_before_its_days_tell_which_themes_there_were():
    days = reported(
        _tue=[entry("Late", 1, 2, theme="t-1"), entry("Mould", 5, 6, 7, theme="t-3")],
        _wed=[entry("Late", 3, theme="t-1"), entry("One", 8, theme="t-4")],
        mon=[entry("Late", 11, theme="t-1")],
        tue=[entry("Still late", 12, theme="t-1"), entry("Cups", 13, theme="t-2")],
    )
    before = WeekBefore(WEEK, days, None)
    late, cups = course.findings_of(WEEK, days, SECTIONS)
    assert before.is_known and before.records_of(late) == 3 and before.records_of(cups) == 0
    (gone,) = before.gone("themes", [late, cups])
    assert (gone.title, gone.records) == ("Mould", 3), "one of a record or two comes and goes"


def test_a_week_is_not_compared_with_one_of_which_little_is_known():
    later = {f"{name}": [entry("Late", 1, theme="t-1")] for name in ("mon", "tue", "wed")}
    assert not WeekBefore(
        WEEK, reported(_sun=[entry("Late", 2, theme="t-1")], **later), None
    ).is_known


def test_the_headings_of_the_week_before_are_what_a_theme_goes_on_with():
    last = StoredReport("2026-W46", 9, "", "x", (entry("Late", 1, 2, 3, theme="w-1"),))
    days = reported(_mon=[entry("Late", 1, theme="t-1")], mon=[entry("Cups", 11, theme="t-1")])
    before = WeekBefore(WEEK, days, last)
    group = Group("themes", "Cups", "", frozenset({"11"}), theme="w-1")
    assert before.records_of(group) == 3 and before.gone("themes", [group]) == ()
    assert [one.title for one in before.gone("themes", [replace(group, theme="w-9")])] == ["Late"]
