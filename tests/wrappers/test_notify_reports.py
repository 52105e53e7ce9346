"""What announces a report: how notify_on_failure.sh sends it, and what it will not send."""

from __future__ import annotations

import email
import email.policy
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.notify_fixtures import Watched, catching, processes_holding

REPORT = "reports/daily_report/2026-11-21"
SUBJECT = "Daily report, Saturday 21 November 2026: 2 records"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        yield Watched(tmp_path / "an installation", catcher)


def kept(here: Watched, channel: str, text: str, day: int = 20261121) -> Path:
    """An announcement that waits."""
    folder = here.root / "state/outbox"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{int(time.time() * 1e6)}-{day}.{channel}.daily_report"
    path.write_text(text)
    return path


def written(here: Watched, page: str = "<p>Grüße</p>\n", text: str = "# Grüße\n") -> None:
    folder = (here.root / REPORT).parent
    folder.mkdir(parents=True, exist_ok=True)
    (here.root / f"{REPORT}.html").write_text(page, encoding="utf-8")
    (here.root / f"{REPORT}.md").write_text(text, encoding="utf-8")


def url(here: Watched) -> str:
    return here.catcher.settings("slack")["SLACK_WEBHOOK_URL"]


def test_a_run_of_any_job_sends_what_waits_once(here):
    written(here)
    here.use(REPORT_SLACK_WEBHOOK_URL=url(here), REPORT_EMAIL="boss@example.org")
    kept(here, "report_slack", '{"text":"hello"}')
    kept(here, "report_email", f"{REPORT}\n{SUBJECT}\n")
    for _ in range(2):
        assert here.notify("works").stderr == ""
    assert [request.json for request in here.catcher.at("slack")] == [{"text": "hello"}]
    assert (here.root / "mail").read_text().count("Subject: ") == 1
    assert here.outbox() == []


def test_what_a_run_that_died_has_left_is_gone_after_three_days(here):
    folder = kept(here, "report_slack", "text").parent
    left = [folder / "pending-1-20261121.report_slack.gone", folder / "pending-2-20261121.x.gone"]
    for path, days in zip(left, (3, 1), strict=True):
        path.write_text("a quote")
        os.utime(path, (time.time() - days * 86_500,) * 2)
    here.notify("--outbox")
    assert [path.exists() for path in left] == [False, True]


def test_the_address_of_the_job_alone_wins(here):
    here.use(REPORT_EMAIL="all@example.org", REPORT_EMAIL_DAILY_REPORT="boss@example.org")
    written(here)
    kept(here, "report_email", f"{REPORT}\n{SUBJECT}\n")
    assert here.notify("--outbox").returncode == 0
    assert (
        (here.root / "mail").read_text().startswith(f"To: boss@example.org\nSubject: {SUBJECT}\n")
    )


def test_what_cannot_be_sent_stays_and_the_command_says_so(here):
    here.use(REPORT_SLACK_WEBHOOK_URL=url(here))
    here.catcher.script["slack"] = [(503, "later")] * 3
    path = kept(here, "report_slack", '{"text":"hello"}')
    done = here.notify("--outbox")
    assert done.returncode == 69
    assert "report_slack: 503 later: it waits in state/outbox/" in done.stderr
    assert path.exists()
    done = here.notify("--outbox")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "report_slack: the announcement of a report of daily_report is sent\n"
    assert here.outbox() == []


def test_what_was_not_answered_in_time_and_may_have_arrived_is_not_sent_again_at_once(here):
    over = threading.Event()
    here.catcher.while_held = over.wait
    script = f"""
        root={shlex.quote(str(here.root))}
        source "$root/jobs/wrappers/alerts/alerts.sh"
        secret_names=(none) unsure=stop
        post {url(here)} hello 1
        echo "$? $REPLY"
    """
    done = subprocess.run(["bash", "-uc", script], capture_output=True, text=True)
    over.set()
    assert done.stdout.startswith("2 curl: (28) Operation timed out"), done
    assert len(here.catcher.at("slack")) == 1


def test_what_is_refused_is_given_up_with_the_channels_word(here):
    here.use(REPORT_SLACK_WEBHOOK_URL=url(here))
    here.catcher.script["slack"] = [(404, "no_service")]
    kept(here, "report_slack", '{"text":"hello"}')
    done = here.notify("--outbox")
    assert (
        "report_slack: 404 no_service: the announcement of a report of daily_report" in done.stderr
    )
    assert done.returncode == 0 and here.outbox() == []


def test_a_failing_alert_channel_does_not_hold_a_report_up_and_the_other_way_round(here):
    here.use("webhook", REPORT_SLACK_WEBHOOK_URL="http://127.0.0.1:1/x")
    kept(here, "report_slack", '{"text":"hello"}')
    here.notify("fails")
    assert here.catcher.events() == [("failure", "fails")]
    assert len(here.outbox()) == 1


