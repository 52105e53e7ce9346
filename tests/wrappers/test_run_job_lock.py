"""The lock: one run of a job at a time, for exactly as long as the wrapper or the job lives."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from rigs.wrapper_fixtures import Installation, is_running, until


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.job("slow", "mark('running', str(os.getpid())); meet('door')")
    installation.fifo("door")
    return installation


def open_door(here: Installation) -> None:
    (here.root / "door").write_text("")


def test_of_fifty_starts_at_once_one_runs_and_the_others_say_not_now(here):
    started = [here.start("slow") for _ in range(50)]
    until(lambda: sum(process.poll() is not None for process in started) == 49)
    open_door(here)
    for process in started:
        process.communicate(timeout=30)
    assert Counter(process.returncode for process in started) == {75: 49, 0: 1}
    assert here.log("slow").count(" START ") == 1
    assert Counter(line[3] for line in here.history()) == {"75": 49, "0": 1}


def test_a_busy_start_names_the_run_that_is_in_its_way(here):
    with here.start("slow") as first:
        until(here.exists("running"))
        second = here.run("slow")
        open_door(here)
    since = (here.root / "state/slow.lock").read_text().split()[1]
    line = f"slow is already running since {since}, pid {first.pid}: nothing done"
    assert (second.returncode, second.stderr) == (75, f"run_job.sh: {line}\n")
    assert here.history()[0][5] == line


def test_a_busy_start_leaves_the_log_to_the_run_that_holds_the_lock(here):
    with here.start("slow"):
        until(here.exists("running"))
        before = here.log("slow")
        here.run("slow", env={"LOG_MAX_BYTES": "1"})
        assert here.log("slow") == before
        open_door(here)


def test_two_jobs_run_side_by_side(here):
    here.job("other")
    with here.start("slow"):
        until(here.exists("running"))
        assert here.run("other").returncode == 0
        open_door(here)


def test_a_demo_does_not_stand_in_the_way_of_the_real_run(here):
    here.job("either", "meet('door') if '--demo' in sys.argv else None")
    with here.start("either", "--demo"):
        until(here.exists("state/demo/logs/either.log"))
        assert here.run("either").returncode == 0
        open_door(here)


def test_a_killed_wrapper_does_not_let_a_second_run_in_while_the_job_lives(here):
    with here.start("slow", stderr=subprocess.DEVNULL) as wrapper:
        until(here.exists("running"))
        job = int((here.root / "running").read_text())
        wrapper.kill()
        wrapper.wait()
        assert here.run("slow").returncode == 75
        assert is_running(job)
        open_door(here)
    until(lambda: here.lock_is_free("slow"))
    assert not is_running(job)


def test_a_killed_job_leaves_no_lock_behind(here):
    with here.start("slow", stderr=subprocess.DEVNULL) as wrapper:
        until(here.exists("running"))
        os.kill(int((here.root / "running").read_text()), signal.SIGKILL)
        assert wrapper.wait(10) == 137
    assert here.lock_is_free("slow")


def test_a_process_that_the_job_leaves_behind_does_not_keep_the_lock(here):
    # As jobs/common/process/lock.py does at first: no other process inherits the descriptor.
    here.job(
        "parent",
        """
        os.set_inheritable(int(os.environ["JOB_LOCK_FD"]), False)
        os.system("setsid sh -c 'echo $$ >left; exec sleep 20' >/dev/null 2>&1 &")
        while not os.path.exists("left"): time.sleep(0.01)
        """,
    )
    assert here.run("parent", cwd=here.root).returncode == 0
    left = int((here.root / "left").read_text())
    try:
        assert is_running(left)
        assert here.lock_is_free("parent")
    finally:
        os.kill(left, signal.SIGKILL)


def test_the_wait_before_another_try_keeps_the_lock_and_dies_with_the_wrapper(here):
    here.tool("sleep", f"echo $$ >{here.root}/sleeping; exec /bin/sleep 20")
    here.job("later", "raise SystemExit(75)")
    with here.start("later", env={"JOB_TRIES": "2"}, stderr=subprocess.DEVNULL) as wrapper:
        until(here.exists("sleeping"))
        assert here.run("later").returncode == 75
        wrapper.kill()
        wrapper.wait()
    until((here.root / "sleeping").read_text)
    sleeping = int((here.root / "sleeping").read_text())
    try:
        assert is_running(sleeping)
        assert here.lock_is_free("later")
    finally:
        os.kill(sleeping, signal.SIGKILL)


def test_no_helper_is_given_the_lock(here):
    here.job("later", "raise SystemExit(75)")
    for name in ("gzip", "sleep"):
        here.tool(
            name,
            f"""
            if [ -e /proc/self/fd/9 ]; then echo {name} >>{here.root}/leaked; fi
            : >{here.root}/{name}
            """,
        )
    settings = {"LOG_MAX_BYTES": "1", "JOB_TRIES": "2"}
    here.run("later", env=settings)
    here.run("later", env=settings)
    assert (here.root / "gzip").exists()
    assert (here.root / "sleep").exists()
    assert not (here.root / "leaked").exists()


def test_the_lock_file_is_never_deleted(here):
    open_late = here.start("slow")
    until(here.exists("running"))
    inode = (here.root / "state/slow.lock").stat().st_ino
    open_door(here)
    open_late.communicate(timeout=10)
    here.job("slow")
    here.run("slow")
    assert (here.root / "state/slow.lock").stat().st_ino == inode


def test_the_lock_file_names_the_last_holder_alone(here):
    (here.root / "state").mkdir()
    (here.root / "state/slow.lock").write_text(
        "4194303 2026-11-22T02:00:01Z 20261122T020001Z-4194303\n"
    )
    here.job("slow")
    here.run("slow")
    [line] = (here.root / "state/slow.lock").read_text().splitlines()
    pid, since, run_id = line.split()
    assert run_id.endswith(f"-{pid}")
    assert since < here.history()[0][0] or since == here.history()[0][0]


def test_a_lock_file_that_was_deleted_between_opening_and_locking_is_not_trusted(here):
    # The first flock deletes the file under the wrapper, as a careless clean-up would.
    here.tool(
        "flock",
        f"""
        /usr/bin/flock "$@" || exit
        [ -e {here.root}/deleted ] || {{ rm {here.root}/state/slow.lock; : >{here.root}/deleted; }}
        """,
    )
    with here.start("slow"):
        until(here.exists("running"))
        del here.env["PATH"]
        assert here.run("slow").returncode == 75
        open_door(here)


def test_a_lock_that_cannot_be_opened_is_named(here):
    (here.root / "state/slow.lock").mkdir(parents=True)
    done = here.run("slow")
    assert done.returncode == 73
    assert f"cannot write {here.root}/state/slow.lock: " in done.stderr


@pytest.mark.parametrize(
    ("flock", "code", "message"),
    [("exit 127", 78, "flock is missing"), ("exit 71", 73, "cannot lock ")],
)
def test_a_lock_that_cannot_be_had_is_not_called_busy(here, flock, code, message):
    here.tool("flock", flock)
    done = here.run("slow")
    assert done.returncode == code
    assert message in done.stderr
