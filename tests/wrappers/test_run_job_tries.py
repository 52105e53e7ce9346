"""JOB_TRIES: a job that says "not now" (75) is started again, unless somebody stops the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from rigs.wrapper_fixtures import Installation, until


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.fifo("door")
    stops = "signal.signal(signal.SIGTERM, lambda *_: os._exit(75))"
    installation.job("stops", f"{stops}; mark('running'); meet('door')")
    return installation


def test_a_job_that_says_not_now_is_tried_as_often_as_asked(here):
    here.job("later", "mark('tries', (HERE / 'tries').read_text() + 'x'); raise SystemExit(75)")
    (here.root / "tries").write_text("")
    done = here.run("later", env={"JOB_TRIES": "3", "JOB_RETRY_WAIT": "0"})
    assert done.returncode == 75
    assert (here.root / "tries").read_text() == "xxx"
    assert here.log("later").count("ended with 75 (not now): again in 0s") == 2
    assert len(here.history()) == 1


def test_a_try_that_succeeds_is_the_last(here):
    here.job(
        "later",
        "again = (HERE / 'once').exists(); mark('once'); raise SystemExit(0 if again else 75)",
    )
    assert here.run("later", env={"JOB_TRIES": "5", "JOB_RETRY_WAIT": "0"}).returncode == 0
    assert here.log("later").count("again in") == 1


@pytest.mark.parametrize("code", [1, 3, 69, 78, 124, 137])
def test_nothing_but_not_now_is_tried_again(here, code):
    here.job("fails", f"raise SystemExit({code})")
    assert here.run("fails", env={"JOB_TRIES": "3", "JOB_RETRY_WAIT": "0"}).returncode == code
    assert "again in" not in here.log("fails")


def test_a_busy_lock_is_not_tried_again(here):
    with here.start("stops"):
        until(here.exists("running"))
        assert here.run("stops", env={"JOB_TRIES": "3", "JOB_RETRY_WAIT": "0"}).returncode == 75
        assert "again in" not in here.log("stops")
        (here.root / "door").write_text("")


def test_a_job_that_was_told_to_stop_is_not_tried_again(here):
    with here.start("stops", env={"JOB_TRIES": "3", "JOB_RETRY_WAIT": "0"}) as wrapper:
        until(here.exists("running"))
        wrapper.terminate()
        wrapper.communicate(timeout=10)
    assert wrapper.returncode == 75
    assert "again in" not in here.log("stops")


def test_the_wait_for_another_try_ends_at_once_when_told_to_stop(here):
    here.job("later", "raise SystemExit(75)")
    with here.start("later", env={"JOB_TRIES": "2", "JOB_RETRY_WAIT": "1h"}) as wrapper:
        until(lambda: "again in 3600s" in here.log("later"))
        wrapper.terminate()
        wrapper.communicate(timeout=5)
    assert wrapper.returncode == 75
    assert " END code=75 " in here.log("later")


def test_a_stop_that_comes_just_before_the_wait_for_another_try_is_not_lost(here):
    here.job("later", "raise SystemExit(75)")
    settings = {"JOB_TRIES": "2", "JOB_RETRY_WAIT": "1h"}
    for _ in range(10):
        before = here.log("later").count("again in")
        with here.start("later", env=settings) as wrapper:
            while here.log("later").count("again in") == before:
                pass
            wrapper.terminate()
            wrapper.communicate(timeout=10)
        assert wrapper.returncode == 75
