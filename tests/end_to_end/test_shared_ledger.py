"""Two installations that share a ledger in PostgreSQL: each knows what the other one has done."""

from __future__ import annotations

import psycopg
import pytest

import bulk_classifier
import daily_report
from rigs.bills import usd_of
from rigs.harness import Site
from rigs.record_jobs import events

CAP = 0.004
pytestmark = pytest.mark.sqlite("the records; the ledger is always in PostgreSQL")


@pytest.fixture
def two(claude, site, postgres, tmp_path):
    """The installations, with the records of the first one."""
    claude()
    events(site, 400)
    (tmp_path / "second").mkdir()
    second = Site(tmp_path / "second", site.standin)
    for one in (site, second):
        one.environ = {"LEDGER_DB": postgres, "RECORDS_DB": site.databases.settings()["RECORDS_DB"]}
        (one.root / "jobs").mkdir()
        for job in (bulk_classifier.JOB, daily_report.JOB):
            (one.root / f"jobs/{job.name}.py").touch()
    return site, second


def test_a_cap_on_a_day_holds_over_both(two):
    first, second = two
    codes = [
        one.run(bulk_classifier.JOB, "--live", "--chunk-size", "5", MAX_COST_USD=str(CAP)).code
        for one in (first, second, first, second)
    ]
    assert codes == [4, 4, 4, 4]
    billed = usd_of(first.billed())
    assert 0.5 * CAP < billed <= CAP
    refused = second.run(bulk_classifier.JOB, "--live", MAX_COST_USD=str(CAP))
    assert f"of MAX_COST_USD ${CAP} today" in refused.log


def test_what_one_has_done_the_other_does_not_ask_again(two, postgres):
    first, second = two
    assert first.run(bulk_classifier.JOB, "--live", "--limit", "100").code == 0
    done = len(first.billed())
    result = second.run(bulk_classifier.JOB, "--live")
    assert result.code == 0, result.log
    assert result.summary["records"] == "300"
    assert first.run(bulk_classifier.JOB, "--live").code == 0
    assert len({record for line in first.billed() for record in line["records"]}) == 400
    assert len(first.billed()) > done
    with psycopg.connect(postgres) as db:
        rows = db.execute("select job, status, count(*) from records group by 1, 2").fetchall()
    assert rows == [("bulk_classifier", "done", 400)]


def test_a_job_comes_after_one_that_succeeded_on_the_other(two):
    first, second = two
    after = (daily_report.JOB, "--date", "2026-11-20", "--after", "bulk_classifier")
    too_early = second.run(*after)
    assert too_early.code == 75, too_early.log
    assert "--after bulk_classifier: it has not succeeded since this job did" in too_early.log
    assert first.run(bulk_classifier.JOB, "--live", "--limit", "10").code == 0
    in_time = second.run(*after)
    assert in_time.code == 0, in_time.log
    assert second.run(*after).code == 75
    assert first.run(*after).code == 75


def test_where_the_ledger_cannot_be_reached_nothing_is_sent(two):
    first, _ = two
    gone = "postgresql://me:aSecretPassword@127.0.0.1:1/ledger"
    for arguments in ((), ("--after", "daily_report")):
        result = first.run(bulk_classifier.JOB, "--live", *arguments, LEDGER_DB=gone)
        assert result.code == 69
        assert "LEDGER_DB postgresql://me@127.0.0.1:1/ledger could not be opened" in result.log
        assert "aSecretPassword" not in result.log
    assert not first.billed()
