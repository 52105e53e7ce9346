"""Runs that are killed at any instant lose nothing, save nothing wrong, and pay twice at most for
what was in flight.

`bench/kill.py` does the same hundreds of times; here are a few kills of each kind.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rigs.broken_orders import DONE_TOO_SOON, NEVER_STORED
from rigs.crash_moments import after, moment
from rigs.crash_oracle import brought_up_to_date, continued, examine
from rigs.crash_rig import IN_FLIGHT, Bill, Rig, standin_process
from rigs.harness import REPOSITORY

Make = Callable[..., Rig]


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bill]:
    """One stand-in for all tests of a worker."""
    with standin_process(tmp_path_factory.mktemp("standin"), latency=0.04) as bill:
        yield bill


@pytest.fixture(params=["file", "postgres"])
def ledger(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings for a ledger of either kind."""
    url = request.getfixturevalue("postgres") if request.param == "postgres" else ""
    return {"LEDGER_DB": url} if url else {}


@pytest.fixture
def make(tmp_path: Path, bill: Bill, ledger: dict[str, str]) -> Make:
    """Make an installation: make(350) has 350 records a day."""

    def made(per_day: int, name: str = "site", days: int = 2) -> Rig:
        rig = Rig(tmp_path / name, Bill(bill.url, bill.path), days=days, environ=dict(ledger))
        rig.events(per_day)
        return rig

    return made


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, bill: Bill) -> Rig:
    """The same installation, never killed."""
    rig = Rig(tmp_path_factory.mktemp("reference") / "site", Bill(bill.url, bill.path))
    rig.events(350)
    assert rig.run().code == 0
    assert not examine(rig).violations
    return rig


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_report_is_continued_as_if_nothing_had_been(make, reference, seed):
    rig = make(350)
    rig.killed(moment(rig, seed))
    found = continued(rig, reference)
    assert not found.violations
    assert (found.lost, found.doubled) == (0, 0)
    assert found.billed_again <= rig.in_flight <= IN_FLIGHT


@pytest.mark.parametrize("seed", [11, 12, 14, 16])
def test_a_killed_job_with_an_answer_per_record_has_every_row_once(make, seed):
    rig = make(40)
    rig.per_record()
    rig.killed(moment(rig, seed))
    found = continued(rig)
    assert not found.violations
    assert found.billed_again <= rig.in_flight <= IN_FLIGHT
    assert rig.source("select count(*) from labels") == [(80,)]


@pytest.mark.parametrize("seed", [11, 12, 15])
def test_a_killed_run_with_stale_brings_every_row_up_to_date_once(make, seed):
    rig = make(40)
    rig.per_record()
    rig.outdate()
    rig.killed(moment(rig, seed), "--stale")
    found = brought_up_to_date(rig)
    assert not found.violations
    assert found.billed_again <= rig.in_flight <= IN_FLIGHT
    assert rig.source("select count(*), sum(saves) >= 160 from labels") == [(80, 1)]
    assert len(rig.bill.lines()) <= 160 + rig.in_flight


def test_three_kills_in_a_row_lose_nothing(make):
    rig = make(350)
    for seed in (1, 6, 11):
        rig.killed(moment(rig, seed))
    found = continued(rig, runs=2, dead=1)
    assert not found.violations and not found.doubled
    assert found.billed_again <= rig.in_flight <= 3 * IN_FLIGHT


@pytest.mark.parametrize("wrong_order", [NEVER_STORED, DONE_TOO_SOON], ids=["unstored", "too soon"])
def test_the_oracle_finds_a_wrong_order(make, bill, wrong_order):
    rig = make(350)
    rig.killed(after(lambda: len(rig.bill.lines()) >= 12, 0.0), before=wrong_order)
    assert continued(rig).violations


def test_the_oracle_finds_a_record_that_is_done_without_an_output(make):
    rig = make(40)
    rig.per_record()
    rig.killed(after(lambda: len(rig.bill.lines()) >= 12, 0.0), before=DONE_TOO_SOON)
    violations = continued(rig).violations
    assert not rig.tracebacks
    assert "records are done without an output" in " ".join(violations)


def test_the_oracle_finds_a_run_that_died_before_it_was_killed(make):
    rig = make(40)
    assert not rig.killed(lambda: False, before="1 / 0")
    assert "ZeroDivisionError" in " ".join(continued(rig).violations)


def limited(rig: Rig, size: int) -> tuple[int, str]:
    """A run whose files may not grow over a size."""
    before = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    ended = rig.run(before=before)
    return ended.code, ended.log


@pytest.mark.parametrize("ledger", ["file"], indirect=True)
def test_a_ledger_that_cannot_grow_ends_the_run_with_one_clear_line(make):
    rig = make(350)
    rig.run("--limit", "50")
    code, log = limited(rig, 60_000)
    assert code in (73, 74), log
    errors = [line for line in log.splitlines() if " ERROR " in line]
    assert len(errors) == 1 and str(rig.ledger_path) in errors[0] and "Traceback" not in log
    rig.count_in_flight()
    assert not continued(rig).violations


ON_A_FULL_DISK = """
import subprocess, sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {jobs!r}]
from rigs.crash_rig import Bill, Rig
disk = Path({disk!r})
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(disk)], check=True)
bill = Bill({url!r}, Path({bill!r}))
rig = Rig(Path({root!r}), bill, environ={{"LEDGER_DB": str(disk / "{{job}}.db")}})
rig.events(350)
full = rig.run("--concurrency", "4")
answers = "select count(*) from requests where answer is not null"
kept = rig.ledger(answers)[0][0]
billed = len(bill.lines())
subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
ended = rig.run()
done = rig.ledger("select count(*) from records where status = 'done'")[0][0]
import json
answers = rig.ledger(answers)[0][0]
print(json.dumps([full.code, full.log, kept, billed, ended.code, done, answers, len(bill.lines())]))
"""


def test_on_a_full_disk_the_answers_that_were_paid_for_are_kept(tmp_path, bill):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "x", str(disk)], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    code = ON_A_FULL_DISK.format(
        tests=str(REPOSITORY / "tests"), jobs=str(REPOSITORY / "jobs"), disk=str(disk),
        url=bill.url, bill=str(bill.path), root=str(tmp_path / "site"),
    )  # fmt: skip
    ended = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    status, log, kept, billed, later, done, answers, all_billed = json.loads(ended.stdout)
    assert status == 74, log
    assert kept == billed
    assert (later, done) == (0, 700)
    assert answers == all_billed
