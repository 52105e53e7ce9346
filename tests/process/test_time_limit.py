"""A job keeps JOB_TIMEOUT itself: whoever started it may be gone by then."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from rigs.crash_oracle import examine, nothing_more
from rigs.crash_rig import Rig, standin_process
from rigs.wrapper_fixtures import Installation, is_running, until


@pytest.fixture
def rig(tmp_path):
    """An installation whose answers take 0.3 s each: a run of it takes longer than a second."""
    with standin_process(tmp_path / "standin", 0.3) as bill:
        rig = Rig(tmp_path / "site", bill)
        rig.per_record()
        rig.events(100)
        yield rig


def test_a_job_started_by_python_stops_in_order_at_its_time_limit(rig):
    rig.environ = {"JOB_TIMEOUT": "1"}
    ended = rig.run()
    assert ended.code == 124, ended.log
    assert "time limit: finishing what is in flight, then stopping" in ended.log
    assert "ERROR [" in ended.log and "stopped by time limit: " in ended.log
    assert "status=time_limit" in ended.log
    assert rig.ledger("select count(*) from requests where status = 'submitted'") == [(0,)]
    assert rig.ledger("select exit_code from runs") == [(124,)]
    rig.environ = {}
    assert rig.run().code == 0
    findings = examine(rig)
    assert not findings.violations and not findings.billed_again
    assert not nothing_more(rig)


@pytest.mark.parametrize("stuck", ["while True: pass", "db.execute(ENDLESS)"])
def test_a_job_that_is_stuck_is_killed_a_little_later(rig, stuck):
    endless = "with recursive t(n) as (select 1 union all select n + 1 from t) select sum(n) from t"
    rig.per_record(save=stuck.replace("ENDLESS", repr(endless)))
    rig.environ = {"JOB_TIMEOUT": "4", "JOB_KILL_AFTER": "1s"}
    assert rig.run("--limit", "1").code == -signal.SIGKILL


def test_a_job_that_ends_before_its_time_limit_knows_nothing_of_it(rig):
    rig.environ = {"JOB_TIMEOUT": "1h"}
    ended = rig.run("--limit", "1")
    assert ended.code == 0
    assert "time limit" not in ended.log


def test_the_time_limit_of_that_job_wins(rig):
    rig.environ = {"JOB_TIMEOUT": "1h", "JOB_TIMEOUT_LABELS": "1s"}
    assert rig.run().code == 124


@pytest.mark.parametrize("value", ["0", "soon", "1.5h", "-1", "9" * 400, "1w"])
@pytest.mark.parametrize("name", ["JOB_TIMEOUT", "JOB_KILL_AFTER"])
def test_a_time_limit_that_is_none_is_named(rig, name, value):
    rig.environ = {name: value}
    ended = rig.run()
    assert ended.code == 78
    [line] = ended.log.splitlines()
    assert f"{name}" in line and len(line) < 250
    assert not rig.bill.lines()


def test_the_wrapper_hands_its_time_limit_on(tmp_path):
    here = Installation(tmp_path)
    here.job("hello", "print(os.environ['JOB_TIMEOUT'], os.environ['JOB_KILL_AFTER'])")
    assert here.run("hello").stdout == "21600 30\n"
    given = {"JOB_TIMEOUT_HELLO": "2h", "JOB_KILL_AFTER": "1m"}
    assert here.run("hello", env=given).stdout == "7200 60\n"


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_no_job_outlives_the_end_of_a_run_whose_timeout_was_killed(tmp_path):
    here = Installation(tmp_path)
    here.fifo("door")
    here.job(
        "slow",
        """
        signal.signal(signal.SIGTERM, lambda *_: (mark('told'), os._exit(75)))
        mark('running', str(os.getpid()))
        meet('door')
        """,
    )
    with here.start("slow", stderr=subprocess.DEVNULL) as wrapper:
        until(here.exists("running"))
        job = int((here.root / "running").read_text())
        os.kill(parent(job), signal.SIGKILL)
        assert wrapper.wait(10) == 137
    assert (here.root / "told").exists()
    assert not is_running(job)
    assert "END code=137" in here.log("slow").splitlines()[-1]
    assert here.lock_is_free("slow")
