"""What waits for a disk is done in another thread, while the event loop goes on."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from common.process.meanwhile import Aside


@pytest.fixture
def aside() -> Iterator[Aside]:
    with ExitStack() as closing:
        made = Aside(closing)
        made.loop = asyncio.new_event_loop()
        closing.callback(made.loop.close)
        yield made


def test_requests_go_on_while_a_commit_waits_for_the_disk(aside):
    answered = threading.Event()

    async def request() -> None:
        answered.set()

    task = aside.loop.create_task(request())
    assert aside(lambda: answered.wait(10)) is True
    assert task.done()


def test_where_nothing_is_under_way_no_thread_is_needed(aside):
    assert aside(threading.current_thread) is threading.current_thread()


def test_what_the_work_raises_is_raised_here(aside):
    aside.loop.create_task(asyncio.sleep(0))

    def full() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        aside(full)


def test_another_attempt_waits_until_no_commit_is_under_way(aside):
    ends, order = threading.Event(), []

    async def attempt() -> None:
        waiting = asyncio.ensure_future(aside.at_rest())
        await asyncio.sleep(0)
        order.append("rests" if waiting.done() else "waits")
        ends.set()
        await waiting
        order.append("goes")

    def commit() -> None:
        ends.wait(10)
        order.append("committed")

    task = aside.loop.create_task(attempt())
    aside(commit)
    aside.loop.run_until_complete(task)
    assert order == ["waits", "committed", "goes"]


def test_another_attempt_waits_until_who_called_for_the_commit_goes_on(aside):
    returned: list[bool] = []
    went: list[str] = []

    def may_go() -> bool:
        rest = aside.at_rest()
        try:
            rest.send(None)
        except StopIteration:
            return True
        rest.close()
        return False

    async def attempts() -> None:
        while not returned:
            if may_go():
                went.append("before")
            await asyncio.sleep(0)
        await aside.at_rest()
        went.append("after")

    task = aside.loop.create_task(attempts())
    aside(lambda: None)
    returned.append(True)
    aside.loop.run_until_complete(task)
    assert went == ["after"]


def test_a_signal_that_ends_the_run_ends_no_commit_in_its_middle(aside):
    class AtOnceError(KeyboardInterrupt):
        """What a signal's handler raises."""

    told, committed = threading.Event(), []

    def end(*_: object) -> None:
        told.set()
        raise AtOnceError

    def commit() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        committed.append(told.wait(10))

    request = aside.loop.create_task(asyncio.Event().wait())
    before = signal.signal(signal.SIGUSR1, end)
    try:
        with pytest.raises(AtOnceError):
            aside(commit)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert committed == [True]
    request.cancel()
    aside.loop.run_until_complete(asyncio.wait([request]))


def test_within_the_event_loop_it_is_done_at_once(aside):
    async def story() -> object:
        return aside(threading.current_thread)

    assert aside.loop.run_until_complete(story()) is threading.current_thread()
