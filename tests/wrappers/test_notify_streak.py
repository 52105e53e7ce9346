"""When an alert is due: at the first failure, hours later, for another code, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching, now


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        yield Watched(tmp_path, catcher)


F, R, S = "failure", "recovery", "stuck"


@pytest.mark.parametrize(
    ("codes", "events"),
    [
        ([0], []),
        ([0, 0, 0], []),
        ([3], [F]),
        ([3, 3, 3, 3], [F]),
        ([3, 0], [F, R]),
        ([3, 3, 0, 0], [F, R]),
        ([3, 0, 3], [F, R, F]),
        ([3, 1], [F, F]),
        ([3, 1, 1, 3], [F, F, F]),
        ([1, 69, 69, 0], [F, F, R]),
        ([75], []),
        ([75, 75], []),
        ([75, 75, 75], [S]),
        ([75, 75, 75, 75, 75], [S]),
        ([75, 75, 0, 75, 75], []),
        ([75, 75, 75, 0], [S, R]),
        ([75, 75, 3], [F]),
        ([75, 75, 75, 3, 0], [S, F, R]),
        ([3, 75], [F]),
        ([3, 75, 3], [F]),
        ([3, 75, 75, 3, 75, 75, 3], [F]),
        ([3, 75, 0], [F, R]),
        ([3, 75, 75, 75], [F, S]),
        ([3, 75, 75, 75, 3], [F, S]),
        ([2, 4, 69, 73, 74, 77, 78, 124, 126, 127, 137, 143, 255], [F] * 13),
    ],
    ids=str,
)
def test_a_row_of_exit_codes_gives_these_alerts(here, codes, events):
    here.ends(*codes)
    assert [event for event, _ in here.catcher.events()] == events


def test_the_streaks_of_two_jobs_are_their_own(here):
    here.ends(3, 3, job="one")
    here.ends(3, 0, job="two")
    assert here.catcher.events() == [(F, "one"), (F, "two"), (R, "two")]


@pytest.mark.parametrize(("hours", "alerts"), [(5.9, 1), (6.1, 2), (-0.5, 1), (-2, 2)])
def test_a_failure_that_lasts_is_repeated_after_hours_of_silence(here, hours, alerts):
    here.ends(3)
    here.backdate("varies", hours)
    here.ends(3)
    assert here.catcher.events() == [(F, "varies")] * alerts


def test_the_silence_is_as_long_as_set_for_that_job(here):
    here.env["ALERT_REPEAT_HOURS"] = "48"
    here.env["ALERT_REPEAT_HOURS_VARIES"] = "2"
    here.ends(3)
    here.backdate("varies", 2.1)
    here.ends(3)
    assert len(here.catcher.events()) == 2


def test_a_silence_that_is_no_number_counts_as_six_hours_and_is_told(here):
    here.env["ALERT_REPEAT_HOURS"] = "$(touch never)"
    done = here.notify("fails")
    assert done.returncode == 3
    assert "ALERT_REPEAT_HOURS must be a number of hours: 6 is used" in done.stderr
    assert "ALERT_REPEAT_HOURS" in here.catcher.at("webhook")[0].json["text"]


def test_a_repeated_alert_says_how_often_and_for_how_long_it_has_failed(here):
    here.ends(3, 3)
    here.backdate("varies", 7.5)
    here.ends(3)
    assert "in a row: 3 failed runs, for 7h 30m" in here.catcher.at("webhook")[-1].json["text"]


def test_a_recovery_says_how_long_it_was_down(here):
    here.ends(3)
    here.backdate("varies", 50.5)
    here.ends(0)
    text = here.catcher.at("webhook")[-1].json["text"]
    assert "varies works again on " in text
    assert ": it was down for 2d 2h\n" in text
    assert here.catcher.at("webhook")[-1].json["log_tail"] == ""
    assert here.streak("varies") == {}


def test_being_stuck_is_repeated_after_hours_of_silence(here):
    here.ends(75, 75, 75)
    here.backdate("varies", 6.5)
    here.ends(75)
    first, second = (request.json["text"] for request in here.catcher.at("webhook"))
    assert "is it stuck? exit 75 (not now) 3 times in a row" in first
    assert "4 times in a row, for 6h 30m" in second


def test_a_run_that_finds_another_one_running_says_which_when_it_is_stuck(here):
    here.job("slow", "mark('running'); meet('door')")
    door = here.fifo("door")
    with here.start("slow") as process:
        while not here.exists("running")():
            pass
        for _ in range(3):
            assert here.notify("slow").returncode == 75
        door.write_text("")
        process.communicate()
    [alert] = here.catcher.at("webhook")
    assert alert.json["event"] == "stuck"
    assert f", pid {process.pid}: nothing done" in alert.json["reasons"][0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"code=x\n",
        b"\0\xff\n" * 900,
        b"code=3\nsince=1\nextra=1\n",
        b"code=3; rm -rf /\n",
        b"count=99999999999999999\n",
    ],
)
def test_a_streak_that_cannot_be_read_counts_as_none(here, content):
    (here.root / "state").mkdir()
    (here.root / "state/varies.alerted").write_bytes(content)
    here.ends(3)
    assert here.catcher.events() == [(F, "varies")]
    assert here.streak("varies")["count"] == 1


def test_what_is_remembered_is_what_the_file_says(here):
    before = now()
    here.ends(3, 75, 69)
    streak = here.streak("varies")
    assert before <= streak.pop("since") <= streak.pop("alerted") <= now()
    assert streak == {"code": 69, "count": 2, "skipped": 0, "waiting": 0, "stuck": 0}
    assert (here.root / "state/varies.alerted").stat().st_mode & 0o777 == 0o600


def test_an_alert_that_every_channel_refuses_is_tried_again_by_the_next_failure(here):
    here.catcher.script["webhook"] = [(404, "gone")]
    here.ends(3, 3, 3)
    assert len(here.catcher.at("webhook")) == 2


def test_a_streak_nobody_was_told_of_needs_no_recovery(here):
    here.catcher.script["webhook"] = [(404, "gone")]
    here.ends(3, 0)
    assert here.catcher.events() == [(F, "varies")]
