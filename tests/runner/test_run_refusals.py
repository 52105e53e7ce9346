"""What stops a run before it begins, and where a script may be started from: each with its code and
the remedy.
"""

from __future__ import annotations

import dataclasses
import re
import stat

import pytest

import daily_report
from rigs.databases import NO_COLUMN, NO_TABLE
from rigs.installation import Installation, snapshot
from rigs.own_jobs import SELECT, labels
from rigs.report_site import TONIGHT, events, report

DAY = "2025-01-15"


def test_without_a_key_both_ways_on_are_named(site):
    site.events(events("2026-11-21", 1))
    for key in ("", "   "):
        result = report(site, ANTHROPIC_API_KEY=key)
        assert result.code == 78
        assert "ANTHROPIC_API_KEY is not set" in result.log
        assert ".env" in result.log and "--demo" in result.log


def test_a_key_that_is_none_is_not_repeated(site):
    site.events(events("2026-11-21", 1))
    result = report(site, ANTHROPIC_API_KEY="sk-ant-api03 copied with a space")
    assert result.code == 78
    assert "copied" not in result.log


def test_without_a_source_both_ways_on_are_named(site):
    result = report(site, RECORDS_DB="")
    assert result.code == 78
    assert "RECORDS_DB is not set" in result.log and "--demo" in result.log
    missing = report(site, RECORDS_DB="/nowhere/records.db")
    assert missing.code == 78 and "/nowhere/records.db" in missing.log


@pytest.mark.sqlite("what is no SQLite file")
def test_a_source_that_is_no_database_is_named(site):
    site.source.write_text("id,content\n1,hello\n" * 100)
    result = report(site)
    assert result.code in (69, 78)
    assert str(site.source) in result.log and "Traceback" not in result.log


@pytest.mark.parametrize(
    "in_the_way",
    [
        "state",
        "state/daily_report.lock",
        pytest.param("state/daily_report.db", marks=pytest.mark.sqlite("the ledger's file")),
    ],
)
def test_a_state_that_cannot_be_written_is_73(site, in_the_way):
    site.events(events("2026-11-21", 1))
    path = site.root / in_the_way
    if in_the_way == "state":
        path.touch()  # root may write anywhere, but not below a file
    else:
        path.mkdir(parents=True)
    result = report(site)
    assert result.code == 73, result.log
    assert str(path) in result.log and "Traceback" not in result.log


def test_a_report_that_cannot_be_written_is_73_and_the_next_run_writes_it_without_a_request(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    (site.root / "reports").touch()
    result = report(site)
    assert result.code == 73, result.log
    assert str(site.root / "reports") in result.log and "Traceback" not in result.log
    billed = len(site.billed())
    (site.root / "reports").unlink()
    assert report(site).code == 0
    assert "**2 records**" in site.report("2026-11-21")
    assert len(site.billed()) == billed


@pytest.mark.parametrize(
    ("select", "said"),
    [
        ("select id, content, created_at from events", "`id as record_id`"),
        ("select null as record_id, content, created_at from events", "`id as record_id`"),
        ("select id as record_id, content from events", "gives no created_at"),
        ("select id as record_id, text, created_at from events", NO_COLUMN.format("text")),
        ("select id as record_id from event", NO_TABLE.format("event")),
        ("selec", "syntax error"),
    ],
)
def test_a_select_that_does_not_fit_is_a_setting_to_mend(site, select, said):
    site.events(events("2026-11-21", 1))
    site.today = TONIGHT
    result = site.run(dataclasses.replace(daily_report.JOB, select=select))
    assert result.code == 78, result.log
    assert re.search(said, result.log) and "Traceback" not in result.log


@pytest.mark.parametrize("name", ["json", "email", "common", "turtle"])
def test_a_job_named_like_a_module_is_a_setting_to_mend(site, name):
    site.events(events("2026-11-21", 1))
    result = site.run(labels(name))
    assert result.code == 78
    assert f"jobs/{name}.py" in result.log and "call the job something else" in result.log


def test_a_script_named_like_a_module_says_so_instead_of_a_traceback(site):
    installation = Installation(site)
    script = installation.root / "jobs/turtle.py"
    script.write_text((installation.root / "jobs/daily_report.py").read_text())
    ended = installation.run(script=script)
    assert ended.returncode == 78, ended.stderr
    assert "call the job something else" in ended.stderr and "Traceback" not in ended.stderr


def test_a_script_runs_from_any_directory_and_through_a_symlink(claude, tmp_path_factory):
    site = claude()
    site.events(events(DAY, 2))
    installation = Installation(site)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    link = elsewhere / "nightly.py"
    link.symlink_to(installation.root / "jobs/daily_report.py")
    ended = installation.run("--date", DAY, script=link, cwd=str(elsewhere))
    assert ended.returncode == 0, ended.stderr
    assert "**2 records**" in site.report(DAY)
    assert snapshot(elsewhere).keys() == {"nightly.py"}
    again = installation.run("--date", DAY, cwd=str(installation.root / "jobs"))
    assert again.returncode == 0 and "nothing to do" in again.stderr


def test_what_a_run_writes_is_its_owners_alone(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    report(site)
    for path in [*(site.root / "state").rglob("*"), *(site.root / "reports").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((site.root / "state").stat().st_mode) == 0o700


def test_a_job_without_a_window_does_not_take_one(site):
    assert ":start" not in SELECT
    result = site.run(labels(), "--date", "2026-11-21")
    assert result.code == 2 and "--date" in result.log
