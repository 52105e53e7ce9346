"""What a person types after `status`, `doctor`, `prune` or a job: understood, or one clear line."""

from __future__ import annotations

import pytest

import daily_report
from common import options
from common.process.exits import JobExit
from ops import doctor, prune, status
from rigs.status_site import StatusSite

REPORT = daily_report.JOB
SCRIPTS = {
    "status": (status, ()),
    "doctor": (doctor, ("--offline",)),
    "prune": (prune, ("--older-than", "90d")),
}


@pytest.fixture
def here(tmp_path):
    site = StatusSite(tmp_path)
    site.job("lead_scoring")
    site.job("daily_report")
    return site


@pytest.mark.parametrize("name", ["lead_scoring.py", "jobs/lead_scoring.py", "/x/lead_scoring.py"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_path_of_a_script_is_its_job(here, script, name):
    module, more = SCRIPTS[script]
    said = here.ask(module, name, *more)
    assert said.code in (0, 78 if script == "doctor" else 0)
    assert said.err == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lead-scoring", "lead_scoring"),
        ("jobs/lead-scoring.py", "lead_scoring"),
        ("laed_scoring", "lead_scoring"),
        ("daily", "daily_report"),
        ("Daily_Report", "daily_report"),
    ],
)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_nearest_job_is_offered(here, script, name, meant):
    module, more = SCRIPTS[script]
    said = here.ask(module, name, *more)
    assert (said.code, said.out) == (2, "")
    [line] = said.err.splitlines()
    assert line.startswith(f"{script}: no job is called ")
    assert f"(did you mean {meant}?)" in line


HOSTILE = ["daily\nreport", "\u202eyliad", "\x1b]0;title\x07", "x" * 5000, "\u2028", "\ud83d"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_name_that_means_nothing_is_one_plain_line(here, script, name):
    module, more = SCRIPTS[script]
    said = here.ask(module, name, *more)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1 and said.err[:-1].isprintable() and len(said.err) < 200


@pytest.mark.parametrize(
    ("script", "typo", "meant"),
    [
        ("status", "--jsn", "--json"),
        ("status", "--htlm", "--html"),
        ("doctor", "--ofline", "--offline"),
        ("doctor", "--as_cron", "--as-cron"),
        ("prune", "--dryrun", "--dry-run"),
        ("prune", "--older", "--older-than"),
    ],
)
def test_the_nearest_option_of_an_operators_script_is_offered(here, script, typo, meant):
    module, more = SCRIPTS[script]
    said = here.ask(module, typo, *more)
    assert (said.code, said.out) == (2, "")
    [line] = said.err.splitlines()
    assert f"(did you mean {meant}?)" in line


def refusal(*arguments: str) -> str:
    """The line that refuses the command line of a job."""
    with pytest.raises(JobExit) as caught:
        options.parse(REPORT, arguments)
    assert caught.value.code == 2
    return caught.value.message


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("--dryrun", "--dry-run"),
        ("-dry-run", "--dry-run"),
        ("dry-run", "--dry-run"),
        ("--dry_run", "--dry-run"),
        ("--limits=5", "--limit"),
        ("--messagebatch", "--message-batch"),
        ("--max_cost=1", "--max-cost"),
        ("--retry", "--retry-dead"),
    ],
)
def test_the_nearest_option_of_a_job_is_offered(typo, meant):
    assert f"(did you mean {meant}?)" in refusal(typo)


def test_a_word_like_no_option_has_no_offer():
    assert "did you mean" not in refusal("2026-11-21")


HUGE = "9" * 400


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wait", HUGE],
        ["--wait", f"{HUGE}d"],
        ["--wait", "9" * 5000],
        ["--limit", HUGE],
        ["--limit", "9" * 5000],
        ["--concurrency", HUGE],
        ["--chunk-size", HUGE],
        ["--max-cost", HUGE],
        ["--max-cost", "1e999"],
        ["--since", HUGE],
        ["--date", "99999-01-01"],
        ["--after", "x" * 5000 + "-"],
        ["--model", "a --help b"],
        ["--model", ""],
        ["--model", "x" * 5000],
        ["--model", "claude\u202e"],
        ["--model", "claude\n"],
        ["--wait", "\u202e2h"],
        ["--" + "x" * 5000],
        ["\x1b]0;title\x07"],
        ["--limit", "\n5"],
    ],
)
def test_a_hostile_value_is_one_plain_line(arguments):
    line = refusal(*arguments)
    assert line.isprintable() and len(line) < 300
