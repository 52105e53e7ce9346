"""--try and --eval go through both wrappers like any run, and say nothing about the job's runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching

GATE = """
run_id = os.environ["RUN_ID"]
say(f"2026-11-28T02:00:01Z ERROR [{run_id}] label: accuracy 0.82 is below --min-accuracy 0.9")
raise SystemExit(3)
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        yield Watched(tmp_path, catcher)


@pytest.mark.parametrize("given", [["--try"], ["--try", "5"], ["--try=5"], ["--json", "--try"]])
def test_a_try_has_lock_log_and_history_and_the_history_says_what_it_was(here, given):
    here.job("sorter", "print('a table')")
    done = here.run("sorter", *given)
    assert (done.returncode, done.stdout) == (0, "a table\n")
    assert "START ./run_job.sh sorter --" in here.log("sorter")
    [line] = here.history()
    assert line[2:4] == ["sorter", "0"]
    assert line[5] == "--try: done, or nothing to do"
    assert (here.root / "state/sorter.lock").exists()


def test_a_gate_says_why_it_did_not_open(here):
    here.job("sorter", GATE)
    done = here.run("sorter", "--eval", "labels.csv", "--min-accuracy", "0.9")
    assert done.returncode == 3
    [line] = here.history()
    assert line[5] == "--eval: label: accuracy 0.82 is below --min-accuracy 0.9"
    end = here.log("sorter").splitlines()[-1]
    assert end.endswith("(not as accurate as asked, or nothing could be compared)")


def test_a_refused_start_is_one_of_the_measure(here):
    here.job("sorter", "mark('running'); meet('door')")
    door = here.fifo("door")
    with here.start("sorter") as running:
        while not here.exists("running")():
            assert running.poll() is None
        assert here.run("sorter", "--eval=labels.csv").returncode == 75
        door.write_text("")
        running.communicate()
    assert [line[5].partition(":")[0] for line in here.history()] == [
        "--eval", "done, or nothing to do",
    ]  # fmt: skip


def test_a_run_whose_values_look_like_a_measure_is_a_run(here):
    here.job("sorter")
    here.run("sorter", "--after", "--trying", "--evaluate")
    assert here.history()[0][5] == "done, or nothing to do"


def test_a_gate_that_fails_alerts_with_its_reason_and_in_a_streak_of_its_own(here):
    here.use("webhook")
    here.job("sorter", GATE)
    assert here.notify("sorter", "--eval", "labels.csv", "--min-accuracy", "0.9").returncode == 3
    [alert] = [request.json for request in here.catcher.at("webhook")]
    assert (alert["job"], alert["code"]) == ("sorter_eval", 3)
    text = str(alert)
    assert "accuracy 0.82 is below --min-accuracy 0.9" in text
    assert "not as accurate as asked, or nothing could be compared" in text
    assert "became dead letters" not in text
    assert sorted(path.name for path in (here.root / "state").glob("*.alerted")) == [
        "sorter_eval.alerted"
    ]


def test_a_try_that_works_does_not_say_that_the_job_works_again(here):
    here.use("webhook")
    here.job("sorter", "raise SystemExit(0 if '--try' in sys.argv else 69)")
    here.notify("sorter")
    here.notify("sorter", "--try", "3")
    assert here.catcher.events() == [("failure", "sorter")]
    assert (here.root / "state/sorter.alerted").exists()


def test_a_measure_does_not_ping_the_monitor_of_the_runs(here):
    here.use("ping")
    here.job("sorter")
    here.notify("sorter", "--try")
    assert here.catcher.received == []
    here.notify("sorter")
    assert len(here.catcher.received) == 2
