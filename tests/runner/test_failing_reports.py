"""What the functions of a report job do to its nights: one day, or one record, costs no other."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import field_validator

import daily_report
from common import Job
from common.report import DayReport, Finding, write
from rigs.own_jobs import in_a_child
from rigs.report_site import days_reported, events, night

DEAD = "select record_id, error from records where status = 'dead'"


def daily(**changes: Any) -> Job:
    """The daily report with some arguments of its own."""
    return replace(daily_report.JOB, **changes)


def fails_on(day: int, how: Any) -> Any:
    """A save() that fails for the report of one day of November."""

    def save(folder: Path, report: DayReport) -> None:
        if report.day.day == day:
            how()
        write(report, folder)

    return save


def raises() -> None:
    raise KeyError("a title")


def three_days(site: Any) -> Any:
    for day in (19, 20, 21):
        site.events(events(f"2026-11-{day}", 4, first=day * 10))
    site.today = night(22)
    return site


NAMED = ("--since", "2026-11-19", "--until", "2026-11-21")


def test_a_day_whose_report_cannot_be_saved_keeps_no_other_from_being_written(claude):
    site = three_days(claude())
    result = site.run(daily(save=fails_on(19, raises)), *NAMED)
    assert result.code == 78 and "Traceback" not in result.log
    assert "2026-11-19: save() raised KeyError: 'a title' (test_failing_reports.py:" in result.log
    assert days_reported(site) == ["2026-11-20", "2026-11-21"]
    paid = len(site.billed())
    site.today = night(23)
    site.events(events("2026-11-22", 4, first=220))
    assert site.run(daily(save=fails_on(19, raises))).code == 78, "the day is looked at every night"
    assert days_reported(site) == ["2026-11-20", "2026-11-21", "2026-11-22"]
    assert site.run(daily_report.JOB).code == 0
    assert days_reported(site) == [f"2026-11-{day}" for day in range(19, 23)]
    assert len(site.billed()) == paid + 2, "the digest of the new day, and its merge"


def test_a_report_that_save_ends_the_process_on_is_given_up_on_after_three_deaths(claude):
    site = three_days(claude())
    job = daily(save=fails_on(19, os.abort))
    for _ in range(3):
        assert os.WIFSIGNALED(in_a_child(site, job, *NAMED))
    result = site.run(job, *NAMED)
    assert result.code == 78, result.log
    assert "2026-11-19: save() ended the process in 3 runs, the report is given up on" in result.log
    assert days_reported(site) == ["2026-11-20", "2026-11-21"]
    assert site.run(job).code == 0, "as of a dead letter, it is told once"
    assert site.run(daily_report.JOB, *NAMED).code == 0
    assert days_reported(site) == ["2026-11-19", "2026-11-20", "2026-11-21"]


@pytest.mark.parametrize("records", [1, 20])
def test_a_validator_that_ends_the_process_on_a_digest_finds_its_record_in_a_few_runs(
    claude, records
):
    site = claude()
    site.events(events("2026-11-21", records))
    site.today = night(22)

    class Fatal(daily_report.Digest):
        @field_validator("themes")
        @classmethod
        def _check(cls, themes: list[Finding]) -> list[Finding]:
            if any("1" in finding.records for finding in themes):
                os.abort()
            return themes

    job = daily(output=Fatal, chunk_size=10)
    deaths = 0
    while os.WIFSIGNALED(in_a_child(site, job)):
        deaths += 1
        assert deaths < 10
    assert site.ledger(DEAD) == [("1", "a validator ended the process in 3 runs")]
    assert days_reported(site) == ["2026-11-21"]
    assert site.run(job).code == 0
