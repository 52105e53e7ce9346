"""A process that stood still reads what has arrived before it asks the clock."""

from __future__ import annotations

import asyncio
import signal
import socket
import time

import pytest

from common.process.event_loop import PatientLoop
from rigs.frozen import Freeze
from rigs.harness import Site
from rigs.message_batch_site import billed_for, statuses
from rigs.own_jobs import labels
from rigs.report_site import events

HOUR = 3600.0
AT_ONCE = 16
OPTIONS = ("--live", "--chunk-size", "1", "--concurrency", str(AT_ONCE))


def in_flight(site: Site) -> int:
    """How many requests the stand-in has not answered yet."""
    assert site.standin is not None
    return int(site.standin.counts["in_flight"])


def test_answers_that_arrived_while_the_process_stood_still_are_kept(claude, monkeypatch):
    site = claude(latency=1)
    site.events(events("2026-11-21", 2 * AT_ONCE))
    freeze = Freeze(
        monkeypatch,
        HOUR,
        begins=lambda: in_flight(site) >= AT_ONCE // 2,
        ends=lambda: in_flight(site) == 0,
    )
    result = site.run(labels(), *OPTIONS)
    assert freeze.over
    assert result.code == 0 and "sent again" not in result.log, result.log
    assert set(billed_for(site).values()) == {1}


def test_answers_that_arrived_while_a_stopped_process_stood_still_are_kept(claude, monkeypatch):
    """The lid was closed while the run waited for what was in flight at the signal."""
    site = claude(latency=1)
    site.events(events("2026-11-21", 2 * AT_ONCE))
    told = False

    def while_it_drains() -> bool:
        nonlocal told
        before = told
        if not told and in_flight(site) >= AT_ONCE // 2:
            told = True
            signal.raise_signal(signal.SIGTERM)
        return before

    freeze = Freeze(monkeypatch, HOUR, begins=while_it_drains, ends=lambda: in_flight(site) == 0)
    result = site.run(labels(), *OPTIONS)
    assert freeze.over
    done = statuses(site).get("done", 0)
    assert result.code == 75 and done >= AT_ONCE // 2, result.log
    # What was ready to follow was not sent any more; of what was sent, nothing is lost.
    assert len(billed_for(site)) == done
    assert site.run(labels(), *OPTIONS).code == 0
    assert set(billed_for(site).values()) == {1}


@pytest.fixture
def patient():
    loop = PatientLoop()
    yield loop
    loop.close()


async def first_bytes(end: socket.socket, seconds: float) -> bytes:
    """What can be read from a socket within a time limit."""
    end.setblocking(False)
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().sock_recv(end, 100)


def test_what_arrived_while_something_else_was_done_is_read_before_the_limit_ends_it(
    patient, monkeypatch
):
    """A slow disk holds up the thread that the loop lives in."""
    ours, theirs = socket.socketpair()
    now, passed = time.monotonic, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now() + passed)

    def save_slowly() -> None:
        nonlocal passed
        theirs.send(b"an answer")
        passed += HOUR

    async def story() -> bytes:
        patient.call_later(0.01, save_slowly)
        return await first_bytes(ours, 5)

    with ours, theirs:
        assert patient.run_until_complete(story()) == b"an answer"


def test_what_arrived_between_two_stays_in_the_loop_is_read(patient, monkeypatch):
    ours, theirs = socket.socketpair()
    now, passed = time.monotonic, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now() + passed)
    with ours, theirs:
        reading = patient.create_task(first_bytes(ours, 5))
        patient.run_until_complete(asyncio.sleep(0))
        theirs.send(b"an answer")
        passed = HOUR
        assert patient.run_until_complete(reading) == b"an answer"


def test_a_limit_still_ends_what_does_not_come(patient):
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        patient.run_until_complete(first_bytes(ours, 0.02))


def test_after_a_stop_the_limit_goes_on_where_it_was(patient, monkeypatch):
    ours, theirs = socket.socketpair()
    freeze = Freeze(monkeypatch, HOUR, begins=lambda: True, ends=lambda: True)
    with ours, theirs, pytest.raises(TimeoutError):
        patient.run_until_complete(first_bytes(ours, 0.02))
    assert freeze.over
