"""One run of a job at a time."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys

import pytest

from common.process.exits import JobExit
from common.process.lock import hold


@pytest.fixture(autouse=True)
def _no_wrapper(monkeypatch):
    monkeypatch.delenv("JOB_LOCK_FD", raising=False)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "daily_report.lock"


def test_the_second_run_is_told_not_now_until_the_first_lets_go(path):
    held = hold(path)
    with pytest.raises(JobExit, match=r"already running \(daily_report.lock is held\)") as refused:
        hold(path)
    assert refused.value.code == 75
    os.close(held)
    os.close(hold(path))
    assert path.exists()  # if it were removed, two processes could hold a lock each
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_lock_of_the_wrapper_is_taken_over_and_kept_when_the_wrapper_dies(path, monkeypatch):
    wrappers = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(wrappers, fcntl.LOCK_EX)
    inherited = os.dup(wrappers)
    monkeypatch.setenv("JOB_LOCK_FD", str(inherited))
    os.set_inheritable(inherited, True)  # as bash does for its child
    assert hold(path) == inherited
    assert not os.get_inheritable(inherited)
    assert "JOB_LOCK_FD" not in os.environ
    os.close(wrappers)
    with pytest.raises(JobExit):
        hold(path)
    os.close(inherited)


@pytest.mark.parametrize("number", ["", "x", "-1", "999999", "1.5"])
def test_a_descriptor_that_is_none_is_not_believed(path, monkeypatch, number):
    monkeypatch.setenv("JOB_LOCK_FD", number)
    os.close(hold(path))


def test_a_descriptor_of_another_file_is_not_believed(path, tmp_path, monkeypatch):
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    monkeypatch.setenv("JOB_LOCK_FD", str(other))
    held = hold(path)
    assert held != other
    with pytest.raises(JobExit):
        hold(path)
    os.close(held)
    os.close(other)


def test_a_child_does_not_keep_the_lock_of_a_run_that_has_gone(path):
    held = hold(path)
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, close_fds=False) as child:
        assert child.stdout is not None and child.stdout.readline()
        os.close(held)
        os.close(hold(path))
        child.communicate()


def test_where_no_lock_can_be_made_the_run_ends_with_73(tmp_path):
    with pytest.raises(JobExit, match="cannot write") as refused:
        hold(tmp_path / "missing" / "x.lock")
    assert refused.value.code == 73
