"""doctor on .env and on what its values are; and the one list of names that everything else
follows.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.settings import CHANNELS, KNOWN, general_name
from ops.examination import channels, dotenv_file, values
from rigs.doctor_fixtures import installation, levels, said, write_job
from rigs.harness import REPOSITORY

# Known, and documented in .env.example as soon as what reads them is there.
TO_COME = {
    *CHANNELS,
    "ALERT_REPEAT_HOURS",
    "ALERT_LOG_TAIL",
    "PAGERDUTY_URL",
    "PING_URL",
}


def test_every_name_in_the_example_is_known_and_every_known_name_is_in_the_example():
    example = (REPOSITORY / ".env.example").read_text()
    names = set(re.findall(r"^#?([A-Z][A-Z_]+)=", example, re.MULTILINE))
    assert names - set(KNOWN) == set()
    assert set(KNOWN) - names - TO_COME == set()


def test_every_setting_that_the_code_reads_is_known():
    code = "".join(
        path.read_text()
        for path in (
            *REPOSITORY.glob("jobs/**/*.py"),
            *REPOSITORY.glob("jobs/**/*.sh"),
            *REPOSITORY.glob("*.sh"),
        )
        if "doctor" not in path.parts
    )
    read = set(re.findall(r"""(?:settings|found|self)\.get\(\s*"([A-Z][A-Z_]+)\"""", code))
    read |= set(re.findall(r"^\s*(?:duration_|number_)?setting ([A-Z][A-Z_]+)", code, re.MULTILINE))
    assert len(read) > 8
    assert read - set(KNOWN) == set()


@pytest.mark.parametrize(
    ("name", "general"),
    [
        ("CLAUDE_MODEL", "CLAUDE_MODEL"),
        ("CLAUDE_MODEL_DAILY_REPORT", "CLAUDE_MODEL"),
        ("REPORT_SLACK_WEBHOOK_URL_X", "REPORT_SLACK_WEBHOOK_URL"),
        ("CLAUDE_MODEL_OTHER", ""),
        ("claude_model", ""),
        ("_X", ""),
    ],
)
def test_a_name_stands_for_a_setting_alone_or_with_a_job_that_there_is(name, general):
    assert general_name(name, ("daily_report", "x")) == general


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CLAUDE_MODLE", "did you mean CLAUDE_MODEL?"),
        ("claude_model", "did you mean CLAUDE_MODEL?"),
        ("ANTHROPIC_KEY", "did you mean ANTHROPIC_API_KEY?"),
        ("SLACK_WEBHOOK", "did you mean SLACK_WEBHOOK_URL?"),
        ("MAX_COST_USD_DAILY_REPROT", "did you mean MAX_COST_USD_DAILY_REPORT?"),
        ("MAX_COST_USD_SOMETHING_ELSE", "there are: daily_report"),
        ("PYTHON", "put it before the command: PYTHON=… ./run_job.sh"),
        ("FOO", "remove it; .env.example names all there are"),
    ],
)
def test_a_name_that_is_none_gets_a_hint(name, hint):
    assert dotenv_file.unknown_name(name, ["daily_report"])[1] == hint


def test_lines_that_are_not_understood_are_named_by_number_and_never_shown(tmp_path):
    path = tmp_path / ".env"
    path.write_text(
        '\n# a\n\nCLAUDE_MODEL=a\nCLAUDE_MODEL=b\nsk-ant-SECRET\n\n\nA SECRET\nRECORDS_DB="SECRET\n'
    )
    found, lines = dotenv_file.read(path)
    assert found == {"CLAUDE_MODEL": "b"}
    assert said(lines) == [
        "warn .env: CLAUDE_MODEL is set twice, lines 4 and 5: the last one counts -> keep one",
        f"warn .env: line 6 is not NAME=value, and has no effect -> mend {path}",
        f"FAIL .env: line 9 is not NAME=value -> mend {path}",
        f"FAIL .env: line 10 is not NAME=value -> mend {path}",
    ]


