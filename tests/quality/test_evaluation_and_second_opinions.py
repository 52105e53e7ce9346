"""What a second model was asked for the night and what --eval asks of it stand together."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from rigs.evaluation_site import labels_file
from rigs.message_batch_site import standin_db
from rigs.second_opinion_site import (
    SECOND,
    billed_to_second,
    fill,
    go,
    opined,
    saved,
)


@pytest.fixture
def over_night(claude, tmp_path):
    """A site whose second opinions are in a message batch; and the same when that has ended."""
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[{"kind": "stay_in_progress"}])
    fill(site, 12)
    assert go(site).code == 0

    def later() -> Any:
        with standin_db(folder) as db:
            db.execute("update message_batches set duration = 0")
        return claude(state=folder, message_batch_seconds=0)

    return site, later


@pytest.mark.parametrize("edited", [True, False])
def test_second_opinions_that_an_evaluation_collects_are_saved_by_the_next_run(over_night, edited):
    site, later = over_night
    path = labels_file(site, {f"d{n:03}": "Parcel" for n in range(1, 13)})
    before = billed_to_second(site)
    site = later()
    job = opined(instructions="Label each record well.") if edited else opined()
    model = () if edited else ("--model", SECOND)
    evaluated = site.run(job, "--eval", path, *model)
    assert evaluated.code == 0, evaluated.log
    assert {row[1] for row in saved(site).values()} == {"claude-haiku-5-5"}
    run = go(site)
    assert run.code == 0, run.log
    assert {row[1] for row in saved(site).values()} == {SECOND}
    times = Counter([*before, *billed_to_second(site)])
    assert set(times.values()) == {1} and len(times) == 12
