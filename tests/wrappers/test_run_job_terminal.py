"""A person who runs a job at a terminal sees the lines of the log, and Ctrl-C ends everything."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigs.wrapper_fixtures import Installation, Terminal, is_running, until


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.fifo("door")
    installation.job(
        "listens",
        """
        def stop(number, frame):
            say("last words")
            raise SystemExit(75)
        signal.signal(signal.SIGTERM, stop)
        mark("running", str(os.getpid()))
        say("at work")
        meet("door")
        """,
    )
    installation.job(
        "family",
        """
        child = subprocess.Popen(["sh", "-c", "sleep 19 & echo $!; wait"], stdout=subprocess.PIPE)
        mark("running", child.stdout.readline().decode())
        say("at work")
        meet("door")
        """,
    )
    return installation


@pytest.fixture
def at_terminal(here: Installation) -> Iterator[type[Terminal]]:
    opened: list[Terminal] = []

    class Kept(Terminal):
        def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
            super().__init__(here, *arguments, env=env)
            opened.append(self)

    yield Kept
    for terminal in opened:
        terminal.close()


def test_the_same_lines_are_shown_and_logged(here, at_terminal):
    here.job("talks", "say('one'); say('two'); raise SystemExit(3)")
    terminal = at_terminal("talks")
    assert terminal.end() == 3
    assert terminal.shown == here.log("talks")
    assert [line.split("] ")[-1][:5] for line in terminal.shown.splitlines()] == [
        "START",
        "one",
        "two",
        "END c",
    ]


def test_a_thousand_lines_arrive_whole_and_in_order_before_the_end(here, at_terminal):
    here.job("talks", "for number in range(1000): say('line', number)")
    terminal = at_terminal("talks")
    assert terminal.end() == 0
    assert terminal.shown == here.log("talks")
    assert terminal.shown.splitlines()[1:-1] == [f"line {number}" for number in range(1000)]


def test_all_is_in_the_log_by_the_time_the_run_has_ended(here, at_terminal):
    here.job("talks", "say('one')")
    # A slow tee: it writes nothing before it has read everything.
    here.tool("tee", 'all=$(cat); /bin/sleep 0.3; printf "%s\\n" "$all" | /usr/bin/tee "$@"')
    terminal = at_terminal("talks")
    terminal.process.wait(10)
    assert " END code=0 " in here.log("talks")


def test_a_progress_bar_is_for_the_terminal_and_not_for_the_log(here, at_terminal):
    here.job(
        "paints", "os.write(int(os.environ['JOB_TERMINAL_FD']), b'\\r\\x1b[32m50 %'); say('half')"
    )
    terminal = at_terminal("paints")
    terminal.end()
    assert "\x1b[32m50 %" in terminal.shown
    assert not re.search(r"[^\n\x20-\x7e]", here.log("paints"))


def test_without_a_terminal_the_job_is_told_of_none(here):
    here.job("paints", "print('JOB_TERMINAL_FD' in os.environ)")
    assert here.run("paints").stdout == "False\n"


def test_a_job_can_ask_the_person(here, at_terminal):
    here.job(
        "asks",
        """
        print('really? ', end='', flush=True)
        raise SystemExit(7 if input() == 'yes' else 8)
        """,
    )
    terminal = at_terminal("asks")
    terminal.read("really? ")
    terminal.type("yes\n")
    assert terminal.end() == 7


def test_ctrl_c_ends_the_job_in_order_with_its_last_words_in_both_places(here, at_terminal):
    terminal = at_terminal("listens")
    terminal.read("at work\n")
    terminal.type("\x03")
    assert terminal.end() == 75
    for text in (terminal.shown.replace("^C", ""), here.log("listens")):
        lines = text.splitlines()
        assert lines[-2] == "last words"
        assert " END code=75 " in lines[-1]
    assert not is_running(int((here.root / "running").read_text()))


def test_ctrl_c_ends_a_job_that_never_heard_of_signals(here, at_terminal):
    here.job("plain", "mark('running', str(os.getpid())); say('at work'); meet('door')")
    terminal = at_terminal("plain")
    terminal.read("at work\n")
    terminal.type("\x03")
    assert terminal.end() == 143
    assert not is_running(int((here.root / "running").read_text()))
    assert " END code=143 " in here.log("plain")


def test_ctrl_c_ends_what_the_job_has_started(here, at_terminal):
    terminal = at_terminal("family")
    terminal.read("at work\n")
    terminal.type("\x03")
    assert terminal.end() == 143
    until(lambda: not is_running(int((here.root / "running").read_text())))


def test_ctrl_c_reaches_the_job_once_and_as_term(here, at_terminal):
    here.job(
        "listens",
        """
        received = []
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, lambda n, f: received.append(n))
        say("at work")
        while not received: time.sleep(0.01)
        meet("door")
        say(sorted(set(received)))
        """,
    )
    terminal = at_terminal("listens")
    terminal.read("at work\n")
    terminal.type("\x03")
    (here.root / "door").write_text("")
    terminal.end()
    assert "[15]\n" in terminal.shown


def test_ctrl_c_at_any_moment_ends_the_run_with_its_end_line(here, at_terminal):
    for step in range(24):
        terminal = at_terminal("listens")
        terminal.read("START")
        soon = time.monotonic() + step * 0.0005
        while time.monotonic() < soon:
            pass
        terminal.type("\x03")
        assert terminal.end() in (75, 130, 143)
        assert " END code=" in here.log("listens").splitlines()[-1]
        assert here.lock_is_free("listens")


def test_ctrl_c_twice_reaches_the_job_twice(here, at_terminal):
    """`timeout` tells its child, and then its whole group: the job may hear the first one twice."""
    here.job(
        "stubborn",
        """
        told = []
        def stop(number, frame):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            told.append(number)
        signal.signal(signal.SIGTERM, stop)
        say("at work")
        while not told: time.sleep(0.01)
        say("told once")
        meet("door")
        told.clear()
        signal.signal(signal.SIGTERM, stop)
        say("at work again")
        while not told: time.sleep(0.01)
        say("told twice")
        """,
    )
    terminal = at_terminal("stubborn")
    terminal.read("at work\n")
    terminal.type("\x03")
    terminal.read("told once\n")
    (here.root / "door").write_text("")
    terminal.read("at work again\n")
    terminal.type("\x03")
    terminal.read("told twice\n")
    assert terminal.end() == 0


def test_ctrl_c_ends_the_wait_for_another_try(here, at_terminal):
    here.job("later", "raise SystemExit(75)")
    terminal = at_terminal("later", env={"JOB_TRIES": "2", "JOB_RETRY_WAIT": "1h"})
    terminal.read("again in 3600s")
    terminal.type("\x03")
    assert terminal.end() == 75


def test_a_terminal_that_is_closed_ends_the_job_with_its_last_words_in_the_log(here, at_terminal):
    terminal = at_terminal("listens")
    terminal.read("at work\n")
    terminal.hang_up()
    assert terminal.end() == 75
    assert here.log("listens").splitlines()[-2] == "last words"
    assert " END code=75 " in here.log("listens")
    assert here.history()[0][3] == "75"


def test_a_time_limit_holds_at_a_terminal_too(here, at_terminal):
    terminal = at_terminal("listens", env={"JOB_TIMEOUT": "1"})
    assert terminal.end() == 124
    assert "last words" in terminal.shown


def test_a_process_that_the_job_leaves_behind_does_not_keep_the_person_waiting(here, at_terminal):
    here.job(
        "parent",
        """
        os.set_inheritable(int(os.environ["JOB_LOCK_FD"]), False)
        child = subprocess.Popen(["sleep", "20"], stdout=subprocess.DEVNULL, start_new_session=True)
        mark("left", str(child.pid))
        """,
    )
    terminal = at_terminal("parent")
    try:
        assert terminal.process.wait(5) == 0
        assert " END code=0 " in here.log("parent")
        assert here.lock_is_free("parent")
    finally:
        until(here.exists("left"))
        os.kill(int((here.root / "left").read_text()), 9)


def test_a_refusal_is_one_line_at_a_terminal(here, at_terminal):
    terminal = at_terminal("listens", env={"JOB_TIMEOUT": "soon"})
    assert terminal.end() == 78
    assert terminal.shown.count("\n") == 1
