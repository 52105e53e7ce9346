"""The daily report, run end to end against the stand-in."""

from __future__ import annotations

import daily_report


def test_a_days_records_become_one_report(claude):
    site = claude()
    site.events(
        [(n, f"Where is my parcel number {n}?", f"2026-11-20 10:{n:02}:00") for n in range(60)]
    )
    result = site.run(daily_report.JOB, "--date", "2026-11-20")
    assert result.code == 0, result.log
    assert "**60 records**" in site.report("2026-11-20")
    assert result.summary["done"] == "60"
    assert site.ledger("select status, count(*) from records group by 1") == [("done", 60)]


def test_half_an_emoji_in_a_digest_or_in_the_merge_costs_no_report(claude):
    site = claude(faults=[{"kind": "half_emoji"}])
    site.events([(n, f"Where is my parcel number {n}?", "2026-11-20 10:00:00") for n in range(60)])
    result = site.run(daily_report.JOB, "--date", "2026-11-20")
    assert result.code == 0, result.log
    report = site.report("2026-11-20")
    assert "**60 records**" in report and "\ufffd" in report
