"""What a second model was asked for the night and what --eval asks of it stand together."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ops import prune
from rigs.evaluation_site import labels_file
from rigs.message_batch_site import standin_db
from rigs.second_opinion_site import (
    NAME,
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


def test_prune_keeps_an_answer_that_an_evaluation_collected_until_a_run_has_saved_it(over_night):
    site, later = over_night
    before = site.billed()
    site = later()
    path = labels_file(site, {"d001": "Parcel"})
    assert site.run(opined(), "--eval", path, "--model", SECOND).code == 0
    assert {row[1] for row in saved(site).values()} == {"claude-haiku-5-5"}
    for table, column in (("requests", "created_at"), ("records", "updated_at")):
        site.change_ledger(NAME, f"update {table} set {column} = '2020-01-01T00:00:00Z'")
    (site.root / "jobs").mkdir()
    (site.root / f"jobs/{NAME}.py").touch()
    assert prune.main(["--older-than", "90d"], site.root, site.databases.settings()) == 0
    run = go(site)
    assert run.code == 0, run.log
    assert {row[1] for row in saved(site).values()} == {SECOND}
    lines = [*before, *site.billed()]
    times = Counter((line["model"], one) for line in lines for one in line["records"])
    assert set(times.values()) == {1}
