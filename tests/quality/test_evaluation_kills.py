"""An evaluation that is killed at any instant goes on where it was, and pays nothing twice beyond
what was in flight.
"""

from __future__ import annotations

import os
import signal

import pytest

from common.delivery import deliver, store
from common.delivery.message_batch import deferred, download
from common.ledger.ledger import Ledger
from common.ledger.message_batches import MessageBatches
from common.ledger.runs import Runs
from common.runner.saving import Saving
from quality import evaluation, evaluation_page
from rigs.evaluation_site import apart, evaluate, figures, fill, labels_file, measured
from rigs.message_batch_kills import Instant, around
from rigs.message_batch_site import billed_for

LIVE = [
    *around(Runs, "start"),
    *around(Ledger, "intend"),
    *around(Ledger, "intend", 4),
    *around(store, "_commit"),
    *around(store, "_commit", 3),
    *around(Saving, "use", 2),
    *around(Ledger, "apply", 3),
    *around(evaluation, "score"),
    *around(evaluation_page, "write"),
    *around(evaluation, "finish"),
]
BY_MESSAGE_BATCH = [
    *around(MessageBatches, "add"),
    *around(MessageBatches, "intend"),
    *around(deferred, "create"),
    *around(MessageBatches, "adopt"),
    *around(download, "results"),
    *around(MessageBatches, "close"),
    *around(deliver, "replay"),
    *around(evaluation_page, "write"),
]


def killed(site, instant: Instant, path: str, *arguments: str) -> None:
    """Evaluate in a process of its own, and kill it at that instant."""
    pid = os.fork()
    if not pid:
        try:
            os.environ["RUN_ID"] = "20261122T010001Z-7"  # this process knows nothing of it
            instant.arm()
            evaluate(site, path, *arguments)
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def in_flight(site) -> int:
    """How many live requests have no answer in the ledger."""
    sql = "select count(*) from requests where status = 'submitted' and delivery = 'live'"
    return int(apart(site, f"{sql} and job = '{{name}}'")[0][0])


@pytest.mark.parametrize("instant", LIVE, ids=str)
def test_killed_live_it_goes_on_and_pays_again_what_was_in_flight_at_most(claude, instant):
    site = claude()
    path = labels_file(site, fill(site, 60))
    job = measured(chunk_size=5)
    assert evaluate(site, labels_file(site, {}, name="none.csv")).code == 78  # makes the ledger
    killed(site, instant, path, "--chunk-size", "5", "--concurrency", "3")
    lost = in_flight(site)
    assert lost <= 3
    result = evaluate(site, path, "--json", job=job)
    assert result.code == 0, result.log
    found = figures(result)
    times = billed_for(site)
    assert len(times) == 60 and max(times.values()) <= 2
    assert sum(times.values()) - 60 <= lost * 5
    again = figures(evaluate(site, path, "--json", job=job))
    assert (again["usd"], again["n"], again["accuracy"]) == (0, 60, found["accuracy"])
    assert site.run(job).code == 0 and billed_for(site) == times


@pytest.mark.parametrize("instant", BY_MESSAGE_BATCH, ids=str)
def test_killed_by_message_batch_nothing_is_paid_twice(claude, instant):
    site = claude(message_batch_seconds=0)
    path = labels_file(site, fill(site, 60))
    job = measured(chunk_size=5)
    killed(site, instant, path, "--message-batch", "--chunk-size", "5")
    for _ in range(5):
        result = evaluate(site, path, "--message-batch", "--wait", "20h", "--json", job=job)
        if result.code != 75:
            break
    assert result.code == 0, result.log
    assert figures(result)["n"] == 60
    assert billed_for(site) == dict.fromkeys(map(str, range(1, 61)), 1)
