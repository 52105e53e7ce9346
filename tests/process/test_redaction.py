"""No text that leaves holds a configured secret, whatever it looks like and in whatever form."""

from __future__ import annotations

import base64
import html
import json
import logging
import random
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from common.claude.faults import Fault, Kind
from common.process.exits import JobExit
from common.process.redaction import hide, redacted
from common.settings import secrets_of
from ops import status
from rigs.own_jobs import labels

KEYS = [
    "gateway-0123456789abcdef",
    "AIzaSyD+9/==x",
    'quo"ted\\and/slashed&more',
    "kéy-wïth-ümlauts",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "Swordfish",
]
FORMS: list[Callable[[str], str]] = [
    str,
    lambda key: quote(key, safe=""),
    lambda key: quote(key, safe="").lower(),
    lambda key: quote(quote(key, safe="")),
    quote_plus,
    quote,
    lambda key: json.dumps(key)[1:-1],
    lambda key: json.dumps(json.dumps(key))[1:-1],
    lambda key: json.dumps(key).replace("/", "\\/")[1:-1],
    lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    html.escape,
    lambda key: base64.b64encode(key.encode()).decode(),
    lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    lambda key: base64.b64encode(f"ab{key}and more".encode()).decode(),
    str.upper,
]


@pytest.fixture(autouse=True)
def _nothing_hidden():
    yield
    hide(())


@pytest.mark.parametrize("form", range(len(FORMS)))
@pytest.mark.parametrize("key", KEYS)
def test_a_secret_is_taken_out_in_every_form(key, form):
    hide([key])
    told = FORMS[form](key)
    text = redacted(f"before '{told}' after")
    assert told not in text and told[3:-3] not in text
    assert text.startswith("before '") and "***" in text and text.endswith("' after")


def test_any_secret_is_found_in_base64_at_any_place():
    numbers = random.Random(7)
    for _ in range(300):
        secret = "".join(numbers.choices(string.ascii_letters + string.digits + "+/=-_", k=20))
        before, after = (numbers.randbytes(numbers.randrange(9)) for _ in range(2))
        hide([secret])
        coded = base64.b64encode(before + secret.encode() + after).decode()
        assert "***" in redacted(coded)


@pytest.mark.parametrize("secret", ["abc12", "redis", "pw"])
def test_a_short_secret_does_not_spoil_the_words_that_it_is_a_part_of(secret):
    hide([secret])
    assert redacted("redistributed: 5 records, spwned xabc123") == (
        "redistributed: 5 records, spwned xabc123"
    )
    told = redacted(f"refused ({secret}), user%3A{secret}%40host")
    assert (secret in told) == (len(secret) < 3)


@pytest.mark.parametrize(
    ("name", "value", "secret", "told"),
    [
        ("ANTHROPIC_API_KEY", "any-gateways-key-1", "any-gateways-key-1", False),
        ("ANTHROPIC_API_KEY_LABELS", "any-gateways-key-1", "any-gateways-key-1", False),
        ("ANTHROPIC_BASE_URL", "http://anna:s3cr%23t@gw.example/x", "s3cr%23t", False),
        ("ANTHROPIC_BASE_URL", "http://anna:s3cr%23t@gw.example/x", "s3cr#t", False),
        ("ANTHROPIC_BASE_URL", "http://anna:s3/cr@gw.example/x", "s3/cr", False),
        ("ANTHROPIC_BASE_URL", "https://gw.example:8443/x", "gw.example:8443", True),
        ("ANTHROPIC_BASE_URL", "https://gateway-token-7@gw.example", "gateway-token-7", False),
        ("RECORDS_DB", "postgresql://me:hunter22@db.example/x", "hunter22", False),
        ("RECORDS_DB", "postgresql://me:hunter22@db.example/x", "db.example", True),
        ("LEDGER_DB", "postgresql://me:hunter22@db.example/x", "hunter22", False),
        ("LEDGER_DB", "postgresql://db.example/x?user=me&password=s3cr%23t", "s3cr%23t", False),
        ("LEDGER_DB", "postgresql://me@db.example/x?password=s3cr%23t", "s3cr#t", False),
        ("LEDGER_DB", "postgresql://postgres@db.example/x", "postgres", True),
        ("LEDGER_DB", "postgresql:///x?host=/run&sslpassword=hunter22&a=b", "hunter22", False),
        ("CELERY_BROKER_URL", "rediss://mq.example:6379/0?password=hunter22", "hunter22", False),
        ("CELERY_BROKER_URL", "redis://:hunter22@mq.example:6379/0", "hunter22", False),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T1/abcDEF123", "abcDEF123", False),
        ("PING_URL", "https://hc.example/0a1b2c3d-9f/{job}", "0a1b2c3d-9f", False),
        ("ALERT_WEBHOOK_URL", "https://n8n.example/hook?token=tok3n-1234", "tok3n-1234", False),
        ("PAGERDUTY_ROUTING_KEY", "R0123456789", "R0123456789", False),
        ("HTTPS_PROXY", "http://me:hunter22@proxy.example:3128", "hunter22", False),
        ("PGPASSWORD", "hunter22", "hunter22", False),
        ("CLAUDE_MODEL", "claude-haiku-5-5", "claude-haiku-5-5", True),
        ("REPORT_TZ", "Europe/Berlin", "Europe/Berlin", True),
    ],
)  # fmt: skip
def test_the_settings_say_what_is_a_secret(name, value, secret, told):
    hide(secrets_of({name: value}))
    assert (secret in redacted(f"it said: {secret}.")) is told
    text = redacted(f"{name}={value}: wrong")
    assert "hunter22" not in text and "s3cr" not in text and "gateway-token" not in text


