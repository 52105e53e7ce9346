"""What a report says and where it comes from: ids and counts, merges, what is paid once, the
footer.
"""

from __future__ import annotations

import re

import pytest

from common.report import digests
from rigs.digest_answers import finding, own_answers
from rigs.relay import relayed
from rigs.report_site import digested, events, night, report, requests_sent

DAY = "2026-11-21"


def themes_of(text: str) -> list[tuple[str, str]]:
    """The titles of a report's themes, in order, each with its number of records."""
    section = text.split("\n## Themes\n")[1].split("\n## ", maxsplit=1)[0]
    return re.findall(r"^### (.+)\n\n\*\*[^\n]*?\b([\d,]+) records?\b", section, re.MULTILINE)


def test_ids_that_were_not_in_the_chunk_are_removed_and_counted(claude):
    site = claude()
    site.events(events(DAY, 3))
    answer = own_answers([finding("Parcels", 1, 2, 2, "999", " 3 "), finding("Ghosts", "7", "8")])
    with relayed(site.standin, answer) as site.standin:
        assert report(site).code == 0
    written = site.report(DAY)
    assert themes_of(written) == [("Parcels", "3")]
    assert "The model named 3 record ids that it was not shown" in written
    assert "Ghosts" not in written


def test_ids_of_another_chunk_are_foreign_too(claude):
    site = claude(faults=[{"kind": "foreign_id", "when": {"contains": "<records>"}}])
    site.events(events(DAY, 60))
    assert report(site).code == 0
    assert "record ids that it was not shown; they were removed" in site.report(DAY)
    assert "999999999" not in site.report(DAY)


def test_counts_come_from_the_ids_and_themes_stand_by_weight(claude):
    site = claude()
    site.events(events(DAY, 9))
    themes = [
        finding("Few", 1, 2),
        finding("Many", *range(1, 9), detail="Some 4,000 records say so."),
        finding("One", 9),
    ]
    with relayed(site.standin, own_answers(themes)) as site.standin:
        report(site)
    assert themes_of(site.report(DAY)) == [("Many", "8"), ("Few", "2"), ("One", "1")]
    assert "**9 records**" in site.report(DAY)


def test_a_record_that_two_findings_name_counts_once_when_they_are_united(claude):
    site = claude()
    site.events(events(DAY, 4))
    themes = [finding("Late", 1, 2, 3), finding("Delayed", 2, 3, 4), finding("Tea", 1)]
    united = {
        "title": "Late parcels",
        "detail": "They are late.",
        "findings": ["1", "2", "77", "1"],
    }
    merge = {"themes": [united]}
    with relayed(site.standin, own_answers(themes, merge)) as site.standin:
        report(site)
    # The merge sees the heaviest first, and by name: Delayed and Late; what it leaves out stays.
    assert themes_of(site.report(DAY)) == [("Late parcels", "4"), ("Tea", "1")]
    assert "All quiet." in site.report(DAY)


def test_digests_that_are_many_are_merged_in_rounds_and_no_finding_is_lost(claude, monkeypatch):
    monkeypatch.setattr(digests, "CHUNK_TOKENS", 300)
    site = claude()
    site.events(events(DAY, 60))
    with relayed(site.standin) as site.standin:
        result = report(site, "--chunk-size", "5")
        merges = [text for text in site.standin.texts() if text.startswith("<findings")]
    assert result.code == 0, result.log
    assert "merge 1/" in result.log
    assert f"{DAY}: merge: " in result.log, "the last round is one request"
    assert all(len(text) < 300 * 4 for text in merges)
    assert sum(int(count) for _, count in themes_of(site.report(DAY))) >= 60
    assert result.summary["requests"] == str(12 + len(merges))


def test_digests_that_cannot_be_brought_together_are_shown_as_they_are(claude, monkeypatch):
    monkeypatch.setattr(digests, "CHUNK_TOKENS", 1)
    site = claude()
    site.events(events(DAY, 4))
    themes = [finding("Tea", 1, 2), finding("Pots", 3, 4)]
    with relayed(site.standin, own_answers(themes)) as site.standin:
        result = report(site)
    assert result.code == 3
    assert themes_of(site.report(DAY)) == [("Pots", "2"), ("Tea", "2")]
    assert "No summary: the findings were too many to be merged" in site.report(DAY)


