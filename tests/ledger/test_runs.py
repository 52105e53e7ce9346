"""A run as its user meets it: nothing to do, --dry-run, --json, --after, two at once."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import sys
from contextlib import redirect_stdout

import pytest

import daily_report
from rigs.harness import json_of, python
from rigs.installation import Installation, snapshot
from rigs.own_jobs import labels
from rigs.report_site import events, night, report, requests_sent

DAY = "2025-01-15"  # long over, for runs in a process of their own


def test_a_second_run_sends_nothing_imports_nothing_heavy_and_writes_its_summary(claude):
    site = claude()
    site.events(events(DAY, 3))
    report(site, "--date", DAY)
    sent = dict(site.standin.counts)
    code = (
        "import sys; from pathlib import Path; import daily_report; from common import run\n"
        f"code = run(daily_report.JOB, [], root=Path({str(site.root)!r}))\n"
        "heavy = {'anthropic', 'asyncio', 'httpx2', 'requests'} & set(sys.modules)\n"
        "print(code, *(heavy - {'asyncio'} if 'psycopg' in sys.modules else heavy))"
    )
    environ = {"ANTHROPIC_API_KEY": "sk-x", "ANTHROPIC_BASE_URL": site.standin.url}
    for _ in range(2):  # the first of them writes the pages of the last days, which have no records
        ended = python(code, REPORT_TZ="UTC", **site.databases.settings(), **environ)
        assert ended.stdout == "0\n", ended.stderr
    assert "nothing to do" in ended.stderr
    assert "SUMMARY job=daily_report" in ended.stderr and " requests=0 attempts=0 " in ended.stderr
    assert site.standin.counts == sent


def test_a_dry_run_changes_nothing_on_disk_and_calls_nobody(site):
    site.events(events("2026-11-21", 120))
    before = snapshot(site.root)
    result = report(site, "--dry-run", ANTHROPIC_BASE_URL="http://127.0.0.1:9")
    assert result.code == 0, result.log
    assert snapshot(site.root) == before
    words = dict(re.findall(r"^  (\w[\w ]+?) {2,}(\S+)$", result.stdout, re.MULTILINE))
    assert words["records"] == "120"
    assert words["requests"] == "4", "three chunks and the merge"
    assert float(words["live"].lstrip("$")) == pytest.approx(
        2 * float(words["message batch"].lstrip("$")), abs=0.0002
    )
    assert "Nothing was sent" in result.stdout and result.log == ""


def test_a_dry_run_after_a_run_counts_what_is_left_and_changes_nothing(claude):
    site = claude()
    site.events(events("2026-11-21", 60))
    report(site, "--limit", "20")
    before, sent = snapshot(site.root), requests_sent(site)
    result = report(site, "--dry-run", "--json", today=night(22, hour=3))
    assert snapshot(site.root) == before
    assert requests_sent(site) == sent
    found = json_of(result)
    assert found["records"] == 40 and found["requests"] == 2
    assert found["input_tokens"] > 0 < found["output_tokens"]
    assert found["usd_live"] == pytest.approx(2 * found["usd_message_batch"]) and found["usd_live"]


def test_a_dry_run_needs_neither_a_key_nor_a_state_folder_however_large_the_records_are(site):
    site.events([(n, "x" * 1_000_000, "2026-11-21 10:00:00") for n in range(12)])
    result = report(site, "--dry-run", "--json", ANTHROPIC_API_KEY="")
    assert result.code == 0, result.log
    assert json_of(result)["records"] == 12
    assert not (site.root / "state").exists()


def test_a_dry_run_is_close_to_what_is_then_billed(claude):
    site = claude()
    site.events([(n, f"Where is my parcel {n}? " * 10, "2026-11-21 10:00:00") for n in range(100)])
    estimated = json_of(report(site, "--dry-run", "--json"))
    real = json_of(report(site, "--json"))
    assert estimated["records"] == real["records"] == 100
    assert estimated["requests"] == real["requests"]
    assert 0.5 < estimated["input_tokens"] / real["input_tokens"] < 2


def test_json_is_one_object_on_stdout_and_the_log_is_on_stderr(claude):
    site = claude()
    site.events(events(DAY, 3))
    ended = Installation(site).run("--json", "--date", DAY)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert ended.stdout.count("\n") == 1
    assert found["job"] == "daily_report" and found["status"] == "done" and found["records"] == 3
    assert found["files"] == [str(site.root / f"reports/daily_report/{DAY}.md")]
    assert "SUMMARY" in ended.stderr and "SUMMARY" not in ended.stdout


def test_a_jobs_stray_print_goes_to_the_log(claude):
    site = claude()
    site.events(events("2026-11-21", 2))

    def chatty(record):
        print("stray words")
        return record["content"]

    result = site.run(labels(show=chatty), "--json")
    assert result.code == 0
    assert json_of(result)["done"] == 2
    assert "stray words" in result.log


def test_without_json_stdout_stays_empty(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    assert report(site).stdout == ""


def test_after_waits_for_the_other_job_to_succeed_once_more(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    (site.root / "jobs").mkdir()
    (site.root / "jobs/labels.py").touch()
    before = report(site, "--after", "labels")
    assert before.code == 75
    assert "--after labels: it has not succeeded" in before.log
    assert requests_sent(site) == 0
    assert site.run(labels()).code == 0
    assert report(site, "--after", "labels").code == 0
    # It began no later than this job's own last success, as far as seconds tell.
    assert report(site, "--after", "labels").code == 75


def test_after_counts_only_what_succeeded(claude):
    site = claude(faults=[{"kind": "400", "when": {"record": "2"}}])
    site.events(events("2026-11-21", 2))
    (site.root / "jobs").mkdir()
    (site.root / "jobs/labels.py").touch()
    assert site.run(labels()).code == 3
    assert report(site, "--after", "labels").code == 75


@pytest.mark.parametrize("other", ["weekly", "../labels", "labels.py", ""])
def test_after_a_job_that_does_not_exist_is_wrong_usage(site, other):
    site.events(events("2026-11-21", 2))
    result = report(site, "--after", other)
    assert result.code == 2, result.log
    assert "--after" in result.log and repr(other).strip("'") in result.log


def test_two_runs_at_once_the_second_one_leaves(claude):
    site = claude(latency=1.0)
    site.events(events(DAY, 3))
    first = Installation(site).start("--date", DAY)
    assert first.stderr and "3 records" in first.stderr.readline(), "it has the lock by then"
    second = report(site, "--date", DAY)
    assert second.code == 75
    assert "already running (daily_report.lock is held)" in second.log
    assert first.communicate(timeout=30) and first.returncode == 0
    assert len(site.billed()) == 2


@pytest.mark.parametrize(("typed", "code"), [("n\n", 2), ("\n", 2), ("\x04", 2), ("y\n", 0)])
def test_reprocess_asks_a_person_at_a_terminal(claude, monkeypatch, typed, code):
    site = claude()
    site.events(events("2026-11-21", 2))
    report(site)
    master, slave = pty.openpty()
    with os.fdopen(slave) as terminal, os.fdopen(master, "w") as person:
        monkeypatch.setattr(sys, "stdin", terminal)
        person.write(typed)
        person.flush()
        result = report(site, "--reprocess", "--date", "2026-11-21")
    assert result.code == code, result.log
    assert "pay again? [y/N]" in result.log
    # The digests came out the same, so their merge stands, and is not paid again.
    assert len(site.billed()) == (2 if code else 3)


def test_reprocess_does_not_ask_cron(claude, monkeypatch):
    site = claude()
    site.events(events("2026-11-21", 2))
    report(site)
    monkeypatch.setattr(sys, "stdin", None)  # closed, as some schedulers leave it
    result = report(site, "--reprocess", "--date", "2026-11-21")
    assert result.code == 0 and "[y/N]" not in result.log


def test_importing_a_job_does_nothing():
    with redirect_stdout(io.StringIO()) as stdout:
        assert daily_report.JOB.per_day
    assert stdout.getvalue() == ""
