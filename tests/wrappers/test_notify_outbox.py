"""An alert that could not be delivered waits for the next run of any job, which sends it once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import until

DAY = 86_400


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        yield Watched(tmp_path, catcher)


def down(here: Watched, job: str = "fails", channel: str = "webhook") -> None:
    """Let one run fail while the channel cannot be reached."""
    env = {"SLACK_WEBHOOK_URL": "http://127.0.0.1:1/x"} if channel == "slack" else {}
    env |= {"ALERT_WEBHOOK_URL": "http://127.0.0.1:1/x"} if channel == "webhook" else {}
    here.notify(job, env=env)


def plant(
    here: Watched, age: float, text: str = '{"event":"failure","job":"old"}', pid: int = 1
) -> Path:
    """Put an alert of that age (in seconds) into the outbox."""
    folder = here.root / "state/outbox"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{int((time.time() - age) * 1e6)}-{pid}.webhook.old"
    path.write_text(text)
    return path


def test_a_refused_connection_keeps_the_alert_and_the_next_run_of_another_job_sends_it(here):
    down(here)
    [kept] = here.outbox()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert here.notify("works").stderr == ""
    assert here.catcher.events() == [("failure", "fails")]
    assert here.outbox() == []


def test_what_is_sent_later_is_what_would_have_been_sent(here):
    here.use("slack", "pagerduty")
    here.catcher.script = {"slack": [(500, "")] * 3, "pagerduty": [(500, "")] * 3}
    here.notify("fails")
    here.notify("works")
    for channel in ("slack", "pagerduty"):
        bodies = [request.body for request in here.catcher.at(channel)]
        assert len(bodies) == 4
        assert len(set(bodies)) == 1


def test_mail_is_kept_as_well(here):
    here.use("email")
    sendmail = (here.root / "tools/sendmail").read_text()
    here.tool("sendmail", "cat >/dev/null; echo 'queue is full' >&2; exit 75")
    assert "email: sendmail: queue is full: kept in state/outbox/" in here.notify("fails").stderr
    (here.root / "tools/sendmail").write_text(sendmail)
    here.notify("works")
    assert "fails failed on" in (here.root / "mail").read_text()


def test_the_order_is_kept(here):
    for job in ("first", "second", "third"):
        here.job(job, "raise SystemExit(1)")
        down(here, job)
    here.notify("fails")
    assert [job for _, job in here.catcher.events()] == ["first", "second", "third", "fails"]


def test_a_later_alert_does_not_overtake_one_that_still_waits(here):
    down(here)
    here.catcher.script["webhook"] = [(503, "")] * 6
    here.job("other", "raise SystemExit(1)")
    done = here.notify("other")
    assert "an earlier alert still waits: kept" in done.stderr
    assert {job for _, job in here.catcher.events()} == {"fails"}
    here.notify("works")
    assert here.catcher.events()[-2:] == [("failure", "fails"), ("failure", "other")]


def test_a_failure_and_its_recovery_arrive_in_that_order(here):
    job = "raise SystemExit((HERE / 'code').exists())"
    here.job("flaky", job)
    (here.root / "code").write_text("")
    down(here, "flaky")
    (here.root / "code").unlink()
    down(here, "flaky")
    here.notify("works")
    assert here.catcher.events() == [("failure", "flaky"), ("recovery", "flaky")]


def test_a_kept_alert_goes_to_its_own_jobs_channel(here):
    here.use(ALERT_WEBHOOK_URL_FAILS="http://127.0.0.1:1/x")
    here.notify("fails")
    here.use(ALERT_WEBHOOK_URL_FAILS=here.catcher.settings("webhook")["ALERT_WEBHOOK_URL"])
    here.notify("works")
    assert here.catcher.events() == [("failure", "fails")]


def test_two_runs_at_once_send_what_waits_once(here):
    for number in range(5):
        plant(here, 60, pid=number + 1)
    here.catcher.while_held = lambda: time.sleep(0.05)
    jobs = ["one", "two", "three", "four"]
    for job in jobs:
        here.job(job)
    started = [here.start(job, command=str(here.root / "notify_on_failure.sh")) for job in jobs]
    for process in started:
        process.communicate(timeout=30)
    until(lambda: not here.outbox())
    assert len(here.catcher.at("webhook")) == 5


def test_an_alert_that_is_refused_later_is_given_up_with_a_line(here):
    down(here)
    here.catcher.script["webhook"] = [(410, "gone for good")]
    done = here.notify("works")
    assert done.returncode == 0
    assert "webhook: 410 gone for good: a kept alert of fails is given up" in done.stderr
    assert here.outbox() == []


def test_an_alert_is_given_up_after_three_days_with_a_line(here):
    plant(here, 3 * DAY + 60)
    plant(here, 3 * DAY - 60)
    done = here.notify("works")
    assert done.stderr.count("\n") == 1
    assert "an alert of old is given up: it could not be delivered for 3d 0h" in done.stderr
    assert len(here.catcher.at("webhook")) == 1


def test_no_more_than_200_wait(here):
    for number in range(203):
        plant(here, 1_000 - number, text=f'{{"event":"failure","job":"n{number}"}}')
    here.catcher.script["webhook"] = [(503, "")] * 9
    done = here.notify("works")
    assert len(here.outbox()) == 200
    assert done.stderr.count("is given up") == 3
    assert here.catcher.events()[0] == ("failure", "n3")


def test_what_waits_for_a_channel_that_is_not_set_any_more_stays_and_blocks_nobody(here):
    down(here)
    here.use("slack")
    here.notify("works")
    here.job("other", "raise SystemExit(1)")
    here.notify("other")
    assert len(here.outbox()) == 1
    assert len(here.catcher.at("slack")) == 1


@pytest.mark.parametrize(
    "name",
    ["README", "1-2.webhook.x", "1795377099000000-1.shell.x", "1795377099000000-1.webhook.../x"],
)
def test_a_file_that_is_no_alert_is_left_alone(here, name):
    folder = here.root / "state/outbox"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("touch never")
    assert here.notify("works").returncode == 0
    assert (folder / name).exists()
    assert here.catcher.received == []


def test_half_an_alert_is_never_sent(here):
    plant(here, 60).rename(here.root / f"state/outbox/.{int(time.time() * 1e6)}-1.webhook.old.part")
    here.notify("works")
    here.notify("fails")
    assert here.catcher.events() == [("failure", "fails")]


def test_what_waits_is_sent_while_the_job_still_runs(here):
    down(here)
    here.job("slow", "meet('door')")
    door = here.fifo("door")
    with here.start("slow", command=str(here.root / "notify_on_failure.sh")) as process:
        until(lambda: here.catcher.events() == [("failure", "fails")])
        door.write_text("")
        assert process.wait(20) == 0


def test_without_curl_the_alert_waits_and_one_line_says_why(here):
    tools = here.root / "only"
    tools.mkdir()
    for folder in (Path("/usr/bin"), Path("/bin")):
        for program in folder.iterdir():
            if program.name not in ("curl", "wget") and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    here.env["PATH"] = f"{here.root}/tools:{tools}"
    done = here.notify("fails")
    assert done.returncode == 3
    assert (
        "webhook: curl is missing: apt-get install curl (nothing else is tried): kept"
        in done.stderr
    )
    assert len(here.outbox()) == 1
