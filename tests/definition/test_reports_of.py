"""A job that is made from another's reports says on one line what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import weekly_report
from common import Job
from common.definition.check import faults

GIVEN: dict[str, Any] = {
    name: getattr(weekly_report.JOB, name)
    for name in ("name", "reports_of", "output", "merge", "save")
}

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such job": (
        {"reports_of": "daily"},
        "there is no jobs/daily.py: did you mean daily_report?",
    ),
    "itself": ({"reports_of": "weekly_report"}, "is the job itself: name one that writes a"),
    "no text": ({"reports_of": 7}, "reports_of=7 must be the name of a job that writes a report"),
    "no merge": ({"merge": ""}, "is for a report: give merge=…"),
    "a SELECT": ({"select": "select 1"}, "select=…: of no use beside reports_of='daily_report'"),
    "two more": ({"chunk_size": 5, "delivery": "message_batch"}, "chunk_size=…, delivery=…: of no"),
    "a link": ({"link": "https://a.example.com/{id}"}, "link=…: of no use"),
}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script of the job, beside the one whose reports it is made from."""
    (tmp_path / "daily_report.py").touch()
    return tmp_path / "weekly_report.py"


def test_it_needs_neither_a_select_nor_instructions(script):
    assert [*faults(Job(**GIVEN), script)] == []
    without = Job(**{name: value for name, value in GIVEN.items() if name != "reports_of"})
    assert [*faults(without, script)] == [
        "Job(…) lacks select=…, which every job needs",
        "Job(…) lacks instructions=…, which every job needs",
    ]


@pytest.mark.parametrize(("more", "expected"), WRONG.values(), ids=WRONG)
def test_each_mistake_is_told_of_with_the_remedy(script, more, expected):
    lines = [*faults(Job(**{**GIVEN, **more}), script)]
    assert any(expected in line for line in lines), lines