def test_what_is_redacted_is_cut_afterwards_so_that_no_half_of_a_secret_is_left():
    hide(["gateway-0123456789abcdef"])
    fault = Fault(Kind.REFUSED, "no: gateway-0123456789abcdef")
    assert "0123" not in fault.reason
    assert "0123" not in str(JobExit(77, "no: gateway-0123456789abcdef"))


KEY = 'gw/Key+"0123456789\\abcdef'
TOLD = ["0123456789", "MDEyMzQ1Njc4", "AxMjM0NTY3OD", "wMTIzNDU2Nzg5"]  # also parts, in base64


@pytest.mark.parametrize("form", [0, 1, 6, 11, 13])
@pytest.mark.parametrize("status_code", ["400", "401", "422"])
def test_a_key_that_claude_echoes_is_nowhere(claude, capsys, status_code, form):
    told = FORMS[form](KEY)
    padding = "x" * (165 - len(told) // 2)  # a reason is cut: here, within the key
    site = claude(faults=[{"kind": status_code, "message": f"{told} {padding} {told} refused"}])
    site.events([(1, "Where is my parcel?", "2026-11-20 10:00:00")])
    given = {"ANTHROPIC_API_KEY": KEY}
    result = site.run(labels(), "--json", **given)
    assert result.code in (3, 77, 78), result.log
    assert "***" in result.log
    ledger = (site.root / "state/labels.db").read_bytes().decode("latin-1")
    environ = {**given, "RECORDS_DB": str(site.source), "REPORT_TZ": "UTC"}
    assert status.main(["--html"], site.root, environ) == 0
    assert status.main(["labels", "--json"], site.root, environ) == 0
    page = (site.root / "reports/status.html").read_text()
    for text in (result.log, result.stdout, ledger, page, capsys.readouterr().out):
        assert not [part for part in (KEY, told, *TOLD) if part in text]


@pytest.mark.parametrize(
    "url",
    ["http://anna:pass1234@b", "ftp://anna:pass1234@gw.example", "//a:pass1234@b", "a:pass1234@b"],
)
def test_a_password_in_a_base_url_that_is_refused_is_not_shown(site, url):
    site.events([(1, "Where is my parcel?", "2026-11-20 10:00:00")])
    result = site.run(labels(), "--json", ANTHROPIC_BASE_URL=url)
    assert result.code == 78
    assert "ANTHROPIC_BASE_URL" in result.log
    assert "pass1234" not in result.log + result.stdout


def test_what_a_job_prints_itself_holds_no_secret(claude):
    def says(db, record, output):
        print("calling with", KEY, flush=True)

    site = claude()
    site.events([(1, "Where is my parcel?", "2026-11-20 10:00:00")])
    result = site.run(labels(save=says), "--json", ANTHROPIC_API_KEY=KEY)
    assert result.code == 0, result.log
    assert "calling with ***\n" in result.log and "calling" not in result.stdout


def test_a_traceback_holds_no_secret(claude):
    def leaks(db, record, output):
        raise RuntimeError(f"header: {KEY}")

    site = claude()
    site.events([(1, "Where is my parcel?", "2026-11-20 10:00:00")])
    result = site.run(labels(save=leaks), ANTHROPIC_API_KEY=KEY)
    assert result.code != 0 and "0123456789" not in result.log
    logging.getLogger("job").handlers.clear()
