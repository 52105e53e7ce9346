"""--demo, a newcomer's first command: no key, nothing outside state/demo, and it says what it is on
every line.
"""

from __future__ import annotations

import re

import pytest

from rigs.installation import snapshot
from rigs.report_site import TONIGHT, days_reported, report
from standin.samples import DAYS

pytestmark = pytest.mark.sqlite("a demo has files of its own")


def demo(site, *arguments: str):
    """A demo on a machine where nothing is set and nothing is there."""
    nothing = {
        "ANTHROPIC_API_KEY": "",
        "RECORDS_DB": "",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    }
    return report(site, "--demo", *arguments, today=TONIGHT, **nothing)


def test_a_demo_needs_no_key_writes_a_report_and_touches_nothing_but_its_own_folder(site):
    (site.root / "state").mkdir()
    (site.root / "state/daily_report.lock").touch()
    (site.root / "state/daily_report.lock").chmod(0o600)
    before = snapshot(site.root)
    result = demo(site)
    assert result.code == 0, result.log
    after = snapshot(site.root)
    added = {name for name in after if after[name] != before.get(name)}
    assert all(name == "state" or name.startswith("state/demo") for name in added), added
    assert before.keys() <= after.keys()
    assert days_reported(site) == []
    written = (site.root / "state/demo/reports/daily_report/2026-11-21.md").read_text()
    page = written.replace("\\", "")
    assert page.count("Demo: the stand-in grouped the messages by notes") == 1
    assert (site.root / "state/demo/reports/daily_report/2026-11-21.html").exists()
    # The days before it are reported, too, so that one sees how its themes went on.
    moss = page.split("### The code MOSS15 is refused")[1]
    assert moss.split("\n")[2] == "**17 %**, 18 records, ↑ up from 3 a day `▃▂▁█`"
    assert "**21 %**, 22 records, new" in page


def test_every_line_of_a_demos_log_says_that_it_is_one(site):
    lines = demo(site).log.splitlines()
    assert len(lines) > 4
    for line in lines:
        assert re.match(r"\S+Z \w+ +\[\S+\] demo: ", line), line


def test_the_second_demo_has_nothing_to_do(site):
    demo(site)
    before = snapshot(site.root / "state/demo/reports")
    result = demo(site)
    assert result.code == 0
    assert "demo: nothing to do" in result.log
    assert result.summary["requests"] == "0"
    assert snapshot(site.root / "state/demo/reports") == before


def test_all_days_of_the_samples_are_reported(site):
    assert demo(site).code == 0
    folder = site.root / "state/demo/reports/daily_report"
    reported = [path.stem for path in sorted(folder.glob("*.md"))]
    assert reported == [f"2026-11-{day}" for day in range(18, 22)] and len(reported) == DAYS


def test_a_demo_leaves_the_real_ledger_alone_and_the_real_run_its_records(claude):
    site = claude()
    demo(site)
    site.events([(1, "A real record", "2026-11-21 10:00:00")])
    result = report(site)
    assert result.code == 0 and "] demo: " not in result.log
    assert [bill["records"] for bill in site.billed()] == [["1"], []]
    assert "Demo" not in site.report("2026-11-21")
