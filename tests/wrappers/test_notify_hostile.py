"""Whatever a log holds: the alert is valid, keeps the channel's limits and holds no secret."""

from __future__ import annotations

import json
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from rigs.notify_fixtures import ROUTING_KEY, Catcher, Watched, catching, processes_holding

CHANNELS = ("slack", "pagerduty", "webhook", "email")
KEY = "sk-ant-api03-" + "Ab1_" * 20
OURS = "my-own-gateway-key-42"
SECRETS = [KEY, OURS, ROUTING_KEY, "slacksecret", "webhooksecret", "swordfish", "pingsecret"]

HOSTILE = {
    "quotes": b'"\'\\" \\n \\u0000 \\ %s %n $(id) `id`',
    "line breaks": b"a\nb\r\nc\rd\n\n\n",
    "tabs": b"a\tb\x0bc\x0cd",
    "backticks": b"``` end of the fence ``` ` ``",
    "mentions": b"<!channel> <@U123> <https://evil.example|fine> &amp; &lt; @here",
    "braces": b'"},{"text":"mine"}]} ]]> </script>',
    "ansi": (
        b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07 "
        b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1b(B \x1bc \x1b"
    ),
    "control characters": bytes(range(1, 32)) + b"\x7f",
    "nul": b"before\0after\0\0",
    "invalid utf-8": (
        b"caf\xe9 \xff\xfe \xc0\x80 \xe2\x82 \xed\xa0\x80 "
        b"\xf4\x90\x80\x80 \xf8\x88\x80\x80\x80 \x80 ok"
    ),
    "c1, separators and bidi": "\u009b31m \u0085 \u2028 \u2029 \u202e \u2066 x".encode(),
    "every byte": bytes(range(256)) * 12,
    "a long line": b"x" * 200_000,
    "a long line of escapes": b'"\\<&>' * 40_000,
    "many lines": b"<&>\n" * 50_000,
    "emoji": "\U0001f600".encode() * 2000,
    "astral and wide": "é€\U0001f1e9\U0001f1ea𝄞".encode() * 500,
    "nothing": b"",
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Watched]:
    with catching() as catcher:
        watched = Watched(tmp_path, catcher)
        watched.use(*CHANNELS)
        yield watched


def strings(value: object) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def check_valid(catcher: Catcher, mail: bytes) -> None:
    """Assert that each channel got a valid message within its limits."""
    [slack], [pagerduty], [webhook] = (
        catcher.at(name) for name in ("slack", "pagerduty", "webhook")
    )
    text = slack.json["text"]
    assert len(text.encode()) <= 3_950
    head, fence, *rest = text.split("```")
    assert max(len(head), len(fence)) <= 2_900
    assert rest == [""]
    assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", text)
    assert len(pagerduty.json["payload"]["summary"]) <= 1_024
    assert len(pagerduty.body) < 512_000
    assert len(webhook.json["log_tail"].encode()) <= 2_200
    mail.decode("utf-8", "strict")
    assert max(map(len, mail.split(b"\n"))) <= 998
    for value in [
        *strings(slack.json),
        *strings(pagerduty.json),
        *strings(webhook.json),
        mail.decode(),
    ]:
        bad = [
            character
            for character in value
            if unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")
            and character not in "\n\t"
        ]
        assert bad == []


@pytest.mark.parametrize("name", HOSTILE)
def test_an_alert_is_valid_whatever_the_log_holds(here, name):
    reason = HOSTILE[name][:300].replace(b"\n", b" ").replace(b"\r", b" ")
    here.says(b"2026-11-22T02:00:01Z ERROR [ID] " + reason + b"\n" + HOSTILE[name] + b"\n")
    check_valid(here.catcher, (here.root / "mail").read_bytes())


@pytest.mark.parametrize("shift", range(8))
def test_no_character_is_cut_in_two(here, shift):
    here.says(b"a" * shift + "\U0001f600é<".encode() * 1500)
    check_valid(here.catcher, (here.root / "mail").read_bytes())
    assert "\ufffd" not in here.catcher.at("webhook")[0].json["text"]


def test_readable_text_arrives_as_it_was(here):
    line = 'Zahlung über 12 € „fehlgeschlagen“: naïve 日本語 😀 <b>&amp;</b> `x` "y" \\z\ttab'
    here.says(line.encode() + b"\n")
    assert line in here.catcher.at("webhook")[0].json["log_tail"].splitlines()
    assert (
        line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("`", "'")
        in (here.catcher.at("slack")[0].json["text"])
    )


def test_the_end_of_a_long_log_is_what_arrives(here):
    here.says(b"".join(b"line %d\n" % number for number in range(2000)))
    tail = here.catcher.at("webhook")[0].json["log_tail"]
    assert here.log("loud").rstrip("\n").endswith(tail)
    assert len(tail) == 2_200


def leaky() -> bytes:
    lines = [
        f"key {KEY}!",
        f"gateway said: bad key {OURS}",
        f"POST https://hooks.slack.com/services/T00/B00/swordfish failed, {ROUTING_KEY}",
        "postgresql://reports:swordfish@db.example/records and redis://:swordfish@127.0.0.1/0",
        "postgresql://reports:sword/fish@swordfish@db.example/records",
        "Authorization: Bearer swordfishswordfish, password=swordfish&token=swordfish",
        "\x1b[31msk-ant-api03-\x1b[0m" + "Ab1_" * 20,
    ]
    return "\n".join(f"2026-11-22T02:00:01Z ERROR [ID] {line}\n{line}" for line in lines).encode()


def everything(here: Watched) -> str:
    """All that left the machine or waits to leave it, without addresses and routing keys."""
    requests = here.catcher.received
    bodies = [request.body for request in requests if request.path != "/v2/enqueue"]
    bodies += [
        request.body.replace(ROUTING_KEY.encode(), b"", 1)
        for request in here.catcher.at("pagerduty")
    ]
    bodies += [path.read_bytes() for path in (here.root / "state").glob("*.alerted")]
    bodies += [path.read_bytes() for path in here.outbox()]
    return b"\n".join([*bodies, (here.root / "mail").read_bytes()]).decode()


def test_no_secret_is_in_an_alert(here):
    settings = here.catcher.settings(*CHANNELS)
    here.env["ANTHROPIC_API_KEY_LOUD"] = OURS
    addresses = "".join(
        f"{name} is {value}\n" for name, value in settings.items() if name.endswith("WEBHOOK_URL")
    )
    here.says(leaky() + b"\n" + addresses.encode())
    text = everything(here)
    assert [secret for secret in SECRETS if secret in text] == []
    assert "postgresql://reports:***@db.example/records" in text


ODD = 'gw/Key+"0123456789\\abcdef é'
PASSWORD = "hunt/er&22"
IN_OTHER_FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "URL-encoded": lambda text: quote(text, safe=""),
    "URL-encoded small": lambda text: re.sub("%..", lambda x: x[0].lower(), quote(text, safe="")),
    "in a path": quote,
    "in a form": quote_plus,
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes": lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/")[
        1:-1
    ],
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 behind 1": lambda text: b64encode(f"x{text}".encode()).decode(),
    "base64 behind 2": lambda text: b64encode(f"xy{text}z".encode()).decode(),
    "base64 of a URL": lambda text: urlsafe_b64encode(f"user:{text}".encode()).decode(),
}


