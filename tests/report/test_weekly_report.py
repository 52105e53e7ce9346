"""A week's report is made from what the daily one has stored: no record is sent again, a day that
is missing is named, and the week is written again when it comes.
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

import daily_report
import weekly_report
from common.ledger.runs import Runs
from common.process.lock import hold
from ops import prune
from rigs.harness import REPOSITORY
from rigs.report_site import report, requests_sent
from rigs.week_site import MONDAY, store_days, two_weeks, week, weekly, weeks_written


def test_a_week_is_made_from_stored_reports_and_no_record_is_sent_again(claude):
    site = claude()
    two_weeks(site)
    paid = len(site.billed())
    result = weekly(site, "--since", "2026-W46", "--until", "2026-W47")
    assert result.code == 0, result.log
    assert weeks_written(site) == ["2026-W46", "2026-W47"]
    new = site.billed()[paid:]
    assert [bill["records"] for bill in new] == [[], []], "a merge each, about no record"
    assert result.summary["records"] == "0" and result.summary["requests"] == "2"
    text = week(site)
    assert text.startswith("# Weekly report, week 47, 16 to 22 November 2026\n")
    assert "**28 records**, 100 % more than the week before (14)." in text
    assert "7 daily reports: 14 requests" in text and "This report: 1 request" in text
    assert "**100 %**, 28 records, ↑ up from 14, `███████`" in text
    page = (site.root / "reports/weekly_report/2026-W47.html").read_text(encoding="utf-8")
    assert '<a href="../daily_report/2026-11-18.html">Wed 18</a>: 4 records' not in page, (
        "no page of that day is there"
    )
    assert "<span>Wed 18: 4 records</span>" in page
    table = (site.root / "reports/weekly_report/2026-W47.csv").read_text(encoding="utf-8-sig")
    assert '"1603","2026-11-16"' in table
    index = (site.root / "reports/index.html").read_text(encoding="utf-8")
    assert 'href="weekly_report/2026-W47.html">Week 47</a>' in index
    again = weekly(site)
    assert again.code == 0 and "nothing to do" in again.log and requests_sent(site) == paid + 2


def test_a_missing_day_is_named_and_the_week_is_written_again_when_it_comes(claude):
    site = claude()
    two_weeks(site, "2026-11-18", "2026-11-19")
    slack = "https://hooks.slack.com/services/T0/B0/x"
    assert weekly(site, REPORT_SLACK_WEBHOOK_URL=slack).code == 0
    (announced,) = (site.root / "state/outbox").glob("*-202647.report_slack.weekly_report")
    said = json.loads(announced.read_text(encoding="utf-8"))["text"].splitlines()
    assert said[0] == "Weekly report, 2026-W47: 20 records" and said[1].startswith("Without Wed")
    assert weeks_written(site) == ["2026-W47"], "the first run takes the last week alone"
    text = week(site)
    assert "**Without Wednesday 18 and Thursday 19, of which no report is stored.**" in text
    command = "./run_job.sh daily_report --since 2026-11-18 --until 2026-11-19"
    assert f"$ {command}\n" in text and "**20 records**, 2.9 a day," not in text
    assert "Wed 18 Nov  ·    no report" in text
    sent = requests_sent(site)
    store_days(site, "2026-11-18", "2026-11-19")
    result = weekly(site)
    assert "2026-W47: report of 28 records written again" in result.log
    assert "Without" not in week(site) and requests_sent(site) == sent + 1


def test_what_was_missed_is_made_up_for_from_the_first_week_that_was_reported(claude):
    site = claude()
    two_weeks(site)
    assert weekly(site, "--date", "2026-11-15").code == 0 and weeks_written(site) == ["2026-W46"]
    late = weekly(site, today=MONDAY + timedelta(days=14))
    assert weeks_written(site) == ["2026-W46", "2026-W47"]
    assert "2026-W48: daily_report has stored no report of its days" in late.log
    later = weekly(site, today=MONDAY + timedelta(days=70))
    never = "the weeks from 2026-W48 to 2026-W53 were never reported and are too far back"
    assert f"{never}: --since 2026-W48 reports them" in later.log


def test_a_week_without_a_stored_report_is_not_invented(claude):
    site = claude()
    result = weekly(site, "--date", "2026-11-18")
    assert result.code == 0 and weeks_written(site) == []
    how = "./run_job.sh daily_report --since 2026-11-16 --until 2026-11-22"
    assert f"2026-W47: daily_report has stored no report of its days: {how}" in result.log
    assert site.ledger("select * from windows", "weekly_report") == []


def test_what_the_daily_report_has_written_is_what_the_week_is_made_from(claude):
    site = claude()
    site.events([(1, "Where is my parcel?", "2026-11-16 10:00:00")])
    daily = report(site, "--since", "2026-11-16", "--until", "2026-11-21", today=MONDAY)
    assert daily.code == 0, daily.log
    assert weekly(site).code == 0
    text = week(site)
    assert "Without Sunday 22" in text, "days without records are no missing ones"
    assert "**1 record**" in text and "6 daily reports: 2 requests" in text
    page = (site.root / "reports/weekly_report/2026-W47.html").read_text(encoding="utf-8")
    assert '<a href="../daily_report/2026-11-16.html">Mon 16</a>: 1 record' in page


@pytest.mark.sqlite("nothing is asked of a ledger")
def test_a_week_that_is_not_over_is_refused_and_others_are_named_by_any_day(claude):
    site = claude()
    for named in ("2026-11-23", "2026-W48"):
        result = weekly(site, "--date", named)
        assert result.code == 2 and "2026-W48 is not over" in result.log
        assert "the last finished week is 2026-W47" in result.log


def test_a_dry_run_says_what_a_week_would_take_and_changes_nothing(claude):
    site = claude()
    two_weeks(site)
    assert weekly(site, "--date", "2026-W46").code == 0
    result = weekly(site, "--dry-run", "--show")
    assert result.code == 0 and "would write 2026-W47, about:" in result.stdout, result.log
    assert "daily reports             7" in result.stdout
    assert "requests                  1" in result.stdout and "merge" in result.stdout
    figures = json.loads(weekly(site, "--dry-run", "--json", "--date", "2026-W01").stdout)
    assert figures["weeks"] == [] and figures["requests"] == 0
    assert 'section="themes" seen="2026-W46" records="14">Late' in result.stdout
    assert weeks_written(site) == ["2026-W46"]


def test_what_a_cost_cap_forbids_is_not_sent_and_comes_later(claude):
    site = claude()
    two_weeks(site)
    sent = requests_sent(site)
    result = weekly(site, "--max-cost", "0.0001")
    assert result.code == 4 and requests_sent(site) == sent and weeks_written(site) == []
    assert weekly(site).code == 0 and weeks_written(site) == ["2026-W47"]


def test_an_answer_that_was_paid_for_is_used_by_the_next_run(claude):
    def broken(folder: object, report: object) -> None:
        raise ValueError("no")

    site = claude()
    two_weeks(site)
    site.today = MONDAY
    failed = site.run(replace(weekly_report.JOB, save=broken))
    assert failed.code == 78 and "2026-W47: save() raised ValueError: no" in failed.log
    sent = requests_sent(site)
    assert weekly(site).code == 0 and requests_sent(site) == sent
    assert weeks_written(site) == ["2026-W47"]


def test_a_record_that_is_erased_leaves_its_week_which_is_written_again(claude):
    site = claude()
    two_weeks(site)
    assert weekly(site, REPORT_EMAIL="boss@example.org").code == 0
    waiting = site.root / "state/outbox"
    assert len([*waiting.glob("*-202647.report_email.weekly_report")]) == 1
    (site.root / "jobs").symlink_to(REPOSITORY / "jobs")  # by which it knows which jobs there are
    environ = {**site.databases.settings(), "ANTHROPIC_API_KEY": "sk-ant-test-key-000000"}
    assert prune.main(["--record", "1802"], site.root, environ) == 0
    assert weeks_written(site) == [] and not [*waiting.glob("*-202647.report_*")]
    answers = "select count(*) from requests where answer is not null and job = 'weekly_report'"
    assert site.ledger(answers, "weekly_report") == [(0,)]
    assert weekly(site).code == 0
    assert "Without Wednesday 18" in week(site), "until that day's report is written again"
    store_days(site, "2026-11-18")
    assert "written again" in weekly(site).log and "Without" not in week(site)


def test_a_week_stays_as_it_is_when_stored_reports_of_its_days_are_pruned(claude):
    site = claude()
    two_weeks(site)
    assert weekly(site).code == 0
    before, sent = week(site), requests_sent(site)
    sql = (
        "update windows set report = null where job = 'daily_report' and \"window\" < '2026-11-18'"
    )
    site.change_ledger("daily_report", sql)
    result = weekly(site, "--date", "2026-W47")
    assert (
        "2026-W47: stored reports of its days were pruned: the report that is there" in result.log
    )
    assert week(site) == before and requests_sent(site) == sent


@pytest.mark.sqlite("a file of the version before")
def test_a_ledger_of_the_version_before_counts_as_no_stored_report(claude):
    site = claude()
    two_weeks(site)
    site.change_ledger("daily_report", "alter table windows drop column report")
    site.change_ledger("daily_report", "pragma user_version = 3")
    result = weekly(site)
    assert result.code == 0 and "daily_report has stored no report of its days" in result.log


def test_another_jobs_ledger_is_read_while_that_job_runs(claude):
    site = claude()
    two_weeks(site)
    lock = hold(site.root / "state/daily_report.lock")
    try:
        with closing(site.databases.open_ledger("daily_report")) as file, file.transaction():
            Runs(file, "daily_report", "20261123T061700Z-2").set_reported("2026-11-23", 1, "")
            assert weekly(site).code == 0 and weeks_written(site) == ["2026-W47"]
    finally:
        os.close(lock)


@pytest.mark.sqlite("a demo has files of its own")
def test_a_demo_has_the_week_of_its_samples_last_day_in_the_words_of_its_notes(site):
    site.today = MONDAY + timedelta(days=5)  # a Saturday: the sample's days are Tuesday to Friday
    assert site.run(daily_report.JOB, "--demo").code == 0
    result = site.run(weekly_report.JOB, "--demo")
    assert result.code == 0, result.log
    text = (site.root / "state/demo/reports/weekly_report/2026-W48.md").read_text(encoding="utf-8")
    assert "Without Monday 23, of which no report is stored." in text
    assert "$ ./run_job.sh daily_report --demo --date 2026-11-23\n" in text
    themes = text.partition("## Themes")[2].partition("## In figures")[0]
    assert "### Heron teapots with cracked lids" in themes and "By word count" not in themes
    assert "Sun 29 Nov    ·    not over" in text


OF_RECORDS = (
    "--limit 3|--chunk-size 3|--retry-dead|--reprocess|--stale|--today|--message-batch|--celery"
    "|--wait 2h|--try|--eval x.csv|--min-accuracy 0.9"
)


@pytest.mark.sqlite("nothing is opened")
def test_options_about_records_are_refused_with_a_line(site):
    for option in OF_RECORDS.split("|"):
        result = weekly(site, *option.split())
        assert result.code == 2 and option.split()[0] in result.log, option
        assert len(result.log.splitlines()) == 1, result.log
