"""REPORT_SLACK_WEBHOOK_URL: a finished report is announced, escaped; a hook that fails is a warning
and stays secret.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rigs.digest_answers import finding, own_answers
from rigs.notify_fixtures import copy_wrappers
from rigs.relay import relayed
from rigs.report_site import TONIGHT, events, night, report

DAY = "2026-11-21"
SECRET = "services/T0SECRET/B0SECRET/xyzSECRET"


class Catcher:
    """A webhook on loopback: `status` and `says` are its answer, `caught` what was posted."""

    def __init__(self) -> None:
        self.status, self.says = 200, "ok"
        self.caught: list[dict[str, Any]] = []
        self.url = ""


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Catcher]:
    copy_wrappers(tmp_path)  # what sends is theirs
    catcher = Catcher()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            catcher.caught.append(json.loads(body))
            self.send_response(catcher.status)
            self.end_headers()
            self.wfile.write(catcher.says.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        catcher.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
        yield catcher
        server.shutdown()


def test_a_finished_report_is_announced_once(claude, hook):
    site = claude()
    site.events(events(DAY, 60))
    for hour in (2, 3):
        assert report(site, today=night(22, hour), REPORT_SLACK_WEBHOOK_URL=hook.url).code == 0
    (said,) = hook.caught
    assert said["text"].startswith("Daily report, 2026-11-21: 60 records\n")
    assert said["text"].endswith(f"reports/daily_report/{DAY}.html")
    assert "These sentences come from counting words" in said["text"]


def test_a_report_that_gained_records_is_announced_as_written_again(claude, hook):
    site = claude()
    for first, hour in ((1, 2), (10, 3)):
        site.events(events(DAY, 2, first))
        report(site, today=night(22, hour), REPORT_SLACK_WEBHOOK_URL=hook.url)
    first_text, second_text = (said["text"] for said in hook.caught)
    assert "written again" not in first_text
    assert "(written again: it gained records): 4 records" in second_text


def test_what_the_model_says_becomes_no_mention_and_no_link_in_slack(claude, hook):
    site = claude()
    site.events(events(DAY, 2))
    summary = "<!channel> look & see <http://example.com|this> or\nhttps://example.com/x @here"
    answer = own_answers([finding("Tea", 1)], {"summary": summary + " x" * 5000})
    with relayed(site.standin, answer) as site.standin:
        report(site, REPORT_SLACK_WEBHOOK_URL=hook.url)
    text = hook.caught[0]["text"]
    for live in ("<", ">", "!channel>", "https://", "http://", "@here"):
        assert live not in text
    assert "&lt;" in text and "look &amp; see" in text
    assert hook.caught[0]["mrkdwn"] is False
    assert text.count("\n") == 2
    assert len(text) < 3000 and text.endswith(f"{DAY}.html")


def refused(hook: Catcher) -> str:
    hook.status, hook.says = 404, "no_service"
    return hook.url


def repeats_the_url(hook: Catcher) -> str:
    hook.status, hook.says = 404, f"Not found: {SECRET}"
    return hook.url


def nobody_there(hook: Catcher) -> str:
    return f"http://127.0.0.1:9/{SECRET}"


def no_url(hook: Catcher) -> str:
    return f"//{SECRET}"


def no_host(hook: Catcher) -> str:
    return f"https://.example..com/{SECRET}"


@pytest.mark.parametrize("failing", [refused, repeats_the_url, nobody_there, no_url, no_host])
def test_a_hook_that_fails_is_a_warning_and_its_url_stays_out_of_the_log(
    claude, hook, failing: Callable[[Catcher], str]
):
    site = claude()
    site.events(events(DAY, 2))
    result = report(site, today=TONIGHT, REPORT_SLACK_WEBHOOK_URL=failing(hook))
    assert result.code == 0, result.log
    assert "report_slack: " in next(line for line in result.log.splitlines() if " WARN" in line)
    assert "SECRET" not in result.log
    assert "**2 records**" in site.report(DAY)


def test_the_demo_announces_nothing(site, hook):
    result = report(site, "--demo", REPORT_SLACK_WEBHOOK_URL=hook.url)
    assert result.code == 0, result.log
    assert hook.caught == []