@pytest.mark.parametrize(
    ("content", "level"), [(None, "warn"), (b"\xff\xfe", "FAIL"), (b"A=1\n", None), (b"", None)]
)
def test_a_missing_file_is_a_warning_and_an_unreadable_one_a_failure(tmp_path, content, level):
    if content is not None:
        (tmp_path / ".env").write_bytes(content)
    assert levels(dotenv_file.read(tmp_path / ".env")[1]) == ([level] if level else [])


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o640, "warn"), (0o604, "warn")])
def test_a_file_that_others_can_read_is_a_warning_with_the_command_that_mends_it(
    tmp_path, mode, level
):
    path = tmp_path / ".env"
    path.write_text("CLAUDE_MODEL=a\n")
    path.chmod(mode)
    lines = list(dotenv_file.check(path, {"CLAUDE_MODEL": "a"}, []))
    assert lines[0].level == level
    assert (lines[0].remedy == f"chmod 600 {path}") == (level == "warn")


def test_a_setting_that_only_this_shell_has_is_a_warning():
    dotenv = {"RECORDS_DB": "/a", "CLAUDE_MODEL": "x"}
    shell = {"ANTHROPIC_API_KEY": "k", "RECORDS_DB": "/b", "CLAUDE_MODEL": "x", "HOME": "/"}
    (line,) = dotenv_file.elsewhere(dotenv, shell)
    assert line.text.startswith("ANTHROPIC_API_KEY, RECORDS_DB: set in this shell")
    assert list(dotenv_file.elsewhere(dotenv, {"HOME": "/"})) == []


@pytest.mark.parametrize(
    ("name", "good", "wrong"),
    [
        ("JOB_TIMEOUT", ["90", "90s", "15m", "6h", "1d"], ["0", "6 h", "6hours", "-1", "1.5h"]),
        ("JOB_RETRY_WAIT", ["0", "0s", "1m"], ["x", "1w"]),
        ("JOB_TRIES", ["1", "10"], ["0", "-1", "x", "1.5"]),
        ("LOG_MAX_BYTES", ["52428800"], ["50M", "0"]),
        ("MAX_COST_USD", ["0.50", "$5", "12"], ["0", "-1", "5 EUR", "nan"]),
        ("REPORT_TZ", ["Europe/Berlin", "UTC"], ["Europe/Berln", "../etc/passwd", "CEST+"]),
        (
            "ANTHROPIC_BASE_URL",
            ["https://a.example", "http://127.0.0.1:1"],
            ["http://a.example", "a", "https://["],
        ),
        ("ANTHROPIC_API_KEY", ["sk-ant-abc"], ["sk ant", "sk-ant-é"]),
        ("CLAUDE_MODEL", ["claude-haiku-5-5"], ["claude haiku"]),
        ("ALERT_REPEAT_HOURS", ["0", "6"], ["6h", "-1"]),
        ("ALERT_LOG_TAIL", ["0", "1"], ["no", "2"]),
        ("KEEP_MESSAGE_BATCHES", ["0", "1"], ["yes", "true", "2"]),
        ("PAGERDUTY_URL", ["https://events.eu.pagerduty.com"], ["events.pagerduty.com"]),
        ("CELERY_BROKER_URL", ["redis://127.0.0.1:6379/0"], ["127.0.0.1:6379"]),
    ],
)
def test_values_are_judged_as_a_run_would(tmp_path, name, good, wrong):
    write_job(tmp_path, "mine")
    for value in good:
        assert levels(values.check(installation(tmp_path, {name: value}))) == ["ok"], value
    for value in wrong:
        (line,) = values.check(installation(tmp_path, {f"{name}_MINE": value}))
        assert line.level == "FAIL" and line.text.startswith(f"{name}_MINE: "), value


