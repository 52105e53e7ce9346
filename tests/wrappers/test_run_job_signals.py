"""Whatever ends a run: all of its processes end, and the exit code says what the job came to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rigs.wrapper_fixtures import Installation, is_running, until

# timeout may send its TERM twice, at once: to the job, and to the group the job is in.
LISTENS = """
def stop(number, frame):
    signal.signal(number, signal.SIG_IGN)
    mark("told", signal.Signals(number).name)
    say("last words")
    raise SystemExit({code})
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, stop)
mark("running", str(os.getpid()))
meet("door")
"""


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.fifo("door")
    installation.job("listens", LISTENS.format(code=75))
    return installation


def pid_of(here: Installation, name: str) -> int:
    until(lambda: here.exists(name)() and (here.root / name).read_text())
    return int((here.root / name).read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_the_job_as_term_and_its_own_status_comes_back(here, number):
    with here.start("listens") as wrapper:
        pid_of(here, "running")
        wrapper.send_signal(number)
        wrapper.communicate(timeout=10)
    assert wrapper.returncode == 75
    assert (here.root / "told").read_text() == "SIGTERM"


def test_the_last_words_of_a_stopped_job_stand_before_the_end_line(here):
    with here.start("listens") as wrapper:
        pid_of(here, "running")
        wrapper.terminate()
        wrapper.communicate(timeout=10)
    assert here.log("listens").splitlines()[-2] == "last words"
    assert " WARN  [" in here.log("listens").splitlines()[-1]


def test_the_real_status_is_kept_when_the_job_takes_its_time_to_stop(here):
    here.fifo("second_door")
    here.job("listens", LISTENS.replace("raise", "meet('second_door'); raise").format(code=9))
    with here.start("listens") as wrapper:
        pid_of(here, "running")
        wrapper.terminate()
        until(here.exists("told"))
        (here.root / "second_door").write_text("")
        wrapper.communicate(timeout=10)
    assert wrapper.returncode == 9


def test_a_second_signal_is_passed_on_as_well(here):
    here.job(
        "stubborn",
        """
        count = 0
        def stop(number, frame):
            global count
            count += 1
            mark(f"told{count}")
        signal.signal(signal.SIGTERM, stop)
        mark("running", str(os.getpid()))
        while count < 3: time.sleep(0.01)
        """,
    )
    with here.start("stubborn") as wrapper:
        pid_of(here, "running")
        for number in (1, 2, 3):
            wrapper.terminate()
            until(here.exists(f"told{number}"))
        assert wrapper.wait(10) == 0


def test_a_job_without_a_handler_is_reported_as_stopped_by_term(here):
    here.job("plain", "mark('running', str(os.getpid())); meet('door')")
    with here.start("plain") as wrapper:
        pid_of(here, "running")
        wrapper.terminate()
        _, stderr = wrapper.communicate(timeout=10)
    assert wrapper.returncode == 143
    assert "END code=143" in here.log("plain")
    assert stderr.count("\n") == 1
    assert "stopped by signal 15" in stderr


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT"])
def test_a_job_that_is_killed_gives_128_and_the_signal(here, name):
    number = signal.Signals[name]
    here.job(
        "dies",
        f"""
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), {number})
        """,
    )
    done = here.run("dies")
    assert done.returncode == 128 + number
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("run_job.sh: dies ended with ")


IGNORES = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
mark("running", str(os.getpid()))
meet("door")
"""


def test_a_job_that_ignores_term_is_killed_a_little_later(here):
    here.job("deaf", IGNORES)
    with here.start("deaf", env={"JOB_KILL_AFTER": "1"}) as wrapper:
        job = pid_of(here, "running")
        wrapper.terminate()
        wrapper.communicate(timeout=10)
    assert wrapper.returncode == 137
    assert not is_running(job)
    assert "END code=137" in here.log("deaf")


def test_a_time_limit_ends_the_job(here):
    done = here.run("listens", env={"JOB_TIMEOUT": "1"})
    assert done.returncode == 124
    assert (here.root / "told").read_text() == "SIGTERM"
    assert "(time limit (JOB_TIMEOUT))" in here.log("listens").splitlines()[-1]


def test_a_job_that_ends_well_on_its_time_limit_still_ran_into_it(here):
    here.job("listens", LISTENS.format(code=0))
    assert here.run("listens", env={"JOB_TIMEOUT": "1"}).returncode == 124


def test_a_job_that_ignores_its_time_limit_is_killed(here):
    here.job("deaf", IGNORES)
    assert here.run("deaf", env={"JOB_TIMEOUT": "1", "JOB_KILL_AFTER": "1"}).returncode == 137