@pytest.mark.parametrize(
    ("kind", "reason", "merges"),
    [
        ("refusal", "refused", 1),
        ("400", "400 invalid_request_error", 1),
        ("max_tokens", "cut off (max_tokens)", 3),
        ("half_json", "an answer that is not the JSON asked for", 3),
    ],
)
def test_where_claude_will_not_merge_the_report_stands_with_its_findings_and_the_reason(
    claude, kind, reason, merges
):
    site = claude(faults=[{"kind": kind, "when": {"contains": "<findings"}}])
    site.events(events(DAY, 60))
    result = report(site)
    assert result.code == 3, result.log
    assert "the digests could not be merged" in result.log
    assert reason in result.log
    written = site.report(DAY)
    assert reason.split("(")[0].strip() in written.replace("\\", "")
    assert sum(int(count) for _, count in themes_of(written)) >= 60
    assert requests_sent(site) == 2 + merges
    assert site.ledger("select count(*) from records where status = 'done'") == [(60,)]


def test_a_merge_that_fails_once_is_asked_again_with_more_room(claude):
    site = claude(faults=[{"kind": "max_tokens", "times": 1, "when": {"contains": "<findings"}}])
    site.events(events(DAY, 5))
    with relayed(site.standin) as site.standin:
        assert report(site).code == 0
        first, second = site.standin.sent[-2:]
    assert second["max_tokens"] > first["max_tokens"]
    assert "No summary" not in site.report(DAY)


def test_a_report_that_was_deleted_is_written_again_without_a_request(claude):
    site = claude()
    site.events(events(DAY, 60))
    report(site)
    before, sent = site.report(DAY), requests_sent(site)
    for name in (f"{DAY}.md", f"{DAY}.html"):
        (site.root / "reports/daily_report" / name).unlink()
    result = report(site, "--date", DAY, today=night(22, hour=3))
    assert result.code == 0
    assert requests_sent(site) == sent
    assert result.summary["requests"] == "0"
    assert without_run(site.report(DAY)) == without_run(before)


def without_run(written: str) -> str:
    return re.sub(r"run \S+", "run", written)


def test_a_report_is_written_again_only_when_something_changed(claude):
    site = claude()
    site.events(events(DAY, 5))
    report(site)
    path = site.root / "reports/daily_report" / f"{DAY}.md"
    written = path.stat()
    for arguments in ([], ["--date", DAY], []):
        result = report(site, *arguments, today=night(22, hour=4))
        assert result.code == 0 and "nothing to do" in result.log
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_records_that_vanish_from_the_source_leave_their_report_as_it_is(claude):
    site = claude()
    site.events(events(DAY, 5))
    report(site)
    site.change("delete from events where id > 2")
    assert "nothing to do" in report(site, today=night(22, hour=3)).log
    assert "**5 records**" in site.report(DAY)


def test_reprocess_replaces_the_digests_and_counts_nothing_twice(claude):
    site = claude()
    site.events(events(DAY, 60))
    report(site)
    result = report(site, "--reprocess", "--date", DAY, today=night(22, hour=3))
    assert result.code == 0
    assert len(digested(site)) == 120, "paid again, as asked"
    assert "**60 records**" in site.report(DAY)
    assert all(int(count) <= 60 for _, count in themes_of(site.report(DAY)))
    assert site.ledger("select count(*), count(distinct request_id) from records") == [(60, 2)]


def test_a_limit_leaves_the_report_unwritten_says_so_and_later_runs_complete_it(claude):
    site = claude()
    site.events(events("2026-11-18", 1, first=500))
    report(site, today=night(19))
    site.events(events("2026-11-19", 30) + events("2026-11-20", 20, first=100))
    first = report(site, "--limit", "20")
    assert first.code == 0
    assert "2026-11-19: 10 of 30 records wait" in first.log
    assert len(digested(site)) == 21
    assert not (site.root / "reports/daily_report/2026-11-19.md").exists()
    second = report(site, "--limit", "20", today=night(22, hour=3))
    assert "2026-11-20: 10 of 20 records wait" in second.log
    assert "**30 records**" in site.report("2026-11-19")
    third = report(site, today=night(22, hour=4))
    assert "**20 records**" in site.report("2026-11-20")
    assert "2026-11-21: no records" in third.log, "said when nothing before it waits any more"
    assert len(set(digested(site))) == len(digested(site)) == 51
