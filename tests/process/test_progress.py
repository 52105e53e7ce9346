"""The progress line at a terminal."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator

import pytest

from common.process import progress
from common.process.progress import Progress
from rigs.terminal import Terminal, watched


@pytest.fixture
def terminal(monkeypatch) -> Iterator[Terminal]:
    with watched(monkeypatch) as there:
        yield there


def test_a_live_delivery_shows_records_requests_and_cost(terminal):
    shown_by = Progress()
    shown_by.expect(200)
    shown_by.live(50, 8, 0.0123)
    shown = terminal.read()
    assert "50/200 records" in shown
    assert "8 in flight" in shown
    assert "$0.0123" in shown
    assert " left" in shown
    assert "██████░" in shown


def test_a_message_batch_shows_what_it_is_doing(terminal):
    Progress().message_batch("message batch msgbatch_1: still processing, 3m 5s old")
    assert "still processing, 3m 5s old" in terminal.read()


def test_the_line_is_cut_to_the_terminal_so_that_it_never_wraps(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    Progress().message_batch("x" * 100)
    assert len(terminal.read().removeprefix("\r\x1b[K")) == 19


def test_the_line_makes_room_for_what_is_printed_next(terminal):
    shown = Progress()
    shown.message_batch("looking")
    terminal.read()
    shown.clear()
    assert terminal.read() == "\r\x1b[K"


def test_nothing_is_shown_where_nobody_watches(monkeypatch, capfd):
    monkeypatch.delenv("JOB_TERMINAL_FD", raising=False)
    shown = Progress()
    shown.expect(2)
    shown.live(1, 1, 0.0)
    shown.clear()
    assert capfd.readouterr() == ("", "")


def test_a_descriptor_that_is_no_terminal_gets_nothing(monkeypatch, tmp_path, capfd):
    with (tmp_path / "file").open("wb") as file:
        monkeypatch.setenv("JOB_TERMINAL_FD", str(file.fileno()))
        shown = Progress()
        shown.expect(2)
        shown.live(1, 1, 0.0)
    assert (tmp_path / "file").read_bytes() == b""
    assert capfd.readouterr() == ("", "")


def test_a_terminal_that_is_closed_never_ends_the_run(monkeypatch):
    reading, writing = pty.openpty()
    monkeypatch.setenv("JOB_TERMINAL_FD", str(writing))
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    shown = Progress()
    os.close(reading)
    shown.expect(2)
    shown.live(1, 1, 0.0)
    shown.live(2, 0, 0.0)
    os.close(writing)
