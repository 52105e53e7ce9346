"""The Tab key, in a real bash: jobs, options, days and dead letters, and never a message."""

from __future__ import annotations

import shlex
import subprocess
from argparse import SUPPRESS
from pathlib import Path

import pytest

import bulk_classifier
import daily_report
import weekly_report
from common import options
from rigs.harness import REPOSITORY
from rigs.wrapper_fixtures import Installation
from wrappers.test_questions import real_installation

# Shells as people have them, and as they should not.
SHELLS = ["", "set -u", "set -eu", "shopt -s failglob nullglob", "IFS=x", "set -f", "set -o posix"]


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Installation:
    here = real_installation(tmp_path_factory.mktemp("completion") / "in stall")
    (here.root / "reports/daily_report").mkdir(parents=True)
    (here.root / "reports/daily_report/2025-02-03.md").touch()
    (here.root / "reports/weekly_report").mkdir()
    (here.root / "reports/weekly_report/2025-W06.md").touch()
    return here


def completed(here: Installation, *words: str, shell: str = "", path: str = "") -> list[str]:
    """What bash would complete the last of these words to. Nothing may reach stderr."""
    line = [path or f"{here.root}/run_job.sh", *words]
    script = f"""
        source <({shlex.quote(str(here.root))}/run_job.sh --completion)
        {shell}
        COMP_WORDS=({" ".join(map(shlex.quote, line))}) COMP_CWORD={len(line) - 1}
        complete -p run_job.sh >/dev/null
        _claude_batch_jobs run_job.sh
        printf '%s\\n' "${{COMPREPLY[@]-}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, cwd="/", env=here.env
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1] if done.stdout != "\n" else []


def options_of(job) -> set[str]:
    parser = options._parser(job)
    known = parser._option_string_actions.items()
    return {name for name, action in known if name[:2] == "--" and action.help != SUPPRESS}


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell or "plain")
def test_a_job_is_completed_whatever_the_shell_has_set(here, shell):
    assert completed(here, "dai", shell=shell) == ["daily_report"]


def test_the_first_word_is_a_job_a_script_or_a_command(here):
    first = completed(here, "")
    assert {"daily_report", "status", "prune", "worker", "--new", "--setup", "--backup"} <= {*first}
    assert not {"new", "backup", "__init__", "--version-of-nothing"} & {*first}
    notify = f"{here.root}/notify_on_failure.sh"
    assert "--test" in completed(here, "--", path=notify)
    assert "status" not in completed(here, "s", path=notify)


def test_the_options_are_those_of_the_job_all_of_them_and_no_others(here):
    assert {*completed(here, "daily_report", "--")} == options_of(daily_report.JOB)
    assert {*completed(here, "bulk_classifier", "--")} == options_of(bulk_classifier.JOB)
    assert {*completed(here, "weekly_report", "--")} == options_of(weekly_report.JOB)
    assert {"--json", "--html", "--help"} <= {*completed(here, "status", "--")}
    assert "--within-cron" not in completed(here, "doctor", "--")


def test_days_are_those_of_the_reports_and_the_last_ones(here):
    assert completed(here, "daily_report", "--date", "2025") == ["2025-02-03"]
    assert completed(here, "daily_report", "--date", "=", "2025-0") == ["2025-02-03"]
    assert "2025-02-03" in completed(here, "daily_report", "--since", "=")
    assert len(completed(here, "daily_report", "--until", "")) == 9
    assert completed(here, "weekly_report", "--date", "2025-") == ["2025-W06"]
    assert len(completed(here, "weekly_report", "--since", "")) in (3, 4)


def test_values_that_can_be_known_are_offered(here):
    assert "daily_report" in completed(here, "data_enrichment", "--after", "")
    assert completed(here, "--new", "mine", "--from", "bul") == ["bulk_classifier"]
    assert completed(here, "--setup", "--with", "post") == ["postgres"]
    assert completed(here, "bulk_classifier", "--model", "claude-haiku-5") == ["claude-haiku-5-5"]
    assert completed(here, "bulk_classifier", "--limit", "") == []


def test_jobs_and_options_need_no_python(here, tmp_path):
    python = here.root / "venv/bin/python"
    kept = python.read_text()
    python.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    try:
        for words in (["dai"], ["daily_report", "--"], ["daily_report", "--date", "2"]):
            assert completed(here, *words)
        assert not (tmp_path / "started").exists()
        completed(here, "prune", "--record", "")
        assert (tmp_path / "started").exists()
    finally:
        python.write_text(kept)


def test_dead_letters_are_offered_by_their_ids(here):
    from common.ledger.sqlite_ledger import LedgerFile

    assert completed(here, "prune", "--record", "") == []
    file = LedgerFile(here.root / "state/bulk_classifier.db")
    with file.transaction():
        for record_id in ("e17", "e18@2026-11-01 10:00", "it's"):
            file.db.execute(
                "insert into records (job, record_id, status, updated_at)"
                " values ('bulk_classifier', ?, 'dead', '2026-11-20T00:00:00Z')",
                (record_id,),
            )
    file.close()
    assert completed(here, "prune", "--record", "e17") == ["e17"]
    assert completed(here, "prune", "--record", "e18") == ["e18@2026-11-01\\ 10:00"]
    # readline takes what begins with an @ for a word of its own.
    assert completed(here, "prune", "--record", "e18", "@", "20") == ["@2026-11-01\\ 10:00"]
    assert "it\\'s" in completed(here, "prune", "--record", "")


@pytest.mark.parametrize(
    "gone", ["jobs/common/options.py", "jobs/wrappers/run/complete.sh", "jobs"]
)
def test_an_installation_with_something_missing_says_nothing(tmp_path, gone):
    here = real_installation(tmp_path / "site")
    text = here.run("--completion").stdout
    (tmp_path / "completion").write_text(text)
    subprocess.run(["rm", "-rf", str(here.root / gone)])
    for words in ("dai", "daily_report --", "status x", ""):
        script = f"""
            source {tmp_path}/completion
            COMP_WORDS=({here.root}/run_job.sh {words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _claude_batch_jobs
        """
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_help_lists_every_script_and_every_command_of_the_wrapper(here):
    manual = here.run("--help").stdout
    scripts = {path.stem for path in (REPOSITORY / "jobs/ops").glob("*.py")} - {"__init__"}
    for name in sorted(scripts):
        assert f"./run_job.sh {name}" in manual or f"./run_job.sh --{name}" in manual, name
    source = Path(REPOSITORY / "run_job.sh").read_text()
    for option in ("--new", "--list", "--setup", "--install-cron", "--remove-cron", "--completion"):
        assert f"run_job.sh {option}" in manual and option in source.split("main() {")[1]
