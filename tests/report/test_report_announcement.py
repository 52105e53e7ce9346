"""A finished report is announced, escaped, in Slack and by e-mail; what fails is a warning, stays
secret, and is sent later, once.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rigs.digest_answers import finding, own_answers
from rigs.harness import Result, Site
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


ACTIONS = [finding(f"Do {word} & more", 1) for word in ("one", "two", "three", "four", "five")]


def test_slack_gets_the_three_sentences_the_first_three_actions_and_the_path(claude, hook):
    site = claude()
    site.events(events(DAY, 2))

    def answer(request, _answer):
        if "<findings" in request["messages"][0]["content"]:
            return {"summary": "A. B. C.", "themes": [], "anomalies": [], "action_items": []}
        return {"themes": [], "anomalies": [], "action_items": ACTIONS}

    with relayed(site.standin, answer) as site.standin:
        report(site, REPORT_SLACK_WEBHOOK_URL=hook.url)
    lines = hook.caught[0]["text"].split("\n")
    assert lines[:2] == [f"Daily report, {DAY}: 2 records", "A. B. C."]
    assert [line[:3] for line in lines[2:5]] == ["1. ", "2. ", "3. "]
    assert all("&amp; more" in line for line in lines[2:5])
    assert lines[5:] == ["and 2 more actions", str(site.root / f"reports/daily_report/{DAY}.html")]


def outbox(site: Site) -> list[Path]:
    return sorted((site.root / "state/outbox").glob("[0-9]*"))


def test_what_cannot_be_sent_waits_and_the_next_run_sends_it_once(claude, hook):
    site = claude()
    site.events(events(DAY, 2))
    down = report(site, REPORT_SLACK_WEBHOOK_URL=f"http://127.0.0.1:9/{SECRET}")
    assert down.code == 0 and "it waits in state/outbox/" in down.log
    (kept,) = outbox(site)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "SECRET" not in kept.name + kept.read_text()
    for hour in (3, 4):
        report(site, today=night(22, hour), REPORT_SLACK_WEBHOOK_URL=hook.url)
    assert [said["text"][:24] for said in hook.caught] == [f"Daily report, {DAY}"]
    assert outbox(site) == []


def test_what_waits_is_replaced_by_the_report_that_is_written_again(claude, hook):
    site = claude()
    for first, hour in ((1, 2), (10, 3)):
        site.events(events(DAY, 2, first))
        report(site, today=night(22, hour), REPORT_SLACK_WEBHOOK_URL="http://127.0.0.1:9/x")
    assert len(outbox(site)) == 1
    report(site, today=night(22, 4), REPORT_SLACK_WEBHOOK_URL=hook.url)
    (said,) = hook.caught
    assert said["text"].startswith(f"Daily report, {DAY}: 4 records\n"), "nobody has heard of 2"


def test_a_run_that_dies_before_it_can_send_has_lost_nothing(claude, hook, monkeypatch):
    site = claude()
    site.events(events(DAY, 2))
    url = {"REPORT_SLACK_WEBHOOK_URL": hook.url}
    with monkeypatch.context() as broken:
        broken.setattr("common.publish.outbox.send", lambda *_: os._exit(9))
        if not (pid := os.fork()):
            report(site, **url)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 9 << 8
    assert hook.caught == [] and len(outbox(site)) == 1
    report(site, today=night(22, 3), **url)
    assert len(hook.caught) == 1 and len(site.billed()) == 2


@pytest.mark.parametrize("counts", [False, True])
def test_a_run_that_is_killed_beside_its_commit_announces_once(claude, hook, monkeypatch, counts):
    site = claude()
    site.events(events(DAY, 2))
    url = {"REPORT_SLACK_WEBHOOK_URL": hook.url}
    died_in = "common.publish.outbox.release" if counts else "common.ledger.runs.Runs.set_reported"
    with monkeypatch.context() as broken:
        broken.setattr(died_in, lambda *_: os._exit(9))
        if not (pid := os.fork()):
            report(site, **url)
            os._exit(1)
        assert os.waitpid(pid, 0)[1] == 9 << 8
    assert (site.root / f"reports/daily_report/{DAY}.md").exists() and outbox(site) == []
    for hour in (3, 4):
        report(site, today=night(22, hour), **url)
    (said,) = hook.caught
    assert said["text"].startswith(f"Daily report, {DAY}: 2 records\n"), "nobody has heard of it"


def test_a_script_that_is_missing_or_an_outbox_that_cannot_be_written_is_a_warning(claude, hook):
    site = claude()
    site.events(events(DAY, 2))
    (site.root / "state").mkdir(exist_ok=True)
    (site.root / "state/outbox").write_text("in its place")
    result = report(site, REPORT_SLACK_WEBHOOK_URL=hook.url)
    assert result.code == 0 and "it cannot be announced" in result.log
    (site.root / "state/outbox").unlink()
    (site.root / "notify_on_failure.sh").unlink()
    result = report(site, "--date", DAY, "--reprocess", REPORT_SLACK_WEBHOOK_URL=hook.url)
    assert result.code == 0 and "waits in state/outbox/" in result.log
    assert len(outbox(site)) == 1


def mailed(site: Site, tools: Path, **environ: Any) -> Result:
    """A run whose sendmail keeps what it gets; `environ` are settings."""
    tools.mkdir(exist_ok=True)
    program = tools / "sendmail"
    program.write_text(f'#!/bin/sh\necho "$@" >>"{tools}/arguments"\ncat >>"{tools}/mail"\n')
    program.chmod(0o755)
    return report(site, **environ)


def test_the_page_goes_by_mail_with_plain_text_beside_it(claude, hook, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    site = claude()
    site.events([(1, "Grüße aus Köln: <b>wo</b> ist es?", f"{DAY} 10:00:00")])
    result = mailed(site, tools, REPORT_EMAIL="boss@example.org, me@example.org")
    assert result.code == 0 and "report_email: the announcement of a report" in result.log
    assert (tools / "arguments").read_text() == "-t -i\n"
    raw = (tools / "mail").read_bytes()
    assert max(map(len, raw.splitlines())) < 200
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["To"] == "boss@example.org, me@example.org"
    assert mail["Subject"] == "Daily report, Saturday 21 November 2026: 1 record"
    assert mail.get_content_type() == "multipart/alternative"
    plain, page = mail.iter_parts()
    folder = site.root / "reports/daily_report"
    assert plain.get_content() == (folder / f"{DAY}.md").read_text(encoding="utf-8")
    whole = (folder / f"{DAY}.html").read_text(encoding="utf-8")
    assert page.get_content_type() == "text/html"
    assert page.get_content() == re.sub(r'<nav class="days".*\n', "", whole)
    assert "Grüße" in page.get_content() and "index.html" not in page.get_content()


def test_no_text_of_a_record_waits_in_the_outbox_of_the_mail(claude, hook, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    site = claude()
    site.events([(1, "Grüße aus Köln", f"{DAY} 10:00:00")])
    tools.mkdir()
    (tools / "sendmail").write_text("#!/bin/sh\ncat >/dev/null\nexit 75\n")
    (tools / "sendmail").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert report(site, REPORT_EMAIL="boss@example.org").code == 0
    (kept,) = outbox(site)
    subject = "Daily report, Saturday 21 November 2026: 1 record"
    assert kept.read_text() == f"reports/daily_report/{DAY}\n{subject}\n"


def test_a_day_without_records_is_announced_and_one_that_is_not_over_is_not(claude, hook):
    site = claude()
    site.events(events("2026-11-19", 2))
    report(site, today=night(20), REPORT_SLACK_WEBHOOK_URL=hook.url)
    report(site, "--today", today=night(19), REPORT_SLACK_WEBHOOK_URL=hook.url)
    report(site, today=night(21), REPORT_SLACK_WEBHOOK_URL=hook.url)
    texts = [said["text"].split("\n")[:2] for said in hook.caught]
    assert [lines[0][14:] for lines in texts] == ["2026-11-19: 2 records", "2026-11-20: 0 records"]
    assert texts[1][1] == "No records."


def test_the_demo_announces_nothing(site, hook):
    result = report(site, "--demo", REPORT_SLACK_WEBHOOK_URL=hook.url)
    assert result.code == 0, result.log
    assert hook.caught == []