@pytest.mark.parametrize(
    "address",
    [
        "boss@example.org\nBcc: eve@example.org",
        "boss@example.org\r\nBcc: eve@example.org",
        "-OQueueDirectory=/tmp",
        "boss@example.org, ",
        "Boss <boss@example.org>",
        "boss@example.org; eve@example.org",
        "boss@example.org\n\nbody",
    ],
)
def test_an_address_that_is_none_never_reaches_sendmail(here, address):
    here.use(REPORT_EMAIL=address)
    written(here)
    kept(here, "report_email", f"{REPORT}\n{SUBJECT}\n")
    done = here.notify("--outbox")
    mail = here.root / "mail"
    if address.startswith("-O"):  # a mailbox of that name: only -t -i are arguments
        assert (here.root / "sendmail-arguments").read_text() == "-t -i\n"
        return
    assert "REPORT_EMAIL is not an address" in done.stderr
    assert not mail.exists()


@pytest.mark.parametrize(
    "text",
    [
        f"{REPORT}\nSubject\u00e9\n",
        f"{REPORT}\nA\rBcc: eve@example.org\n",
        f"{REPORT}\n\n",
        "/etc/passwd\nx\n",
        "reports/../.env\nx\n",
        "reports/daily_report/../../.env\nx\n",
        "x",
        "",
    ],
)
def test_what_waits_and_is_no_announcement_of_ours_is_not_sent(here, text):
    here.use(REPORT_EMAIL="boss@example.org")
    written(here)
    kept(here, "report_email", text)
    done = here.notify("--outbox")
    assert "no announcement of a report" in done.stderr
    assert not (here.root / "mail").exists() and here.outbox() == []


def test_a_second_line_of_headers_cannot_come_by_the_subject(here):
    here.use(REPORT_EMAIL="boss@example.org")
    written(here)
    kept(here, "report_email", f"{REPORT}\n{SUBJECT}\nBcc: eve@example.org\n")
    assert here.notify("--outbox").returncode == 0
    text = (here.root / "mail").read_text()
    mail = email.message_from_string(text, policy=email.policy.default)
    assert [*mail.keys()] == [
        "To",
        "Subject",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ]


def test_a_report_that_is_gone_or_a_link_is_not_sent(here):
    here.use(REPORT_EMAIL="boss@example.org")
    kept(here, "report_email", f"{REPORT}\n{SUBJECT}\n")
    assert "is no longer there" in here.notify("--outbox").stderr
    written(here)
    (here.root / f"{REPORT}.html").unlink()
    (here.root / f"{REPORT}.html").symlink_to("/etc/hostname")
    kept(here, "report_email", f"{REPORT}\n{SUBJECT}\n")
    assert "is no longer there" in here.notify("--outbox").stderr
    assert not (here.root / "mail").exists()


def test_a_page_too_large_for_mail_is_named_and_its_text_is_sent(here):
    here.use(REPORT_EMAIL="boss@example.org")
    written(here, page="x" * 7_000_001)
    kept(here, "report_email", f"{REPORT}\n{SUBJECT}\n")
    assert here.notify("--outbox").returncode == 0
    text = (here.root / "mail").read_text()
    mail = email.message_from_string(text, policy=email.policy.default)
    (part,) = mail.iter_parts()
    said = part.get_content()
    assert said.startswith("The page is too large for a mail: it is ") and f"{REPORT}.html" in said
    assert said.endswith("# Grüße\n")


def test_the_webhooks_address_stands_in_no_command_line(here):
    here.use(REPORT_SLACK_WEBHOOK_URL=url(here))
    kept(here, "report_slack", '{"text":"hello"}')
    leaks: list[str] = []
    here.catcher.while_held = lambda: leaks.extend(processes_holding(["slacksecret"]))
    assert here.notify("--outbox").returncode == 0
    assert leaks == [] and len(here.catcher.at("slack")) == 1


def test_a_test_goes_to_what_announces_reports_as_well(here):
    here.use("webhook", REPORT_SLACK_WEBHOOK_URL=url(here), REPORT_EMAIL="boss@example.org")
    done = here.notify("--test")
    assert done.returncode == 0
    assert "report_slack ok: 200 ok\nreport_email ok: sendmail took it\n" in done.stdout
    assert "reports of claude-batch-jobs arrive here" in here.catcher.at("slack")[0].json["text"]
    assert "Subject: test from" in (here.root / "mail").read_text()
    assert here.notify("--test", "report_email").stdout.count("\n") == 1