SLACK = "https://hooks.slack.com/services/T012AB/B345CD/aSecretOfSlacks"


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("SLACK_WEBHOOK_URL", SLACK, "ok"),
        ("REPORT_SLACK_WEBHOOK_URL", SLACK, "ok"),
        ("SLACK_WEBHOOK_URL", SLACK.rpartition("/")[0], "FAIL"),
        ("SLACK_WEBHOOK_URL", SLACK.replace("https", "http"), "FAIL"),
        ("SLACK_WEBHOOK_URL", "https://chat.example.com/hooks/aSecretOfTheirs", "warn"),
        ("SLACK_WEBHOOK_URL", "#alerts", "FAIL"),
        ("PAGERDUTY_ROUTING_KEY", "0123456789abcdef0123456789abcdef", "ok"),
        ("PAGERDUTY_ROUTING_KEY", "0123456789abcdef0123456789abcde", "FAIL"),
        ("ALERT_EMAIL", "me@example.com, you@example.com", "ok"),
        ("ALERT_EMAIL", "root", "ok"),
        ("REPORT_EMAIL", "me@example.com, you@example.com", "ok"),
        ("REPORT_EMAIL", "me@example.com\nBcc: you@example.com", "FAIL"),
        ("REPORT_EMAIL_ONE", "Me <me@example.com>", "FAIL"),
        ("REPORT_SLACK_WEBHOOK_URL_TWO", "#reports", "FAIL"),
        ("ALERT_EMAIL", "me@example.com you@example.com", "FAIL"),
        ("ALERT_WEBHOOK_URL", "https://n8n.example.com/webhook/0123456789abcdef", "ok"),
        ("ALERT_WEBHOOK_URL", "http://127.0.0.1:5678/webhook/0123456789abcdef", "ok"),
        ("ALERT_WEBHOOK_URL", "ftp://example.com/0123456789abcdef", "FAIL"),
        ("ALERT_WEBHOOK_URL", "https://[broken", "FAIL"),
        ("PING_URL", "https://hc-ping.com/0123456789/{job}", "ok"),
        ("PING_URL", "https://hc-ping.com/0123456789abcdef", "warn"),
        ("PING_URL", "https://kuma.example.org/api/push/{job}?status={status}&msg={code}", "ok"),
        ("PING_URL", "https://kuma.example.org/api/push/{job}?status=up&msg=OK", "warn"),
        ("PING_URL", "https://kuma.example.org/api/push/{job}", "warn"),
        ("PING_URL", "https://kuma.example.org/api/push/{job}?status={state}&msg=OK", "FAIL"),
        ("PING_URL", "https://hc-ping.com/0123456789/{job", "FAIL"),
    ],
)
def test_each_channel_has_a_form_and_no_secret_of_it_is_shown(tmp_path, name, value, level):
    write_job(tmp_path, "one")
    write_job(tmp_path, "two")
    sendmail = tmp_path / "sendmail"
    sendmail.touch(mode=0o755)
    line = next(iter(channels.check(installation(tmp_path, {name: value}), str(tmp_path))))
    assert (line.level, line.text.startswith(f"{name}: ")) == (level, True), line
    assert line.subject == ("reports" if name.startswith("REPORT_") else "alerts")
    if "EMAIL" not in name:
        assert value[-5:] not in line.text + line.remedy


def test_mail_without_sendmail_fails_and_no_channel_at_all_is_a_warning(tmp_path):
    mail = installation(tmp_path, {"ALERT_EMAIL": "me@example.com"})
    assert levels(channels.check(mail, str(tmp_path))) == ["FAIL"]
    (line,) = channels.check(installation(tmp_path))
    assert (line.level, line.text) == ("warn", "nobody is told when a run fails")


@pytest.mark.parametrize(
    ("answers", "code", "expected"),
    [
        (
            ["slack      ok: 200", "email      not set: ALERT_EMAIL"],
            0,
            ["ok alerts: slack: sent: 200"],
        ),
        (
            ["slack      ok: 200", "email      REFUSED: x; check ALERT_EMAIL"],
            78,
            ["ok alerts: slack: sent: 200", "FAIL alerts: email: REFUSED: x; check ALERT_EMAIL"],
        ),
        (["webhook    NOT REACHED: 503"], 69, ["FAIL alerts: webhook: NOT REACHED: 503"]),
        (
            ["it broke"],
            1,
            [
                "warn alerts: it broke",
                "FAIL alerts: notify_on_failure.sh --test ended with 1 -> run it by hand",
            ],
        ),
    ],
)
def test_send_passes_on_what_each_channel_answered(tmp_path, answers, code, expected):
    script: Path = tmp_path / "notify_on_failure.sh"
    words = " ".join(f"'{answer}'" for answer in answers)
    script.write_text(f'#!/bin/sh\n[ "$1" = --test ] && printf "%s\\n" {words}\nexit {code}\n')
    script.chmod(0o755)
    assert said(channels.send(tmp_path)) == expected


def test_send_without_the_script_or_its_permission_says_so(tmp_path):
    assert "notify_on_failure.sh is not there" in said(channels.send(tmp_path))[0]
    (tmp_path / "notify_on_failure.sh").touch(mode=0o644)
    assert "chmod +x" in said(channels.send(tmp_path))[0]