FAMILY = """
child = subprocess.Popen(["sh", "-c", "sleep 19 & echo $! >grandchild; wait"])
mark("child", str(child.pid))
while not os.path.exists("grandchild"): time.sleep(0.01)
mark("running", str(os.getpid()))
meet("door")
"""


@pytest.mark.parametrize("how", ["time limit", "signal"])
def test_what_the_job_has_started_ends_with_it(here, how):
    here.job("parent", FAMILY)
    limit = "2" if how == "time limit" else "1h"
    with here.start("parent", env={"JOB_TIMEOUT": limit}, cwd=here.root) as wrapper:
        family = [pid_of(here, name) for name in ("running", "child", "grandchild")]
        if how == "signal":
            wrapper.terminate()
        wrapper.communicate(timeout=10)
    until(lambda: not any(is_running(pid) for pid in family))


def test_term_at_any_moment_ends_everything(here):
    """From the first instant on, nothing hangs, nothing is left, and the exit code fits a stop."""
    here.job("listens", LISTENS.format(code=75).replace("meet", "time.sleep(0); meet"))
    for step in range(24):
        with here.start("listens", stderr=subprocess.DEVNULL) as wrapper:
            moment = here.root / "state/listens.lock"
            if step % 3 == 1:
                until(moment.exists)
            elif step % 3 == 2:
                until(lambda: here.log("listens").count("START") > here.log("listens").count("END"))
            wrapper.terminate()
            wrapper.communicate(timeout=5)
        assert wrapper.returncode in (75, 143, -signal.SIGTERM)
        until(lambda: here.lock_is_free("listens"))


def test_a_reader_of_stderr_that_goes_away_does_not_end_the_run(here):
    here.job("fails", "mark('running', '1'); meet('door'); raise SystemExit(3)")
    with here.start("fails") as wrapper:
        pid_of(here, "running")
        assert wrapper.stderr
        wrapper.stderr.close()
        (here.root / "door").write_text("")
        assert wrapper.wait(10) == 3
    assert here.history()[0][3] == "3"


def test_what_ignores_a_stop_is_killed_even_when_its_job_is_gone(here):
    here.job(
        "parent",
        """
        script = "trap '' TERM; echo $$; exec sleep 19"
        child = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
        mark("running", child.stdout.readline().decode())
        meet("door")
        """,
    )
    with here.start("parent", env={"JOB_KILL_AFTER": "1"}) as wrapper:
        child = pid_of(here, "running")
        wrapper.terminate()
        wrapper.communicate(timeout=10)
    assert wrapper.returncode == 143
    assert not is_running(child)


def test_a_job_that_timeout_left_alone_is_told_to_stop_all_the_same(here):
    # `timeout` does so when the signal comes after it has started the job, but before it knows the
    # job's pid.
    here.tool("timeout", OWN_GROUP.format(python=sys.executable))
    with here.start("listens") as wrapper:
        job = pid_of(here, "running")
        wrapper.terminate()
        wrapper.communicate(timeout=10)
    assert wrapper.returncode == 143
    assert here.exists("told")()
    assert not is_running(job)


OWN_GROUP = """
exec {python} -c '
import os, signal, subprocess, sys
os.setpgid(0, 0)
signal.signal(signal.SIGTERM, lambda number, frame: os._exit(143))
subprocess.call(sys.argv[4:])
' "$@"
"""


def test_the_job_is_not_started_from_a_group_that_the_caller_signals(here):
    with here.start("listens", start_new_session=True) as wrapper:
        job = pid_of(here, "running")
        assert os.getpgid(job) != os.getpgid(wrapper.pid)
        wrapper.terminate()
        wrapper.communicate(timeout=10)


def test_a_job_that_is_told_to_stop_while_python_imports_has_not_begun(here):
    imported = here.root / "jobs/common/runner/run.py"
    imported.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    here.job("early", "mark('begun')")
    assert here.run("early").returncode == 75
    assert not here.exists("begun")()
    assert "WARN  " in here.log("early").splitlines()[-2]
    assert "jobs/early.py was stopped by TERM before it began" in here.log("early")


def test_ctrl_c_leaves_no_traceback_before_a_script_handles_it(here):
    (here.root / "jobs/ops").mkdir()
    (here.root / "jobs/ops/look.py").write_text("raise KeyboardInterrupt\n")
    (here.root / "jobs/mine.py").write_text("import common\nraise KeyboardInterrupt\n")
    for command in (["./run_job.sh", "look"], [sys.executable, "jobs/mine.py"]):
        done = subprocess.run(command, cwd=here.root, env=here.env, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
