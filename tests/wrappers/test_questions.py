"""Questions to the wrappers are no runs: they are answered, and leave no trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rigs.crontab_fixtures import Crontab
from rigs.harness import REPOSITORY
from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import Installation

QUESTIONS = [
    ["--list"],
    ["--help"],
    ["daily_report", "--help"],
    ["daily_report", "--dry-run", "--demo"],
    ["daily_report", "--dry-run", "--demo", "--json"],
    ["status"],
    ["status", "--json"],
    ["status", "--help"],
    ["doctor", "--offline"],
    ["doctor", "--offline", "--json"],
    ["prune", "--older-than", "90d", "--dry-run"],
    ["review", "bulk_classifier", "--demo"],
]


def real_installation(folder: Path) -> Installation:
    """An installation with the jobs of the repository."""
    here = Installation(folder)
    for path in sorted((REPOSITORY / "jobs").rglob("*")):
        copy = here.root / path.relative_to(REPOSITORY)
        if path.is_dir():
            copy.mkdir(exist_ok=True)
        elif path.suffix != ".pyc":
            copy.write_bytes(path.read_bytes())
    (here.root / "venv/bin/python").unlink()
    (here.root / "venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (here.root / "venv/bin/python").chmod(0o755)
    return here


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Installation:
    return real_installation(tmp_path_factory.mktemp("site") / "installation")


def ignore_pipe() -> None:
    """As a service of systemd and some shells start their children."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


@pytest.mark.parametrize("ignored", [False, True], ids=["", "SIGPIPE ignored"])
@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_a_reader_that_goes_away_is_no_failure(real, question, ignored):
    read, write = os.pipe()
    os.close(read)
    options = {"restore_signals": not ignored, "preexec_fn": ignore_pipe if ignored else None}
    done = real.run(*question, stdout=write, timeout=60, **options)
    os.close(write)
    assert done.stderr.replace("run_job.sh: setting up venv/ (once, about a minute)\n", "") == ""
    assert done.returncode in (0, 78 if "doctor" in question else 0)
    assert real.history() == []
    assert not (real.root / "logs/daily_report.log").exists()


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_an_answer_that_a_full_disk_swallows_is_one_line(real, question):
    with Path("/dev/full").open("w") as full:
        done = real.run(*question, stdout=full, timeout=60)
    assert done.returncode == 74
    [line] = done.stderr.splitlines()
    assert "cannot write to stdout: " in line


@pytest.mark.parametrize("question", ["--dry-run", "--help", "-h"])
def test_a_question_about_a_job_is_no_run(tmp_path, question):
    here = Installation(tmp_path)
    here.job("hello", "print(sys.argv[1:]); raise SystemExit(78)")
    done = here.run("hello", question)
    assert (done.returncode, done.stdout) == (78, f"['{question}']\n")
    assert not list(tmp_path.glob("state/*")) and not list(tmp_path.glob("logs/*"))


def test_a_question_is_answered_while_the_job_runs(tmp_path):
    here = Installation(tmp_path)
    here.fifo("door")
    here.job("slow", "'--dry-run' in sys.argv or (mark('running'), meet('door'))")
    with here.start("slow") as wrapper:
        while not here.exists("running")():
            assert wrapper.poll() is None
        assert here.run("slow", "--dry-run").returncode == 0
        (here.root / "door").write_text("")


@pytest.mark.parametrize("value", ["a --help b", "a --dry-run b", "-h --demo "])
def test_the_value_of_an_option_is_no_question(tmp_path, value):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        here.notify("fails", "--model", value)
        assert here.history()[0][2:4] == ["fails", "3"]
        assert "START ./run_job.sh fails" in here.log("fails")
        assert catcher.events() == [("failure", "fails")]


def test_a_usage_error_is_no_run_and_is_told_all_the_same(tmp_path):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        here.job("typo", "raise SystemExit(2)")
        assert here.notify("typo", "--limit", "x").returncode == 2
        assert here.history() == []
        assert "END code=2" in here.log("typo")
        assert catcher.events() == [("failure", "typo")]


def test_a_crontab_is_changed_whole_where_nobody_reads_what_has_changed(tmp_path):
    here = Crontab(tmp_path)
    read, write = os.pipe()
    os.close(read)
    done = here.run("--install-cron", stdout=write)
    os.close(write)
    assert done.stderr == ""
    assert "17 6 * * *" in here.block()
    assert not [path.name for path in tmp_path.glob("state/.*")]


def test_stdout_that_is_closed_is_no_failure(real):
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{real.root}/run_job.sh' status >&-"],
        check=False,
        capture_output=True,
        env=real.env,
    )
    assert (done.returncode, done.stderr) == (0, b"")
