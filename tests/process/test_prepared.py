"""A process of a job that is forked, with the packages imported, is like one that is started."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from rigs.prepared import Prepared

SCRIPT = """
import os, sys, threading, time
mine: int = 7
print(__name__, sys.argv, sys.path[0], os.getcwd(), os.getppid(), __annotations__)
print(sorted({**os.environ, "LC_CTYPE": ""}.items()), time.localtime(0).tm_hour)
print(sorted(os.listdir("/proc/self/fd")), "common" in sys.modules, threading.active_count())
print(os.getpid() == threading.get_native_id(), sys.modules["__main__"].mine, file=sys.stderr)
"""
ENVIRON = {"PATH": "/usr/bin:/bin", "TZ": "Asia/Kathmandu", "MINE": "é"}


@pytest.fixture
def ends(tmp_path):
    """How an ordinary process ends, and a prepared one: exit code, output, errors."""

    def both(*arguments: str) -> list[tuple[int, str, str]]:
        options: dict[str, Any] = {"env": ENVIRON, "cwd": tmp_path, "text": True}
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        told = []
        for process in (
            subprocess.Popen([sys.executable, *arguments], **options),
            Prepared(arguments, **options),
        ):
            out, err = process.communicate(timeout=50)
            told.append((process.returncode, out, err))
        return told

    return both


def test_it_has_what_it_was_given_and_nothing_of_its_makers(ends, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    for arguments in ([str(tmp_path / "script.py"), "--option"], ["-c", SCRIPT, "one"]):
        ordinary, prepared = ends(*arguments)
        assert ordinary == prepared
        assert ordinary[0] == 0, ordinary


BY_SIGNAL = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize("code", ["raise SystemExit(75)", "1 / 0", BY_SIGNAL])
def test_it_ends_as_any(ends, code):
    ordinary, prepared = ends("-c", code)
    assert ordinary[0] == prepared[0] != 0
    assert ordinary[2].splitlines()[-1:] == prepared[2].splitlines()[-1:]


def test_it_is_killed_like_any():
    with Prepared(["-c", "import time; time.sleep(60)"], env=ENVIRON) as process:
        assert process.poll() is None
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
