"""The folders and files that run_job.sh writes, its history among them, or says it cannot write."""

from __future__ import annotations

import os
import re
import resource
import stat
from pathlib import Path

import pytest

from rigs.wrapper_fixtures import Installation


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "an installation")
    installation.job("hello", "print('hello', sys.argv[1:])")
    return installation


def test_what_a_run_makes_is_nobody_elses_to_read(here):
    here.run("hello")
    for name in ("logs", "state", "reports"):
        assert stat.S_IMODE((here.root / name).stat().st_mode) == 0o700
    for path in (
        here.root / "logs/hello.log",
        here.root / "state/history.tsv",
        here.root / "state/hello.lock",
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["logs", "state", "reports"])
def test_a_directory_that_is_a_file_is_named_and_nothing_starts(here, name):
    (here.root / name).write_text("")
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr.count("\n") == 1
    assert f"cannot write in {here.root / name}: " in done.stderr


def test_a_directory_that_cannot_be_written_is_remembered_in_the_history(here):
    (here.root / "reports").write_text("")
    here.run("hello")
    [line] = here.history()
    assert line[2:4] == ["hello", "73"]
    assert "cannot write in " in line[5]


def test_a_directory_on_a_read_only_file_system_is_named(here):
    # By its permissions root can write there, and yet nobody can make a file in it.
    (here.root / "reports").symlink_to("/proc")
    done = here.run("hello")
    assert done.returncode == 73
    assert f"cannot write in {here.root}/reports: " in done.stderr


def test_all_three_directories_are_proved_without_leaving_a_trace(here):
    here.run("hello")
    left = {path.name for path in here.root.rglob("*") if ".writable" in path.name}
    assert left == set()


def test_a_log_that_cannot_be_written_is_named(here):
    (here.root / "logs/hello.log").mkdir(parents=True)
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (73, "")
    assert f"cannot write {here.root}/logs/hello.log: " in done.stderr


def test_a_full_disk_stops_a_run_before_it_begins(here):
    # No file may grow beyond a size that only the log has: the disk is full for the log alone.
    (here.root / "logs").mkdir()
    (here.root / "logs/hello.log").write_bytes(bytes(100_000))
    most = 100_000, 100_000
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, most)}
    done = here.run("hello", restore_signals=False, **limit)
    assert (done.returncode, done.stdout) == (74, "")
    assert "is the disk full?" in done.stderr
    assert here.history()[0][3] == "74"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_history_that_cannot_be_written_changes_nothing(here):
    (here.root / "state").mkdir()
    (here.root / "state/history.tsv").touch(0o400)
    done = here.run("hello")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_history_has_one_line_for_each_run(here):
    here.job("fails", "raise SystemExit(3)")
    here.run("hello")
    here.run("fails")
    first, second = here.history()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first[0])
    assert re.fullmatch(r"\d{8}T\d{6}Z-\d+", first[1])
    assert first[2:4] == ["hello", "0"]
    assert first[4].isdigit()
    assert first[5] == "done, or nothing to do"
    assert second[2:4] == ["fails", "3"]
    assert second[5] == "finished, but records failed or became dead letters"


def test_the_history_gives_the_jobs_own_reason_when_it_has_one(here):
    here.job(
        "refused",
        """
        lines = ("ERROR", "first"), ("ERROR", "no credit\\tleft\\x1b[0m"), ("INFO ", "x")
        for level, text in lines:
            say(f"2026-11-22T02:00:01Z {level} [{os.environ['RUN_ID']}] {text}")
        say(f"2026-11-22T02:00:01Z ERROR [another-run] not mine")
        raise SystemExit(77)
        """,
    )
    here.run("refused")
    assert here.history()[0][5] == "no credit left [0m"


def test_the_reason_of_a_job_that_says_not_now_is_its_last_warning(here):
    here.job(
        "later",
        """
        lines = ("WARN ", "slow"), ("WARN ", "message batch still processing"), ("INFO ", "x")
        for level, text in lines:
            say(f"2026-11-22T02:00:01Z {level} [{os.environ['RUN_ID']}] {text}")
        raise SystemExit(75)
        """,
    )
    here.run("later")
    assert here.history()[0][5] == "message batch still processing"


def test_what_looks_wrong_is_not_why_a_run_ends(here):
    here.job(
        "later",
        """
        for said in ("message batch still processing", 'looks wrong: label "other" 97 %'):
            stamp = "2026-11-22T06:17:01Z WARN  [" + os.environ["RUN_ID"] + "] "
            print(stamp + said, file=sys.stderr)
        raise SystemExit(75)
        """,
    )
    here.run("later")
    assert here.history()[0][5] == "message batch still processing"


def test_a_long_reason_is_cut_between_two_characters(here):
    here.job(
        "long",
        """
        say(f"2026-11-22T02:00:01Z ERROR [{os.environ['RUN_ID']}] x" + "\u00e9" * 300)
        raise SystemExit(1)
        """,
    )
    here.run("long")
    reason = here.history()[0][5]
    assert reason == "x" + "\u00e9" * 99


def test_a_time_limit_is_the_reason_whatever_the_job_said_before(here):
    here.job(
        "slow",
        """
        say(f"2026-11-22T02:00:01Z ERROR [{os.environ['RUN_ID']}] something else")
        raise SystemExit(124)
        """,
    )
    here.run("slow")
    assert here.history()[0][5] == "time limit (JOB_TIMEOUT)"


def test_thirty_runs_that_end_at_once_leave_thirty_whole_lines_of_history(here):
    for number in range(30):
        here.job(f"job{number}")
    started = [here.start(f"job{number}") for number in range(30)]
    for process in started:
        process.communicate(timeout=30)
    assert sorted(line[2] for line in here.history()) == sorted(f"job{n}" for n in range(30))
    assert {len(line) for line in here.history()} == {6}


def test_an_installation_that_lacks_what_starts_a_job_is_78_and_no_wrong_usage(here):
    (here.root / "jobs/common/runner/launch.py").unlink()
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.count("\n") == 1 and "restore it with git checkout" in done.stderr
