"""Every call ends: after its limit, however slowly bytes dribble in, and soon after a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from common.claude import api, client, message_batch_api
from common.claude.retries import Retry
from rigs.crash_rig import until
from rigs.installation import Installation
from rigs.message_batch_site import (
    CREATE,
    SIZE,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    statuses,
)
from rigs.sending import send
from standin.fault_kinds import MESSAGE_BATCHES
from standin.standin import StandIn

MODEL = "/v1/models/{id}"
ONE = f"{MESSAGE_BATCHES}/{{id}}"
RESULTS = f"{ONE}/results"
DRIBBLE = {"kind": "dribble", "seconds": 0.02}
JOB = "jobs/bulk_classifier.py"
OPTIONS = ("--message-batch", "--chunk-size", str(SIZE), "--wait", "20h")
FREE = [(MODEL, "GET"), (MESSAGE_BATCHES, "GET"), (ONE, "GET"), (RESULTS, "GET")]


def dribbling(path: str, method: str, **rule: Any) -> dict[str, Any]:
    return {**DRIBBLE, "path": path, "method": method, **rule}


@pytest.fixture
def _short(monkeypatch):
    """Limits that a test can wait for: a reply of 300 bytes dribbles in for six seconds."""
    monkeypatch.setattr(client, "SECONDS_FOR_A_FREE_CALL", 0.3)
    monkeypatch.setattr(message_batch_api, "_SECONDS_FOR_A_LINE", 0.3)
    monkeypatch.setattr(message_batch_api, "_SECONDS_TO_REPLY", 0.3)


@pytest.mark.parametrize(("path", "method"), FREE)
@pytest.mark.usefixtures("_short")
def test_a_free_call_that_dribbles_is_made_again(claude, path, method):
    site = claude(message_batch_seconds=0, faults=[dribbling(path, method, times=1)])
    fill(site, 3)
    result = go(site)
    assert result.code == 0, result.log
    assert "failed (no answer in time): sent again in" in result.log
    is_complete(site, 15)


@pytest.mark.parametrize(("path", "method"), FREE)
@pytest.mark.usefixtures("_short")
def test_where_a_free_call_always_dribbles_the_run_ends_with_69(claude, path, method):
    site = claude(message_batch_seconds=0, faults=[dribbling(path, method)])
    fill(site, 3)
    result = go(site, retry=Retry(seconds=3))
    assert result.code == 69 and "no answer in time" in result.log, result.log
    assert "dead" not in statuses(site)


@pytest.mark.usefixtures("_short")
def test_results_that_do_not_begin_are_asked_for_again(claude):
    rule = {"kind": "late", "seconds": 5, "path": RESULTS, "times": 1}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 3)
    result = go(site)
    assert result.code == 0 and "failed (no answer in time): sent again in" in result.log
    is_complete(site, 15)


def test_empty_lines_are_no_sign_of_life(monkeypatch):
    monkeypatch.setattr(message_batch_api, "_SECONDS_FOR_A_LINE", 0.2)

    async def keeping_us_waiting() -> AsyncGenerator[bytes, None]:
        for _ in range(100):
            await asyncio.sleep(0.01)
            yield b" \r\n"

    async def read() -> list[bytes]:
        return [line async for line in message_batch_api._lines(keeping_us_waiting())]

    with pytest.raises(TimeoutError):
        asyncio.run(read())


@pytest.mark.usefixtures("_short")
def test_a_count_of_tokens_that_dribbles_is_not_waited_for(claude, monkeypatch):
    monkeypatch.setattr("common.runner.start._PATIENCE", 0.3)
    site = claude(faults=[dribbling("/v1/messages/count_tokens", "POST")])
    fill(site, 3)
    result = go(site, "--dry-run")
    assert result.code == 0 and "estimated from the texts' length" in result.stdout


@pytest.mark.usefixtures("_short")
def test_a_message_batch_whose_reply_dribbles_is_looked_for_and_not_made_twice(claude):
    site = claude(message_batch_seconds=0, faults=[dribbling(MESSAGE_BATCHES, "POST", times=1)])
    fill(site, 3)
    result = go(site)
    assert result.code == 0 and "no reply (no answer in time)" in result.log, result.log
    assert calls(site, CREATE) == 1
    is_complete(site, 15)


def test_an_answer_that_dribbles_is_given_up_in_the_end(monkeypatch):
    monkeypatch.setattr(api, "SECONDS_TO_ANSWER", 0.3)
    with StandIn(faults=[DRIBBLE]) as standin:
        (outcome,) = send(standin.url)
    assert outcome.fault is not None and outcome.fault.reason == "no answer in time"
    assert outcome.unsettled_usd > 0  # it was paid for, perhaps


@pytest.mark.usefixtures("_short")
def test_results_that_come_slowly_but_surely_are_read_to_the_end(claude, monkeypatch):
    """All of them take longer than the limit, each line does not."""
    monkeypatch.setattr(message_batch_api, "_SECONDS_FOR_A_LINE", 5)
    rule = {"kind": "dribble", "seconds": 0.0002, "path": RESULTS}
    site = claude(message_batch_seconds=0, faults=[rule])
    fill(site, 5)
    result = go(site)
    assert result.code == 0 and "sent again" not in result.log, result.log
    is_complete(site, 25)


def stopped(
    installation: Installation,
    begun: Callable[[], bool],
    number: signal.Signals,
    *,
    before: str = "",
    **environ: str,
) -> tuple[int, str]:
    """The exit code and the log of a job that gets a signal once a call has begun.

    `before` is Python code that the job begins with.
    """
    fill(installation.site, 3)
    script = installation.root / JOB
    script.write_text(script.read_text().replace("\nJOB = ", f"\n{before}\nJOB = "))
    process = installation.start(*OPTIONS, script=script, **environ)
    try:
        until(lambda: begun() or process.poll() is not None)
        process.send_signal(number)
        log = process.communicate(timeout=10)[1]
    finally:
        process.kill()
    return process.returncode, log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("path", "method"), FREE)
def test_a_signal_ends_a_free_call_at_once(claude, path, method, number):
    site = claude(message_batch_seconds=0, faults=[dribbling(path, method, seconds=1)])
    code, log = stopped(Installation(site), lambda: calls(site, f"{method} {path}") > 0, number)
    assert code == 75, log
    assert f"stopped by {number.name.removeprefix('SIG')}: what is left waits" in log
    assert "Traceback" not in log and "sent again" not in log and "destroyed" not in log


def test_a_signal_waits_for_the_reply_to_an_order_and_the_next_run_collects_it(claude):
    late = {"kind": "late", "seconds": 2, "path": MESSAGE_BATCHES, "method": "POST", "times": 1}
    site = claude(message_batch_seconds=0, faults=[late])
    installation = Installation(site)
    code, log = stopped(installation, lambda: calls(site, CREATE) > 0, signal.SIGTERM)
    assert code == 75 and "2 requests submitted" in log, log
    ended = installation.run(*OPTIONS, script=site.root / JOB)
    assert ended.returncode == 0, ended.stderr
    assert calls(site, CREATE) == 1 and set(billed_for(site).values()) == {1}


def test_an_order_without_a_reply_is_left_20_seconds_after_a_signal_and_looked_for(claude):
    late = {"kind": "late", "seconds": 600, "path": MESSAGE_BATCHES, "method": "POST"}
    site = claude(message_batch_seconds=0, faults=[late])
    shorter = "import common.claude.client as client\nclient.SECONDS_TO_DRAIN = 0.5"
    code, log = stopped(
        Installation(site), lambda: calls(site, CREATE) > 0, signal.SIGTERM, before=shorter
    )
    assert code == 75 and "no reply" in log and "looking whether it was made" in log, log
    assert "Traceback" not in log


def test_a_signal_does_not_wait_for_a_name_server_that_is_silent(site):
    silent = (
        "import socket, threading\n"
        "def silent(*_, **__):\n"
        "    open('asked', 'w').close()\n"
        "    threading.Event().wait()\n"
        "socket.getaddrinfo = silent\n"
    )
    installation = Installation(site)
    asked = site.root / "asked"
    code, log = stopped(
        installation,
        asked.exists,
        signal.SIGTERM,
        before=silent.replace("'asked'", repr(str(asked))),
        ANTHROPIC_BASE_URL="https://claude.invalid",
    )
    assert code == 75 and "stopped by TERM: what is left waits" in log, log
    assert "Traceback" not in log
