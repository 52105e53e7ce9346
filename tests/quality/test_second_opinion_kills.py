"""Runs that are killed at any instant: no second opinion is lost, asked twice or saved halfway."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from common.delivery.message_batch import deferred, download, results
from common.delivery.message_batch.download import Download
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.ledger.runs import Runs
from common.ledger.second_answers import SecondAnswers
from common.runner.saving import Saving
from quality import agreement, second_opinion
from rigs.bills import COST, usd_of
from rigs.harness import Site
from rigs.message_batch_kills import Instant, around
from rigs.message_batch_site import sdk, standin_db
from rigs.second_opinion_site import (
    SECOND,
    STILL_PROCESSING,
    billed_to_second,
    fill,
    go,
    ledger,
    opined,
    saved,
    statuses,
)
from rigs.standin_message_batches import ended

RECORDS = 12
ALL = [f"d{n:03}" for n in range(1, RECORDS + 1)]
COLLECTING = [
    *around(results, "look_at"),
    *around(download, "results"),
    *around(Download, "_store"),
    *around(MessageBatches, "close"),
    *around(results, "delete"),
    *around(SecondAnswers, "hand_over", 2),
    *around(SecondAnswers, "_hand_over"),
    *around(SecondAnswers, "_hand_over", 7),
    *around(second_opinion, "use_answered"),
    *around(agreement, "agree"),
    *around(Runs, "end"),
]
INSTANTS = [
    *around(SecondAnswers, "choose"),
    *around(SecondAnswers, "choose", 3),
    *around(Saving, "_save", 2),
    *around(Ledger, "apply", 2),
    *around(Ledger, "apply", 3),
    *around(SecondAnswers, "waiting"),
    *around(second_opinion, "apart"),
    *around(MessageBatches, "prepare"),
    *around(MessageBatches, "add"),
    *around(MessageBatches, "intend"),
    *around(deferred, "create"),
    *around(MessageBatches, "adopt"),
    *COLLECTING,
    *around(Saving, "_save", 5),
    *around(Ledger, "closed", 6),
]


def killed(site: Site, instant: Instant) -> bool:
    """Whether a run, in a process of its own, was killed at that instant."""
    pid = os.fork()
    if not pid:
        try:
            os.environ["RUN_ID"] = "20261122T010001Z-7"  # this process knows nothing of it
            instant.arm()
            go(site)
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def is_whole(site: Site, before: list[dict[str, Any]]) -> None:
    """Run to the end: all second opinions are saved, paid for once, and nothing is left to do."""
    run = go(site, "--wait", "20h")
    assert run.code == 0, run.log
    job = opined()
    assert statuses(site) == {
        ("", "done"): RECORDS,
        (job.version("claude-haiku-5-5"), "done"): RECORDS,
        (job.version(SECOND), "done"): RECORDS,
    }
    assert {model for _, model, _ in saved(site).values()} == {SECOND}
    assert sorted(saved(site)) == ALL
    bill = [*before, *site.billed()]
    seconds = sorted(one for line in bill if line["model"] == SECOND for one in line["records"])
    assert seconds == ALL
    cost, unsettled = ledger(site, f"select {COST} from requests where purpose = 'second opinion'")[
        0
    ]
    assert unsettled == 0
    assert cost == pytest.approx(usd_of([line for line in bill if line["model"] == SECOND]))
    assert ledger(site, "select count(*) from requests where status = 'answered'") == [(0,)]
    calls = site.standin and site.standin.counts["calls"]
    assert "nothing to do" in go(site).log
    assert site.standin and site.standin.counts["calls"] == calls


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_killed_at_an_instant_no_second_opinion_is_lost_or_paid_for_twice(claude, instant):
    site = claude(message_batch_seconds=0)
    fill(site, RECORDS)
    assert killed(site, instant)
    is_whole(site, [])


@pytest.mark.parametrize("instant", COLLECTING, ids=str)
def test_killed_in_the_night_that_collects(claude, tmp_path: Path, instant):
    folder = tmp_path / "standin"
    site = claude(faults=[STILL_PROCESSING], state=folder, message_batch_seconds=0)
    fill(site, RECORDS)
    assert go(site).code == 0 and billed_to_second(site) == []
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    before = site.billed()
    site = claude(state=folder, message_batch_seconds=0)
    ((message_batch,),) = ledger(site, "select message_batch_id from message_batches")
    with sdk(site) as client:
        ended(client, message_batch)  # a fork while the stand-in works would inherit its locks
    assert killed(site, instant)
    is_whole(site, before)
