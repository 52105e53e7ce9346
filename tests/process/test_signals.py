"""A signal ends a run in order: it keeps what is in flight, and leaves the rest to the next run."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from rigs.crash_oracle import examine, nothing_more
from rigs.crash_rig import Rig, standin_process, until

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@contextmanager
def rig_with(
    tmp_path, latency: float, faults: Sequence[dict[str, Any]] = (), per_day: int = 500
) -> Iterator[Rig]:
    with standin_process(tmp_path / "standin", latency, faults) as bill:
        rig = Rig(tmp_path / "site", bill)
        rig.events(per_day)
        yield rig


def end_of(process: subprocess.Popen[str], seconds: float) -> tuple[int, str]:
    """The exit code and the log of a process that has to end within `seconds`."""
    log = process.communicate(timeout=seconds)[1]
    return process.returncode, log


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_in_the_middle_finishes_what_is_in_flight_and_nothing_is_paid_twice(
    tmp_path, number
):
    with rig_with(tmp_path, 0.4) as rig:
        with rig.running() as process:
            until(lambda: len(rig.bill.lines()) >= 8 or process.poll() is not None)
            process.send_signal(number)
            code, log = end_of(process, 20)
        assert code == 75, log
        name = number.name.removeprefix("SIG")
        assert f"{name}: finishing what is in flight, then stopping" in log
        assert f"stopped by {name}: what is left waits for the next run" in log
        assert rig.ledger("select count(*) from requests where status = 'submitted'") == [(0,)]
        # What did not go any more is not counted.
        found = re.search(r"records=(\d+) done=(\d+) .* requests=(\d+) attempts=(\d+)", log)
        assert found, log
        records, done, *requests = map(int, found.groups())
        assert records == done > 0 and requests == [len(rig.bill.lines())] * 2, log
        ended = rig.run()
        assert ended.code == 0, ended.log
        findings = examine(rig)
        assert not findings.violations and not findings.billed_again and not findings.unsettled_usd
        assert not nothing_more(rig)


def test_a_signal_while_the_run_begins_leaves_the_rest_for_the_next_run(tmp_path):
    with rig_with(tmp_path, 0.02, per_day=60) as rig:
        with rig.running() as process:
            until(lambda: rig.tables() > 0 or process.poll() is not None)
            process.terminate()
            code, log = end_of(process, 20)
        assert code == 75, log
        assert rig.run().code == 0
        findings = examine(rig)
        assert not findings.violations and not findings.billed_again


def test_a_second_signal_stops_at_once(tmp_path):
    with rig_with(tmp_path, 15) as rig:
        with rig.running() as process:
            until(lambda: len(rig.bill.lines()) >= 8 or process.poll() is not None)
            process.terminate()
            first = time.monotonic()
            # A second signal within a second does not count: timeout(1) sends two.
            until(lambda: time.monotonic() - first > 1.1)
            process.terminate()
            code, log = end_of(process, 10)
        assert code == 75 and "stopped at once by a second signal" in log, log
        assert "Traceback" not in log


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_long_wait_at_once(tmp_path, number):
    with rig_with(tmp_path, 0, [{"kind": "429", "retry_after": 800}], per_day=60) as rig:
        with rig.running() as process:
            until(lambda: _sent(rig) or process.poll() is not None)
            assert process.poll() is None
            process.send_signal(number)
            code, log = end_of(process, 20)
        assert code == 75 and "Traceback" not in log, log
        # A refusal costs nothing: nothing of it stays reserved.
        assert rig.ledger("select sum(unsettled_usd) from requests") == [(0,)]


def test_what_does_not_answer_in_20_seconds_is_left_and_held_as_unknown(tmp_path):
    with rig_with(tmp_path, 600, per_day=60) as rig:
        before = "import common.delivery.live as live\nlive.SECONDS_TO_DRAIN = 0.5"
        with rig.running(before=before) as process:
            until(lambda: bool(rig.bill.lines()) or process.poll() is not None)
            process.terminate()
            code, log = end_of(process, 20)
        assert code == 75 and "Traceback" not in log, log
        statuses = rig.ledger("select distinct status, unsettled_usd > 0 from requests")
        assert statuses == [("lost", 1)]
        # No process died, so no record is suspected of killing it.
        assert rig.ledger("select max(crashes) from records") == [(0,)]


def _sent(rig: Rig) -> bool:
    return bool(rig.tables() and rig.ledger("select count(*) from requests")[0][0])
