"""A channel's answer: it took the alert, or refused it for good, or may take it at another try."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        yield Watched(tmp_path / "an installation", catcher)


REFUSALS = [
    ("slack", 400, "invalid_payload"),
    ("slack", 403, "invalid_token"),
    ("slack", 404, "no_service"),
    ("slack", 410, "channel_is_archived"),
    ("slack", 302, "moved"),
    (
        "pagerduty",
        400,
        '{"status":"invalid event","errors":["Length of \'routing_key\' is incorrect"]}',
    ),
    ("webhook", 401, "who are you?"),
    ("webhook", 404, ""),
]


@pytest.mark.parametrize(("channel", "status", "word"), REFUSALS)
def test_a_refusal_is_final_and_told_in_the_channels_own_word(here, channel, status, word):
    here.use(channel)
    here.catcher.script[channel] = [(status, word)]
    done = here.notify("fails")
    assert done.returncode == 3
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"notify_on_failure.sh: {channel}: {status} {word}".rstrip())
    assert "this alert is lost there; check " in line
    assert len(here.catcher.received) == 1
    assert here.outbox() == []


OUTAGES = [
    ([(500, "rollup_error"), (200, "ok")], ["1"]),
    ([(503, "<html>"), (529, ""), (200, "ok")], ["1", "3"]),
    ([(408, ""), (200, "ok")], ["1"]),
    ([(429, "rate_limited", {"Retry-After": "7"}), (200, "ok")], ["7"]),
    ([(429, "rate_limited", {"retry-after": "0"}), (200, "ok")], ["0"]),
    ([(429, "", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), (200, "ok")], ["1"]),
]


@pytest.mark.parametrize(("answers", "waits"), OUTAGES)
def test_what_passes_is_tried_again(here, answers, waits):
    here.use("slack")
    here.catcher.script["slack"] = list(answers)
    done = here.notify("fails")
    assert done.stderr.count("\n") == 1
    assert len(here.catcher.at("slack")) == len(answers)
    assert len({request.body for request in here.catcher.at("slack")}) == 1
    assert here.waits() == waits
    assert here.outbox() == []


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([(500, "")] * 9, 3),
        ([(429, "rate_limited", {"Retry-After": "3600"})] * 9, 1),
        ([(429, "rate_limited")] * 9, 3),
        ([(200, "<html>please log in</html>")] * 9, 1),
    ],
)
def test_what_does_not_pass_in_time_is_kept(here, answers, tries):
    here.use("slack")
    here.catcher.script["slack"] = list(answers)
    done = here.notify("fails")
    assert len(here.catcher.at("slack")) == tries
    assert len(here.outbox()) == 1
    assert done.stderr.splitlines()[-1].endswith(
        "kept in state/outbox/, the next run of any job sends it"
    )


def test_a_channel_that_is_down_does_not_keep_another_one_from_hearing(here):
    here.use("slack", "webhook", ALERT_WEBHOOK_URL="http://127.0.0.1:1/hook")
    assert here.notify("fails").returncode == 3
    assert len(here.catcher.at("slack")) == 1
    [kept] = here.outbox()
    assert ".webhook." in kept.name


@pytest.mark.parametrize(
    "url",
    ["hooks.slack.com/services/x", "file:///etc/passwd", 'https://a"b', "https://a b", "-K /etc/x"],
)
def test_an_address_that_is_none_is_refused_without_being_repeated(here, url):
    here.use(SLACK_WEBHOOK_URL=url)
    done = here.notify("fails")
    assert "slack: SLACK_WEBHOOK_URL is not an address" in done.stderr
    assert url not in done.stderr
