"""A link, a pipe or a folder in the place of a file that the wrappers write, and an open .env."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

import pytest

from common.process.exits import JobExit
from common.settings import load
from ops import doctor, status
from rigs.notify_fixtures import Watched, catching
from rigs.status_site import StatusSite, ago
from rigs.wrapper_fixtures import Installation

THINGS = ["link", "dangling link", "pipe", "folder"]


def plant(path: Path, thing: str) -> Path:
    """Put the thing there; the file that a link leads to."""
    victim = path.parent.parent / "victim"
    path.parent.mkdir(parents=True, exist_ok=True)
    victim.write_text("a stranger's words\n")
    if thing == "link":
        path.symlink_to(victim)
    elif thing == "dangling link":
        path.symlink_to(victim.with_name("nowhere"))
    elif thing == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    return victim


def untouched(victim: Path) -> bool:
    """Whether nothing was written through a link."""
    return victim.read_text() == "a stranger's words\n" and not victim.with_name("nowhere").exists()


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize(
    "name",
    ["logs/hello.log", "logs/hello.log.1", "state/hello.lock", "state/history.tsv"],
)
def test_what_was_put_in_the_place_of_a_file_is_refused_in_one_line(tmp_path, name, thing):
    here = Installation(tmp_path)
    here.job("hello", "mark('ran')")
    victim = plant(tmp_path / name, thing)
    done = here.run("hello", timeout=10)
    assert (done.returncode, done.stdout) == (73, "")
    [line] = done.stderr.splitlines()
    assert f"cannot write {tmp_path / name}: " in line and "remove it" in line
    assert untouched(victim) and not here.exists("ran")()


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("name", ["state/_setup.lock", "logs/_setup.log"])
def test_the_files_of_a_setup_are_no_exception(tmp_path, name, thing):
    here = Installation(tmp_path)
    (tmp_path / "venv/requirements.txt").unlink()
    victim = plant(tmp_path / name, thing)
    done = here.run("--setup", timeout=10)
    assert done.returncode == 73
    assert f"cannot write {tmp_path / name}: " in done.stderr
    assert untouched(victim)


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize(
    "name",
    ["state/fails.alerted", "state/fails.alerted.part", "state/outbox/_lock", "state/outbox"],
)
def test_an_alert_is_sent_all_the_same_and_no_link_is_followed(tmp_path, name, thing):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        victim = plant(tmp_path / name, thing)
        assert here.notify("fails", timeout=20).returncode == 3
        assert catcher.events() == [("failure", "fails")]
        assert untouched(victim)


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("name", ["logs/fails.log", "state/history.tsv"])
def test_an_alert_quotes_nothing_from_behind_a_link_and_waits_for_no_pipe(tmp_path, name, thing):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        plant(tmp_path / name, thing)
        assert here.notify("fails", timeout=20).returncode == 73
        assert catcher.events() == [("failure", "fails")]
        assert b"stranger" not in catcher.at("webhook")[0].body


def test_an_alert_that_waits_is_no_link_and_no_pipe(tmp_path):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        (tmp_path / "state").mkdir()
        plant(tmp_path / "state/outbox/1795377099000000-1.webhook.x", "pipe")
        plant(tmp_path / "state/outbox/1795377099000000-2.webhook.x", "link")
        assert here.notify("works", timeout=20).returncode == 0
        assert catcher.received == []


@pytest.mark.parametrize("thing", ["link", "pipe", "folder"])
@pytest.mark.parametrize("name", ["history.tsv", "sorter.lock", "sorter.alerted"])
def test_status_neither_follows_nor_waits(tmp_path, name, thing):
    here = StatusSite(tmp_path)
    here.ran("sorter", ago(hours=1), 0)
    plant(tmp_path / "state" / name, thing)
    assert here.ask(status).code == 0


def asked(module: ModuleType, root: Path, *arguments: str) -> str:
    """What an operator's script says of an installation, whatever its exit code."""
    out = io.StringIO()
    with redirect_stdout(out):
        module.main(arguments, root, {})
    return out.getvalue()


OPEN = [0o666, 0o622, 0o602, 0o620, 0o664]


@pytest.mark.parametrize("mode", OPEN)
def test_an_env_file_that_others_can_write_starts_nothing(tmp_path, mode):
    here = Installation(tmp_path)
    here.job("hello", "mark('ran')")
    (tmp_path / ".env").write_text("LOG_KEEP=3\n")
    (tmp_path / ".env").chmod(mode)
    done = here.run("hello")
    assert done.returncode == 78 and not here.exists("ran")()
    [line] = done.stderr.splitlines()
    assert f"other users can write {tmp_path}/.env" in line and "chmod 600" in line
    with pytest.raises(JobExit, match="other users can write") as caught:
        load("hello", demo=False, root=tmp_path, environ={})
    assert caught.value.code == 78
    found = asked(doctor, tmp_path, "--offline")
    assert "FAIL  .env" in found and "others can write it" in found


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o644, 0o640])
def test_an_env_file_that_others_can_only_read_is_used(tmp_path, mode):
    here = Installation(tmp_path)
    here.job("hello")
    (tmp_path / ".env").write_text("LOG_KEEP=3\n")
    (tmp_path / ".env").chmod(mode)
    assert here.run("hello").returncode == 0
    assert load("hello", demo=False, root=tmp_path, environ={}).get("LOG_KEEP") == "3"


def test_an_env_file_that_others_can_write_sends_no_alert_anywhere_else(tmp_path):
    with catching() as catcher:
        here = Watched(tmp_path, catcher)
        (tmp_path / ".env").write_text("SLACK_WEBHOOK_URL=http://127.0.0.1:9/elsewhere\n")
        (tmp_path / ".env").chmod(0o666)
        done = here.notify("works")
        assert done.returncode == 78
        assert catcher.events() == [("failure", "works")]
        assert "slack" not in done.stderr


@pytest.mark.parametrize("thing", ["pipe", "folder", "dangling link"])
def test_an_env_file_that_is_none_is_named_and_nothing_waits_for_it(tmp_path, thing):
    here = Installation(tmp_path / "site")
    here.job("hello")
    plant(here.root / ".env", thing)
    done = here.run("hello", timeout=10)
    assert done.returncode == 78
    assert f"cannot read {here.root}/.env" in done.stderr
    with pytest.raises(JobExit, match=r"\.env cannot be read") as caught:
        load("hello", demo=False, root=here.root, environ={})
    assert caught.value.code == 78


def test_an_env_file_may_be_a_link_to_one_that_is_good(tmp_path):
    here = Installation(tmp_path / "site")
    here.job("hello")
    (tmp_path / "secrets").write_text("LOG_KEEP=3\n")
    (tmp_path / "secrets").chmod(0o600)
    (here.root / ".env").symlink_to(tmp_path / "secrets")
    assert here.run("hello").returncode == 0