@pytest.mark.parametrize("broker", ["redis://me:{}@mq.example:6379/0", "redis://mq/0?password={}"])
@pytest.mark.parametrize("form", IN_OTHER_FORMS)
def test_no_secret_is_in_an_alert_in_another_form(here, form, broker):
    here.use("webhook", ANTHROPIC_API_KEY=ODD)
    here.env["CELERY_BROKER_URL"] = broker.format(quote(PASSWORD, safe=""))
    told = [IN_OTHER_FORMS[form](secret) for secret in (ODD, PASSWORD)]
    here.says("\n".join(f"it said <{text}>" for text in told).encode())
    alert = here.catcher.at("webhook")[0].json
    assert alert["log_tail"].count("***") == len(told)
    assert not [text for text in told if text[4:-4] in json.dumps(alert, ensure_ascii=False)]


@pytest.mark.parametrize("before", range(2_100, 2_300, 17))
def test_half_a_secret_at_the_cut_is_no_secret_told(here, before):
    here.use("webhook")
    here.says(f"{KEY} ".encode() * 30 + b"\n" + f"x{KEY}y".encode() + b"z" * (before - 200))
    assert "Ab1_" not in here.catcher.at("webhook")[0].json["log_tail"]


def test_without_log_tail_no_word_of_the_log_leaves_the_machine(here):
    here.env["ALERT_LOG_TAIL"] = "0"
    here.env |= here.catcher.settings("ping")
    here.says(
        b"2026-11-22T02:00:01Z ERROR [ID] customer Jane Doe\nJane Doe\n"
        b"2026-11-22T02:00:01Z INFO  [ID] SUMMARY job=loud run=ID records=7 done=Jane\n"
    )
    text = everything(here)
    assert "Jane" not in text and "START" not in text
    alert = here.catcher.at("webhook")[0].json
    assert (alert["log_tail"], alert["reasons"], alert["counts"]) == ("", [], {"records": 7})
    assert [request.body for request in here.catcher.at("/ping")] == [b"", b""]


def test_nothing_secret_is_in_any_command_line_while_it_is_sent(here):
    leaks: list[str] = []
    samples: list[int] = []

    def sample() -> None:
        leaks.extend(processes_holding([*SECRETS, "Jane Doe"]))
        samples.append(1)

    here.catcher.while_held = sample
    here.tool(
        "sendmail",
        f"""
        cp -r /proc/$PPID/cmdline "{here.root}/parent"
        echo "$@" >"{here.root}/arguments"
        cat >/dev/null
        """,
    )
    ping = here.catcher.settings("ping")["PING_URL"] + "?token=pingsecret"
    here.use(*CHANNELS, PING_URL=ping, ANTHROPIC_API_KEY=KEY)
    here.says(b"Jane Doe\n")
    channels, pings = 3, 2
    assert len(samples) == channels + pings
    assert leaks == []
    assert "Jane" not in (here.root / "parent").read_text() + (here.root / "arguments").read_text()


def test_the_outbox_holds_no_secret(here):
    for channel in ("slack", "pagerduty", "webhook"):
        here.catcher.script[channel] = [(500, "")] * 3
    here.env["ANTHROPIC_API_KEY"] = OURS
    here.says(leaky())
    kept = [path.read_text() for path in here.outbox()]
    assert [json.loads(text) is not None for text in kept] == [True] * 3
    secrets = [*SECRETS, "127.0.0.1:"]
    assert [secret for secret in secrets if any(secret in text for text in kept)] == []
    assert [path.stat().st_mode & 0o777 for path in here.outbox()] == [0o600] * 3
