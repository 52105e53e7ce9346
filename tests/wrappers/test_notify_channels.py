"""What each channel gets, and what stands in it."""

from __future__ import annotations

import email
import email.policy
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.notify_fixtures import ROUTING_KEY, Watched, catching

LOG = b"""\
2026-11-22T02:00:01Z INFO  [ID] chunk 1/1: 50 records answered
2026-11-22T02:00:02Z ERROR [ID] record 17: dead letter: refused
2026-11-22T02:00:03Z INFO  [ID] SUMMARY job=loud run=ID status=records_failed \
records=500 done=499 failed=0 dead=1 requests=10 attempts=11 \
input_tokens=7409 output_tokens=2505 usd=0.0131 seconds=9
"""
COUNTS = {"records": 500, "done": 499, "failed": 0, "dead": 1, "requests": 10, "attempts": 11}
COUNTS_AND_COST = {**COUNTS, "input_tokens": 7409, "output_tokens": 2505, "usd": 0.0131}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        yield Watched(tmp_path / "an installation", catcher)


def test_every_channel_that_is_set_gets_the_alert(here):
    here.use("slack", "pagerduty", "webhook", "email")
    done = here.notify("fails")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1  # run_job.sh's own
    assert [len(here.catcher.at(name)) for name in ("slack", "pagerduty", "webhook")] == [1, 1, 1]
    assert (here.root / "mail").exists()


def test_the_webhook_gets_everything_one_needs_to_act(here):
    here.says(LOG, code=3)
    [request] = here.catcher.at("webhook")
    alert = request.json
    assert request.headers["Content-Type"] == "application/json"
    assert re.fullmatch(r"\d{8}T\d{6}Z-\d+", alert["run_id"])
    assert f"[{alert['run_id']}] START" in here.log("loud")
    assert alert["host"] == re.sub(r"[^\w.-]", "_", socket.gethostname())
    assert (alert["event"], alert["job"], alert["code"]) == ("failure", "loud", 3)
    assert alert["words"] == "finished, but records failed or became dead letters"
    assert alert["counts"] == COUNTS_AND_COST
    assert alert["reasons"] == ["record 17: dead letter: refused"]
    assert alert["log"] == str(here.root / "logs/loud.log")
    assert alert["log_tail"] == here.log("loud").rstrip("\n")
    assert 0 <= alert["seconds"] < 20
    assert (
        alert["text"].splitlines()[0]
        == f"loud failed on {alert['host']}: exit 3 ({alert['words']})"
    )


def test_the_command_to_run_again_can_be_pasted_as_it_is(here):
    here.job("fails", "mark('arguments', repr(sys.argv[1:])); raise SystemExit(1)")
    odd = ["--since", "two words", "it's", "$(id)", 'a"b', "ü"]
    here.notify("fails", *odd)
    command = here.catcher.at("webhook")[0].json["rerun"]
    (here.root / "arguments").unlink()
    here.run("-c", command, command="bash", env={"LC_ALL": "C.UTF-8"})
    assert (here.root / "arguments").read_text() == repr(odd)


def test_a_run_without_a_summary_has_no_counts(here):
    here.says(LOG)
    here.says(b"nothing to count\n", code=2)
    assert [request.json["counts"] for request in here.catcher.at("webhook")] == [
        COUNTS_AND_COST,
        None,
    ]


def test_what_another_run_has_logged_is_not_taken_for_this_ones(here):
    here.says(LOG)
    other = here.log("loud").replace("ID", "x")
    (here.root / "logs/loud.log").write_text(other + other.replace("Z-", "Z-9"))
    here.says(b"mine\n", code=2)
    alert = here.catcher.at("webhook")[-1].json
    assert (alert["counts"], alert["reasons"]) == (None, [])
    assert alert["log_tail"].count("\n") == 2


def test_the_last_three_errors_are_the_reasons(here):
    here.says(
        b"".join(b"2026-11-22T02:00:02Z ERROR [ID] error %d\n" % number for number in range(9))
    )
    assert here.catcher.at("webhook")[0].json["reasons"] == ["error 6", "error 7", "error 8"]


def test_slack_gets_one_text(here):
    here.use("slack")
    here.says(LOG, code=3)
    [request] = here.catcher.at("slack")
    text = request.json["text"]
    assert list(request.json) == ["text"]
    assert text.startswith(":rotating_light: *loud failed on ")
    assert "why: `record 17: dead letter: refused`\n" in text
    assert text.count("```") == 2
    assert text.endswith("```")


LOOKS_WRONG = """\
2026-11-22T02:00:02Z WARN  [ID] looks wrong: label "delivery" 41 % of 500 outputs, 12 % before
2026-11-22T02:00:02Z WARN  [ID] chunk 3: looks wrong: no line of ours
2026-11-22T02:00:02Z WARN  [ID] looks wrong: explanation empty in <60> % of 500 outputs
2026-11-22T02:00:02Z WARN  [another] looks wrong: it is another run's
2026-11-22T02:00:02Z WARN  [ID] looks wrong: the third
2026-11-22T02:00:02Z WARN  [ID] looks wrong: the fourth
2026-11-22T02:00:03Z INFO  [ID] SUMMARY job=loud run=ID records=500 usd=0.0131 warnings=4 seconds=9
"""


