"""Results that lack what Claude says has succeeded: read again, then held, and nothing is paid for
again in that time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.claude.retries import Retry
from common.delivery.message_batch import download
from common.process.exits import JobExit
from common.records.spool import Spool, T
from rigs.message_batch_site import (
    CREATE,
    RESULTS,
    SIZE,
    billed_for,
    calls,
    fill,
    go,
    is_complete,
    standin_db,
    statuses,
    submitted,
)
from rigs.report_site import days_reported, events, report

SHORT = [
    {"kind": "results_short"},
    {"kind": "results_short", "lines": 0},
    {"kind": "results_short", "lines": 1},
    {"kind": "results_foreign"},
    {"kind": "html", "path": "/v1/messages/batches/{id}/results"},
]
DAYS = 86_400


def lacking(claude: Any, folder: Path, rule: dict[str, Any]) -> Any:
    """A site whose message batch of 11 requests has ended, with results that are damaged so."""
    site = claude(state=folder, message_batch_seconds=0, faults=[rule])
    fill(site, 12)
    return site


@pytest.mark.parametrize("rule", SHORT, ids=str)
def test_results_that_come_whole_a_little_later_are_waited_for(claude, tmp_path, rule):
    site = lacking(claude, tmp_path / "standin", {**rule, "times": 3})
    result = go(site)
    assert result.code == 0, result.log
    assert calls(site, RESULTS) == 4 and calls(site, CREATE) == 1
    is_complete(site, 60)


@pytest.mark.parametrize("rule", SHORT, ids=str)
def test_results_that_stay_short_are_held_and_nothing_is_paid_for_again(claude, tmp_path, rule):
    site = lacking(claude, tmp_path / "standin", rule)
    result = go(site)
    assert result.code == 69, result.log
    assert "of its 11 results cannot be had from Claude" in result.log
    assert " WARN " in next(line for line in result.log.splitlines() if "reads them again" in line)
    assert "Nothing is sent again for now" in result.log
    assert sum(result.clock.waits) > 60  # it was not asked in vain once only
    assert set(billed_for(site).values()) == {1} and calls(site, CREATE) == 1
    assert submitted(site) == {"submitted": 1}
    again = go(site, retry=Retry(attempts=2))
    assert again.code == 69 and set(billed_for(site).values()) == {1}


def test_the_night_on_which_they_come_everything_is_saved(claude, tmp_path: Path):
    folder = tmp_path / "standin"
    site = lacking(claude, folder, {"kind": "results_short"})
    assert go(site).code == 69
    assert statuses(site)["done"] == 6 * SIZE  # the first chunk, and the five that came
    before = site.billed()
    site = claude(state=folder, message_batch_seconds=0)
    assert go(site).code == 0
    assert statuses(site) == {"done": 60} and not site.billed() and len(before) == 12


def test_what_is_held_keeps_nothing_else_from_being_done(claude, tmp_path: Path):
    site = lacking(claude, tmp_path / "standin", {"kind": "results_short"})
    assert go(site, retry=Retry(attempts=2)).code == 69
    site.events(events("2026-11-22", 3 * SIZE, first=100))
    for by in ("--message-batch", "--live"):
        rule = {"kind": "results_short", "lines": 5, "when": {"first": 2}}
        site = claude(state=tmp_path / "standin", message_batch_seconds=0, faults=[rule])
        result = go(site, by=by, retry=Retry(attempts=2))
        assert result.code == 69, result.log
    assert statuses(site) == {"done": 9 * SIZE, "submitted": 6 * SIZE}


def test_a_report_whose_digests_are_held_waits_and_the_other_days_are_written(claude, tmp_path):
    site = claude(state=tmp_path / "standin", message_batch_seconds=0, faults=[SHORT[0]])
    site.events([*events("2026-11-20", 3), *events("2026-11-21", 150, first=100)])
    options = ("--wait", "20h", "--since", "2026-11-20", "--until", "2026-11-21")
    result = report(site, "--message-batch", *options)
    assert result.code == 69, result.log
    assert days_reported(site) == ["2026-11-20"], result.log


def test_two_days_after_the_end_they_count_as_lost_and_that_is_said(claude, tmp_path: Path):
    folder = tmp_path / "standin"
    site = lacking(claude, folder, {"kind": "results_short"})
    assert go(site).code == 69
    faults = [{"kind": "results_short"}]
    with standin_db(folder) as db:
        db.execute("update message_batches set ended_at = ended_at - ?", (1.9 * DAYS,))
    site = claude(state=folder, message_batch_seconds=0, faults=faults)
    assert go(site, retry=Retry(attempts=2)).code == 69 and not site.billed()
    with standin_db(folder) as db:
        db.execute("update message_batches set ended_at = ended_at - ?", (0.2 * DAYS,))
    site = claude(state=folder, message_batch_seconds=0, faults=[{**faults[0], "times": 2}])
    result = go(site, retry=Retry(attempts=2))
    assert result.code == 0, result.log
    assert "what was paid for them is lost" in result.log
    assert "6 requests without a result: sent again" in result.log
    assert statuses(site) == {"done": 60}


@pytest.mark.parametrize("kind", ["expired", "errored", "canceled"])
def test_what_claude_did_not_bill_may_be_left_out_and_is_sent_again_at_once(
    claude, tmp_path: Path, kind
):
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[{"kind": "stay_in_progress", "times": 1}])
    fill(site, 6)
    assert go(site, "--wait", "0").code == 75
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
        db.execute(
            "update requests set outcome = ?, line = '' where number in (1, 2)",
            (kind,),
        )
    site = claude(state=folder, message_batch_seconds=0)
    result = go(site)
    assert result.code == 0, result.log
    assert "2 requests without a result: sent again" in result.log
    assert set(billed_for(site).values()) == {1} and statuses(site) == {"done": 30}


@pytest.mark.sqlite("the disk is that of state/, wherever the ledger is")
def test_results_that_came_before_the_disk_was_full_are_kept(claude, monkeypatch):
    class NearlyFull(Spool[T]):
        """A spool on a disk that takes three lines."""

        def add(self, thing: T) -> None:
            if len(self) == 3:
                raise JobExit(74, "cannot set records aside: No space left on device")
            super().add(thing)

    site = claude(message_batch_seconds=0)
    fill(site, 6)
    with monkeypatch.context() as changed:
        changed.setattr(download, "Spool", NearlyFull)
        full = go(site)
    assert (full.code, len(site.saved("select 1 from labels"))) == (74, 4 * SIZE), full.log
    assert go(site).code == 0
    is_complete(site, 6 * SIZE)
