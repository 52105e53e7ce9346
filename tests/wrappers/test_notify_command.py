"""notify_on_failure.sh --test and --help, and the pings to a monitor (PING_URL)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching
from rigs.wrapper_fixtures import REPOSITORY, until

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        watched = Watched(tmp_path, catcher)
        watched.use("ping")
        yield watched


def pings(here: Watched) -> list[tuple[str, str]]:
    """Path and id of each ping."""
    split = (request.path.split("?rid=") for request in here.catcher.at("/ping"))
    return [(path, rid) for path, rid in split]


@pytest.mark.parametrize("code", [0, 3, 75, 137, 255])
def test_a_monitor_is_told_of_the_start_and_of_the_exit_code(here, code):
    here.ends(code)
    (start, first), (finish, second) = pings(here)
    assert (start, finish) == ("/ping/varies/start", f"/ping/varies/{code}")
    assert first == second
    assert re.fullmatch(UUID, first)
    bodies = [request.body.decode() for request in here.catcher.at("/ping")]
    assert bodies == ["", here.log("varies").rstrip("\n")]


def test_each_run_has_an_id_of_its_own(here):
    here.ends(0, 0)
    assert len({rid for _, rid in pings(here)}) == 2


def test_a_monitor_whose_address_has_a_query_keeps_it(here):
    here.env["PING_URL"] += "?token=x"
    here.notify("works")
    assert re.fullmatch(rf"/ping/works/start\?token=x&rid={UUID}", here.catcher.received[0].path)


def test_a_monitor_that_hangs_does_not_keep_the_job_from_starting(here):
    here.job("works", "mark('started')")
    here.catcher.while_held = lambda: until(here.exists("started"))
    assert here.notify("works").returncode == 0
    assert len(pings(here)) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/{job}", "no address"])
def test_a_monitor_that_cannot_be_reached_changes_nothing_and_is_told_in_a_line(here, url):
    here.env["PING_URL"] = url
    done = here.notify("fails")
    assert done.returncode == 3
    assert "notify_on_failure.sh: PING_URL" in done.stderr
    assert "http://" not in done.stderr


@pytest.mark.parametrize(
    ("code", "state"), [(0, "up"), (75, "up"), (3, "down"), (69, "down"), (143, "down")]
)
def test_a_push_url_is_told_up_or_down_once_a_run(here, code, state):
    here.job("varies", f"raise SystemExit({code})")
    url = here.catcher.settings("ping")["PING_URL"]
    here.use(PING_URL=f"{url}?status={{status}}&msg=exit+{{code}}&ping=")
    assert here.notify("varies").returncode == code
    [request] = here.catcher.at("/ping")
    assert request.path == f"/ping/varies?status={state}&msg=exit+{code}&ping="
    assert (request.method, request.body) == ("GET", b"")


@pytest.mark.parametrize(
    ("end", "told"),
    [("/{status}", "/down"), ("/{code}", "/3"), ("?took={seconds}s", r"\?took=[0-9]{1,2}s")],
)
def test_each_thing_that_an_address_asks_for_is_filled_in(here, end, told):
    here.job("varies", "raise SystemExit(3)")
    here.use(PING_URL=here.catcher.settings("ping")["PING_URL"] + end)
    here.notify("varies")
    (request,) = here.catcher.at("/ping")
    assert re.fullmatch(f"/ping/varies{told}", request.path)


def test_a_demo_pings_nobody(here):
    here.notify("works", "--demo")
    assert here.catcher.received == []


def test_test_says_how_each_channel_answered(here):
    here.use("slack", "pagerduty", "webhook", "email")
    done = here.notify("--test")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["slack", "ok:"],
        ["pagerduty", "ok:"],
        ["email", "ok:"],
        ["webhook", "ok:"],
    ]
    assert [request.json["event_action"] for request in here.catcher.at("pagerduty")] == [
        "trigger",
        "resolve",
    ]
    assert here.catcher.at("webhook")[0].json["event"] == "test"
    assert "test from " in here.catcher.at("slack")[0].json["text"]
    assert not (here.root / "state/outbox").exists()


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ((404, "no_service"), 78, "slack      REFUSED: 404 no_service; check SLACK_WEBHOOK_URL"),
        ((503, "later", {"Retry-After": "999"}), 69, "slack      NOT REACHED: 503 later"),
    ],
)
def test_a_test_that_fails_has_an_exit_code(here, answer, code, said):
    here.use("slack", "webhook")
    here.catcher.script["slack"] = [answer]
    done = here.notify("--test")
    assert done.returncode == code
    assert said in done.stdout
    assert "webhook    ok: 204" in done.stdout


def test_one_channel_can_be_tested(here):
    here.use("slack", "webhook")
    assert here.notify("--test", "webhook").returncode == 0
    assert len(here.catcher.received) == 1
    assert here.notify("--test", "email").returncode == 78


def test_a_test_without_any_channel_is_a_wrong_setting(here):
    done = here.notify("--test")
    assert done.returncode == 78
    assert "no alert channel is set" in done.stderr


@pytest.mark.parametrize(
    "arguments", [[], ["--tset"], ["--test", "pager"], ["--test", "slack", "x"], ["-x", "job"]]
)
def test_wrong_usage_is_told_and_sends_nothing(here, arguments):
    here.use("webhook")
    done = here.notify(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert here.catcher.received == []


def test_help_is_the_comment_at_the_top(here):
    done = here.notify("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Run one job through run_job.sh; send an alert when it fails")
    assert done.stdout.rstrip().endswith("69 something still does.")


def test_every_setting_of_the_manual_is_in_the_example(here):
    manual = here.notify("--help").stdout
    example = (REPOSITORY / ".env.example").read_text()
    names = re.findall(r"^  ([A-Z_]{8,})", manual, re.MULTILINE)
    assert "ALERT_LOG_TAIL" in names
    assert [name for name in names if f"{name}=" not in example] == []


def test_an_upgrade_that_died_is_undone_first_and_cron_mails_what_was_done(here):
    journal = here.root / "state/.upgrade"
    journal.mkdir(parents=True)
    (journal / "undo.sh").write_text('rm -r "${0%/*}"\necho "it is undone" >&2\n')
    done = here.notify("works")
    assert (done.returncode, done.stderr) == (0, "it is undone\n")
