"""`./run_job.sh status --watch`: in its place at a terminal, until Ctrl-C."""

from __future__ import annotations

import io
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable

import pytest

from ops import status
from ops.overview import watch
from rigs.status_site import StatusSite, ago

XTERM = {"TERM": "xterm"}


@pytest.fixture
def here(tmp_path, databases):
    return StatusSite(tmp_path, databases)


class Terminal(io.StringIO):
    """Stands for a terminal of a size."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Waits for nothing; after so many waits somebody presses Ctrl-C."""

    def __init__(
        self, waits: int, cpu: float = 0.0, between: Callable[[], object] = lambda: None
    ) -> None:
        self.left, self.cpu, self.between = waits, cpu, between
        self.waited: list[float] = []
        self._spent = 0.0

    def process_time(self) -> float:
        self._spent += self.cpu
        return self._spent

    def sleep(self, seconds: float, /) -> None:
        self.waited.append(seconds)
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt
        self.between()


def watched(here, monkeypatch, clock, *arguments, lines=100, columns=100, **environ):
    """The screens that were shown, one after the other, and the exit code."""
    monkeypatch.setenv("LINES", str(lines))
    monkeypatch.setenv("COLUMNS", str(columns))
    assert shutil.get_terminal_size() == (columns, lines)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    settings = here.databases.settings() | XTERM | environ
    code = status.main(["--watch", *arguments], here.root, settings, clock)
    monkeypatch.undo()
    _, *screens = terminal.getvalue().split("\x1b[H")
    return screens, code


def plain(screen):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)


def test_each_look_takes_the_place_of_the_one_before(here, monkeypatch):
    here.records("sorter", "done", "a")
    clock = Clock(3)
    clock.between = lambda: here.records("sorter", "done", f"b{clock.left}")
    screens, code = watched(here, monkeypatch, clock)
    assert code == 0
    assert [re.findall(r"\d+ done", screen) for screen in screens] == [
        ["1 done"],
        ["2 done"],
        ["3 done"],
    ]
    assert clock.waited == [2.0, 2.0, 2.0]
    for screen in screens:  # each line to its end, and all below the last
        assert screen.count("\x1b[K\n") == plain(screen).rstrip().count("\n")
        assert "\x1b[J" in screen
        assert "until Ctrl-C" in plain(screen)


def test_ctrl_c_ends_it_with_nothing_of_the_terminal_changed(here, monkeypatch):
    here.job("sorter")
    (screen,), code = watched(here, monkeypatch, Clock(1))
    assert code == 0 and screen.endswith("\n")
    # No other screen, no hidden cursor; and long lines are broken again.
    assert not re.search(r"\x1b\[\?(?:1049|47|25)", screen)
    assert screen.rindex("\x1b[?7h") > screen.rfind("\x1b[?7l")


@pytest.mark.parametrize("lines", [10, 14, 24, 60])
@pytest.mark.parametrize("job", [[], ["sorter"]], ids=["all", "one"])
def test_it_is_never_longer_than_the_terminal(here, monkeypatch, lines, job):
    for name in ("sorter", "other", "third"):
        here.records(name, "dead", *(f"d{n}" for n in range(20)))
        here.told(name, ago(hours=1), 69, "Claude could not be reached")
    (screen,), _ = watched(here, monkeypatch, Clock(1), *job, lines=lines)
    assert plain(screen).rstrip("\n").count("\n") < lines
    assert "failed 2" in screen if not job else "FAILED" in screen
    if lines != 24:
        assert ("lines more than this terminal has room for" in screen) is (lines < 60)


def test_a_terminal_that_is_too_small_for_all_shows_what_needs_a_look(here, monkeypatch):
    for name in ("sorter", "other"):
        here.ran(name, ago(days=1), 0)
    here.records("third", "dead", "a")
    (screen,), _ = watched(here, monkeypatch, Clock(1), lines=20)
    said = plain(screen)
    assert "--retry-dead" in said and "last success" not in said
    assert all(name in said for name in ("sorter", "other", "third"))


@pytest.mark.parametrize("option", [[], ["sorter"], ["--demo"]], ids=str)
def test_without_a_terminal_it_is_refused_on_one_line(here, option, capsys):
    here.job("sorter")
    assert status.main(["--watch", *option], here.root, XTERM, Clock(1)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("status: --watch needs a terminal") and said.err.count("\n") == 1
    assert "stdout is none" in said.err


def test_a_terminal_without_a_cursor_is_refused(here, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert status.main(["--watch"], here.root, {"TERM": "dumb"}, Clock(1)) == 2


@pytest.mark.parametrize("other", ["--json", "--html"])
def test_it_is_no_other_form_at_once(here, monkeypatch, other):
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert status.main(["--watch", other], here.root, XTERM, Clock(1)) == 2


def test_no_color_is_obeyed(here, monkeypatch):
    here.told("sorter", ago(hours=1), 69)
    screens, _ = watched(here, monkeypatch, Clock(1), NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*m", screens[0])
    screens, _ = watched(here, monkeypatch, Clock(1))
    assert "\x1b[1;31m" in screens[0]


def test_what_takes_long_is_asked_more_seldom(here, monkeypatch):
    here.job("sorter")
    clock = Clock(2, cpu=0.5)
    watched(here, monkeypatch, clock)
    assert clock.waited == [10.0, 10.0]  # a twentieth of one core


@pytest.mark.sqlite("files")
def test_it_only_reads(here, monkeypatch):
    here.records("sorter", "done", "a")
    before = here.files()
    opened = []
    connect = sqlite3.connect

    def connected(address, *arguments, **options):
        opened.append(address)
        return connect(address, *arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", connected)
    monkeypatch.setenv("LINES", "50")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert status.main(["--watch"], here.root, XTERM, Clock(3)) == 0
    monkeypatch.undo()
    assert here.files() == before
    assert len(opened) == 3
    assert all(address.endswith(("?mode=ro", "?immutable=1")) for address in opened)


def test_a_job_that_goes_away_meanwhile_is_one_line(here, monkeypatch, capsys):
    here.job("sorter")
    here.job("other")
    clock = Clock(3, between=lambda: here.remove("other"))
    monkeypatch.setattr(watch, "_write", lambda _: None)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert status.main(["other", "--watch"], here.root, XTERM, clock) == 2
    assert capsys.readouterr().err.startswith("status: no job is called 'other'")
