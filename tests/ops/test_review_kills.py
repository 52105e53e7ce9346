"""kill -9 in the middle of an import: all of it comes in, by the next run at the latest, or nothing
of it.
"""

from __future__ import annotations

import os
from typing import Any, Literal

import pytest

from common.ledger.ledger import Ledger
from common.runner.saving import Saving
from ops.reviewing import importing
from ops.reviewing.filled_rows import Judge
from rigs.message_batch_kills import Instant, around
from rigs.record_jobs import events
from rigs.review_site import Opinion, ReviewSite, opinions, save

CORRECTED = {str(n) for n in range(2, 9)}


class _Saves:
    """save() of the job, so that a kill can be told to come at one of its calls."""

    def save(self, *given: Any) -> None:
        save(*given)


SAVES = _Saves()


def saving(db: Any, record: Any, output: Any, origin: Any) -> None:
    """The save() that is armed by then."""
    SAVES.save(db, record, output, origin)


# The rehearsal calls save() seven times, and then it counts.
BEFORE = [
    *around(Judge, "judge"),
    *around(Saving, "rehearse"),
    *around(SAVES, "save", 1),
    *around(SAVES, "save", 7),
    *around(Ledger, "intend"),
    *around(Ledger, "answered"),  # inside the transaction that puts the answer into the ledger
]
AFTER = [
    Instant(importing, "_commit", "after"),
    Instant(Saving, "use", "before"),
    *around(SAVES, "save", 8),
    *around(SAVES, "save", 11),
    *around(SAVES, "save", 14),
    Instant(Saving, "use", "after"),
    *around(Ledger, "apply"),
    *around(Ledger, "closed"),
]


@pytest.fixture
def here(claude):
    site = claude()
    events(site, 12)
    here = ReviewSite(site, opinions(saving))
    assert here.run().code == 0
    return here


def killed(here: ReviewSite, instant: Instant) -> None:
    """Import seven corrections in a process that dies at that instant."""
    rows = [
        {"record_id": key, "correct_label": "praise", "correct_note": f"by a person {key}"}
        for key in sorted(CORRECTED)
    ]
    status = here.in_a_child(instant.arm, "--import", str(here.written(rows)))
    assert os.WIFSIGNALED(status), os.waitstatus_to_exitcode(status)


def all_or_nothing(here: ReviewSite) -> bool:
    """Whether all corrections stand, everywhere; that none does otherwise."""
    statuses, saved, outputs = here.statuses(), here.saved(), here.outputs()
    corrected = {key for key, status in statuses.items() if status == "corrected"}
    assert corrected in (set(), CORRECTED)
    assert {key for key, row in saved.items() if row[-1] == "a person"} == corrected
    assert {key for key, output in outputs.items() if output["note"] == f"by a person {key}"} == (
        corrected
    )
    assert {*statuses.values()} <= {"done", "corrected"}
    assert here.ledger("select count(*) from requests where status <> 'done'") == [(0,)]
    return bool(corrected)


@pytest.mark.parametrize("instant", BEFORE, ids=str)
def test_before_the_commit_nothing_is_imported(here, instant):
    billed, before = len(here.site.billed()), (here.outputs(), here.saved())
    killed(here, instant)
    assert (here.outputs(), here.saved()) == before
    assert here.run().code == 0
    assert not all_or_nothing(here)
    assert (here.outputs(), here.saved()) == before
    assert len(here.site.billed()) == billed


@pytest.mark.parametrize("instant", AFTER, ids=str)
def test_after_the_commit_the_next_run_saves_the_rest(here, instant):
    billed = len(here.site.billed())
    killed(here, instant)
    assert here.run().code == 0
    assert all_or_nothing(here)
    assert len(here.site.billed()) == billed
    assert here.run().code == 0
    assert len(here.site.billed()) == billed


@pytest.mark.parametrize("instant", [*BEFORE[-4:], *AFTER[1:8]], ids=str)
def test_the_same_import_again_brings_it_to_its_end(here, instant):
    killed(here, instant)
    said = here.review("--import", str(here.site.root / "filled.csv"))
    assert said.code == 0, said.err
    assert all_or_nothing(here)


def test_a_correction_of_a_correction_that_was_killed_wins(here):
    killed(here, AFTER[0])
    assert here.correct({"3": {"label": "refund"}}).code == 0
    assert here.run().code == 0
    assert here.saved()["3"][0] == "refund"
    assert here.outputs()["3"]["note"] == "by a person 3"
    assert all_or_nothing(here)


def test_what_a_person_gave_and_fits_no_more_is_a_dead_letter_and_asked_of_nobody(here):
    class Narrow(Opinion):
        label: Literal["delivery", "refund"]

    killed(here, AFTER[0])
    billed = len(here.site.billed())
    here.job = opinions(saving, output=Narrow)
    assert here.run().code == 3
    assert {key for key, status in here.statuses().items() if status == "dead"} == CORRECTED
    assert here.ledger("select distinct error from records where status = 'dead'") == [
        ("wrong schema (label: literal_error)",)
    ]
    assert here.run().code == 0
    assert len(here.site.billed()) == billed
