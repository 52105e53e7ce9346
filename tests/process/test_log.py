"""Log lines: one per event, in UTC, without a key and without a customer's words."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr

import pytest

from common.process.log import configure, log, one_line, shortened
from common.process.redaction import redacted
from rigs.harness import python
from standin.standin import StandIn

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO |WARN |ERROR) \[run-1\] (.*)")


@pytest.fixture
def logged():
    """A function that returns what the log calls in `call` print."""

    def logged(call, demo: bool = False) -> str:
        stderr = io.StringIO()
        with redirect_stderr(stderr):
            configure("run-1", demo=demo)
            call()
        return stderr.getvalue()

    return logged


def test_a_line_says_when_how_bad_in_which_run_and_what(logged):
    def events() -> None:
        log.info("%d records", 5)
        log.warning("slow")
        log.error("broken")
        log.debug("not said")

    text = logged(events)
    matches = [LINE.fullmatch(line) for line in text.splitlines()]
    assert [match and match.groups() for match in matches] == [
        ("INFO ", "5 records"),
        ("WARN ", "slow"),
        ("ERROR", "broken"),
    ]


@pytest.mark.parametrize(
    "text",
    ["two\nlines", "a\r\nb", "a\x0bb\x0cc", "\x1b[2J\x1b[31mred", "NUL\0", "\u2028\u2029",
    "\x85 and \x9b31m", "\x7f", "tab\tbed"],
)  # fmt: skip
def test_a_message_is_one_line_without_control_characters(logged, text):
    line = logged(lambda: log.info("before %s after", text))
    assert len(line.splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line[:-1])
    assert "before" in line and line.endswith(" after\n")


def test_a_percent_sign_in_a_message_is_itself(logged):
    assert logged(lambda: log.info("%s", "100% %s %d")).endswith("100% %s %d\n")


KEY = "sk-ant-api03-AbCdEf_123-456"


def test_a_key_is_never_written_not_even_in_a_traceback(logged):
    def fail() -> None:
        try:
            raise ValueError(f"refused {KEY}\n\x1b[31mand more")
        except ValueError:
            log.exception("with %s", KEY)

    text = logged(fail)
    assert "AbCdEf" not in text
    assert text.count("sk-ant-***") == 2
    assert "Traceback" in text and "\x1b" not in text


@pytest.mark.parametrize("text", [KEY, f"'{KEY}'", f"Bearer {KEY},", f"x{KEY}x"])
def test_whatever_stands_around_a_key_it_is_redacted(text):
    assert "AbCdEf" not in redacted(text)


def test_in_a_demo_every_line_says_so(logged):
    def events() -> None:
        log.info("one")
        log.error("two")

    text = logged(events, demo=True)
    assert [line.partition("] ")[2] for line in text.splitlines()] == ["demo: one", "demo: two"]


def test_configured_twice_it_still_says_things_once(logged):
    def twice() -> None:
        configure("run-1", demo=False)
        log.info("once")

    assert logged(twice).count("once") == 1


def test_times_are_utc_whatever_the_machines_zone():
    code = (
        "from common.process.log import configure, log; configure('r', demo=False); log.info('x')"
    )
    stamps = [python(code, TZ=zone).stderr[:13] for zone in ("Pacific/Kiritimati", "UTC")]
    assert stamps[0] == stamps[1]


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        (" a\nb ", 3, "a b"),
        ("", 3, ""),
        ("x" * 300, 200, "x" * 199 + "…"),
    ],
)
def test_a_text_is_shortened_to_one_line(text, limit, short):
    assert shortened(text, limit) == short


def test_runs_of_control_characters_become_one_space():
    assert one_line("a\r\n\t\x00b") == "a b"


def test_the_sdks_debug_log_prints_no_prompt(site):
    site.events([(1, "the customer's own words", "2026-11-20 10:00:00")])
    code = """
import sys
from pathlib import Path
from daily_report import JOB
from common import run
raise SystemExit(run(JOB, ["--date", "2026-11-20"], root=Path(sys.argv[1])))
"""
    with StandIn() as standin:
        done = python(
            code,
            str(site.root),
            ANTHROPIC_API_KEY=KEY,
            ANTHROPIC_BASE_URL=standin.url,
            ANTHROPIC_LOG="debug",
            RECORDS_DB=str(site.source),
            REPORT_TZ="UTC",
            NO_PROXY="127.0.0.1",
        )
    assert done.returncode == 0, done.stderr
    assert "the customer's own words" not in done.stderr
    assert "Request options" not in done.stderr and "HTTP Request" not in done.stderr
    assert KEY not in done.stderr + done.stdout
