"""Findings that name no record of their chunk: counted and told of, not taken for a quiet day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rigs.digest_answers import finding, own_answers
from rigs.relay import relayed
from rigs.report_site import events, report

DAY = "2026-11-21"


def page(site) -> str:
    """The report as a page."""
    path: Path = site.root / f"reports/daily_report/{DAY}.html"
    return path.read_text(encoding="utf-8")


def test_a_report_whose_every_finding_is_lost_ends_3_and_says_so_with_the_numbers(claude):
    site = claude()
    site.events(events(DAY, 5))
    ghosts = own_answers([finding("Ghosts", "77", "88"), finding("Nobody")])
    with relayed(site.standin, ghosts) as site.standin:
        result = report(site)
    assert result.code == 3, result.log
    (line,) = [line for line in result.log.splitlines() if " WARN " in line]
    assert "2 findings removed, which name no record sent (2 unknown ids)" in line
    assert "nothing is said of 5 of 5 records" in line
    assert f"--date {DAY} --reprocess" in line
    for written in (site.report(DAY), page(site)):
        assert "none of 2 findings names a record that was sent" in written
        assert "The model made 2 findings about no record that it was shown" in written
        assert "nothing was found in the records" not in written


def test_a_chunk_whose_every_finding_is_lost_is_a_part_of_the_day_that_is_missing(claude):
    site = claude()
    site.events(events(DAY, 60))

    def answer(request: dict[str, Any], own: Any) -> Any:
        text = request["messages"][0]["content"]
        if "<findings" in text:
            return own_answers([])(request, own)
        lost = "parcel number 59?" in text  # the second chunk
        named = finding("Ghosts", "999") if lost else finding("Parcels", 60)
        return own_answers([named])(request, own)

    with relayed(site.standin, answer) as site.standin:
        result = report(site)
    assert result.code == 3, result.log
    assert "nothing is said of 10 of 60 records" in result.log
    assert "The model made 1 finding about no record that it was shown" in site.report(DAY)


def test_a_finding_among_others_that_is_lost_is_a_warning(claude):
    site = claude()
    site.events(events(DAY, 5))
    themes = [finding("Parcels", 1, 2), finding("Ghosts", "88")]
    with relayed(site.standin, own_answers(themes)) as site.standin:
        result = report(site)
    assert result.code == 0, result.log
    assert "WARN" in result.log and "1 finding removed, which name no record sent" in result.log
    assert "The model made 1 finding about no record that it was shown" in site.report(DAY)
    assert "Ghosts" not in site.report(DAY)


def test_a_day_in_which_nothing_was_found_is_no_failure(claude):
    site = claude()
    site.events(events(DAY, 5))
    with relayed(site.standin, own_answers([])) as site.standin:
        result = report(site)
    assert result.code == 0, result.log
    assert "WARN" not in result.log
    assert "nothing was found in the records" in site.report(DAY)


def test_reprocess_writes_the_report_that_was_lost(claude):
    site = claude()
    site.events(events(DAY, 5))
    with relayed(site.standin, own_answers([finding("Ghosts", "77")])) as site.standin:
        assert report(site).code == 3
    site = claude()
    result = report(site, "--date", DAY, "--reprocess")
    assert result.code == 0, result.log
    assert "findings about no record" not in site.report(DAY)