def test_what_looks_wrong_stands_in_the_message_of_a_failure(here):
    here.use("slack", "webhook", "pagerduty", "email")
    here.says(LOOKS_WRONG.encode(), code=3)
    first = 'label "delivery" 41 % of 500 outputs, 12 % before'
    second = "explanation empty in <60> % of 500 outputs"
    [alert] = (request.json for request in here.catcher.at("webhook"))
    assert alert["unusual"] == [first, second, "the third"]
    assert alert["counts"] == {"records": 500, "usd": 0.0131, "warnings": 4}
    assert f"looks wrong: {first}\nlooks wrong: {second}\n" in alert["text"]
    [message] = (request.json["text"] for request in here.catcher.at("slack"))
    assert f"\nlooks wrong: `{first}`\n" in message
    assert "\nlooks wrong: `explanation empty in &lt;60&gt; % of 500 outputs`\n" in message
    [incident] = (request.json for request in here.catcher.at("pagerduty"))
    assert first in incident["payload"]["custom_details"]["unusual"]
    assert f"looks wrong: {first}\n" in (here.root / "mail").read_text()


def test_what_looks_wrong_stands_in_the_message_of_a_recovery_and_else_none_is_sent(here):
    here.use("slack")
    here.says(LOOKS_WRONG.encode(), code=0)
    assert not here.catcher.at("slack")
    here.says(LOOKS_WRONG.encode(), code=1)
    here.says(LOOKS_WRONG.encode(), code=0)
    text = here.catcher.at("slack")[-1].json["text"]
    assert "works again" in text
    assert text.count("\nlooks wrong: `") == 3


def test_without_log_tail_only_the_number_of_warnings_leaves_the_machine(here):
    here.env["ALERT_LOG_TAIL"] = "0"
    here.says(LOOKS_WRONG.encode(), code=3)
    alert = here.catcher.at("webhook")[0].json
    assert (alert["unusual"], alert["counts"]["warnings"]) == ([], 4)
    assert "looks wrong" not in alert["text"]


def test_pagerduty_opens_and_resolves_the_same_incident(here):
    here.use("pagerduty")
    here.ends(1, 75, 75, 75, 0)
    trigger, stuck, resolve = (request.json for request in here.catcher.at("pagerduty"))
    assert trigger["event_action"] == stuck["event_action"] == "trigger"
    assert trigger["dedup_key"] == stuck["dedup_key"] == trigger["payload"]["source"] + "/varies"
    assert [event["payload"]["severity"] for event in (trigger, stuck)] == ["error", "warning"]
    assert trigger["payload"]["custom_details"]["exit_code"] == 1
    assert trigger["payload"]["custom_details"]["log_tail"]
    assert resolve == {
        "routing_key": ROUTING_KEY,
        "event_action": "resolve",
        "dedup_key": trigger["dedup_key"],
    }


def test_mail_goes_through_sendmail(here):
    here.use("email")
    here.says("Zahlung 12 € für <b>Müller</b>\n.\n".encode() + b"x" * 3000)
    assert (here.root / "sendmail-arguments").read_text() == "-t -i\n"
    raw = (here.root / "mail").read_bytes()
    assert max(map(len, raw.splitlines())) <= 998
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail["To"] == "ops@example.org"
    assert mail["Subject"].startswith("loud failed on ")
    assert "xxx" in mail.get_content()
    assert str(here.root / "logs/loud.log") in mail.get_content()


@pytest.mark.parametrize(
    "address",
    [
        "a@example.org\\nBcc: all@example.org",
        "-oQ/tmp x",
        "a b@example.org",
        "<a@example.org>",
        "ü@example.org",
    ],
)
def test_an_address_that_could_be_another_header_is_refused(here, address):
    here.use()
    (here.root / ".env").write_text(f'ALERT_EMAIL="{address}"\n')
    done = here.notify("fails")
    assert done.returncode == 3
    assert "email: ALERT_EMAIL is not an address" in done.stderr
    assert not (here.root / "mail").exists()


def test_several_addresses_are_one_mail(here):
    here.use(ALERT_EMAIL="a@example.org, root")
    here.notify("fails")
    assert (here.root / "mail").read_text().startswith("To: a@example.org, root\n")


def test_a_job_may_have_a_channel_of_its_own(here):
    here.use("webhook", ALERT_WEBHOOK_URL_FAILS=here.catcher.settings("slack")["SLACK_WEBHOOK_URL"])
    here.notify("fails")
    assert [request.path for request in here.catcher.received] == ["/services/T0/B0/slacksecret"]


def test_a_setting_is_found_in_dotenv_too(here):
    here.use()
    lines = [
        f"{name}='{value}'\n" for name, value in here.catcher.settings("slack", "webhook").items()
    ]
    (here.root / ".env").write_text("".join(lines))
    here.notify("fails")
    assert len(here.catcher.received) == 2
    assert json.loads(here.catcher.at("webhook")[0].body)["event"] == "failure"
