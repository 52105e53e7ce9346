"""Something else stands where a file of a job's should be: it is left alone, and named in one line.
Nothing waits for the other end of a pipe.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from common.ledger.sqlite_ledger import LedgerFile
from ops import prune, status
from rigs.harness import Site
from rigs.own_jobs import labels
from rigs.report_site import events, night, report

pytestmark = pytest.mark.sqlite("what stands in the place of files")

NAMES = ("labels.lock", "labels.db", "labels.ballast", "labels.db-wal", "labels.db-shm")


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def dangling_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("not-there-yet"))


def pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def folder(path: Path, victim: Path) -> None:
    path.mkdir()


def listening_socket(path: Path, victim: Path) -> None:
    # A socket's path is 107 bytes long at most.
    with socket.socket(socket.AF_UNIX) as one, chdir(path.parent):
        one.bind(path.name)


def another_users_file(path: Path, victim: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0o666)
    try:
        os.chown(path, 12345, 12345)
    except PermissionError:
        pytest.skip("only root can give a file away")


PLANTED = (link, dangling_link, pipe, folder, listening_socket, another_users_file)
planted = pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)


@pytest.fixture(autouse=True)
def _nothing_hangs() -> Iterator[None]:
    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt("it hangs")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(50)
    yield
    signal.alarm(0)


@pytest.fixture
def here(claude: Callable[..., Site]) -> Site:
    site = claude()
    site.events((n, f"parcel {n}", "2026-11-20 00:00:00") for n in range(4))
    (site.root / "state").mkdir(mode=0o700)
    (site.root / "victim").write_text("precious")
    return site


def is_as_it_was(site: Site) -> bool:
    names = {path.name for path in site.root.iterdir()}
    return (site.root / "victim").read_text() == "precious" and "not-there-yet" not in names


@planted
@pytest.mark.parametrize("name", NAMES)
def test_what_was_planted_for_a_file_of_the_job_ends_the_run_and_is_left_alone(here, name, plant):
    path = here.root / "state" / name
    plant(path, here.root / "victim")
    before = path.lstat()
    for _ in range(2):
        ended = here.run(labels(), "--live")
        assert ended.code == 73, ended.log
        (line,) = ended.log.splitlines()
        assert " ERROR " in line and str(path) in line
    after = path.lstat()
    assert (after.st_ino, after.st_size, after.st_mode) == (
        before.st_ino, before.st_size, before.st_mode,
    )  # fmt: skip
    assert is_as_it_was(here)
    assert not here.billed()


@planted
@pytest.mark.parametrize("name", ["history.tsv", "labels.lock", "labels.db", "labels.alerted"])
def test_status_and_prune_neither_hang_nor_follow(here, name, plant, capsys):
    (here.root / "jobs").mkdir()
    (here.root / "jobs/labels.py").write_text('"""A job."""\n')
    plant(here.root / "state" / name, here.root / "victim")
    environ = {"RECORDS_DB": str(here.source)}
    assert status.main([], here.root, environ) == 0
    assert "Traceback" not in capsys.readouterr().out
    assert prune.main(["--older-than", "1d"], here.root, environ) in (0, 73)
    assert is_as_it_was(here)


@pytest.mark.parametrize("plant", [link, dangling_link, pipe, listening_socket])
@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_what_was_planted_for_a_report_is_replaced_and_never_followed(claude, plant, suffix):
    site = claude()
    site.events(events("2026-11-21", 2))
    (site.root / "victim").write_text("precious")
    reports = site.root / "reports/daily_report"
    reports.mkdir(parents=True)
    plant(reports / f"2026-11-21{suffix}", site.root / "victim")
    assert report(site, today=night(22)).code == 0
    assert (reports / f"2026-11-21{suffix}").is_file()
    assert not (reports / f"2026-11-21{suffix}").is_symlink()
    assert is_as_it_was(site)


def test_a_folder_in_place_of_a_report_is_one_line(claude):
    site = claude()
    site.events(events("2026-11-21", 2))
    (site.root / "reports/daily_report/2026-11-21.md").mkdir(parents=True)
    ended = report(site, today=night(22))
    assert ended.code in (73, 74)
    (line,) = [line for line in ended.log.splitlines() if " ERROR " in line]
    assert "reports/daily_report" in line and "Traceback" not in ended.log


def test_a_ledger_of_the_folders_owner_is_ours_although_root_runs_the_job(here):
    state = here.root / "state"
    try:
        os.chown(state, 12345, 12345)
        LedgerFile(state / "labels.db").close()
        for path in state.iterdir():
            os.chown(path, 12345, 12345)
    except PermissionError:
        pytest.skip("only root can give a file away")
    assert here.run(labels(), "--live").code in (0, 73)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, 74), (errno.EDQUOT, 74), (errno.EIO, 74), (errno.EFBIG, 74),
        (errno.EROFS, 73), (errno.EACCES, 73), (errno.EISDIR, 73),
    ],
)  # fmt: skip
def test_what_a_disk_refuses_is_one_line_wherever_it_happens(here, monkeypatch, number, code):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/x/y")

    monkeypatch.setattr("common.records.spool.Spool.add", refuse)
    ended = here.run(labels(), "--live")
    assert ended.code == code
    (line,) = [line for line in ended.log.splitlines() if " ERROR " in line]
    assert f"/x/y could not be {'written' if code == 74 else 'used'}" in line
    assert "Traceback" not in ended.log
