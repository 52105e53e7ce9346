"""An evaluation by message batch that nobody comes back to: what it paid for is collected."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from rigs.evaluation_site import NAME, SONNET, STAYS, evaluate, fill, labels_file, measured
from rigs.message_batch_site import standin_db

UNDER_WAY = "select count(*) from requests where status = 'submitted'"


@pytest.fixture
def over_night(claude, tmp_path):
    """A site with an evaluation that is still processing; and the same when that has ended."""
    folder = tmp_path / "standin"
    site = claude(state=folder, faults=[STAYS])
    path = labels_file(site, fill(site, 60))

    before: list[dict[str, Any]] = []  # what was billed by the first of the two stand-ins

    def evaluated(*arguments: str) -> tuple[Any, str]:
        assert evaluate(site, path, "--message-batch", "--wait", "0s", *arguments).code == 75
        assert site.ledger(UNDER_WAY, NAME)[0][0]
        before.extend(site.billed())
        with standin_db(folder) as db:
            db.execute("update message_batches set duration = 0")
        return claude(state=folder, message_batch_seconds=0), path

    return before, evaluated


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
def test_the_next_run_of_that_version_collects_it_and_pays_for_none_of_it_again(
    over_night, delivery
):
    before, evaluated = over_night
    site, _ = evaluated()
    result = site.run(measured(), delivery)
    assert result.code == 0, result.log
    assert "answered by --try or --eval before: nothing is paid again" in result.log
    assert site.saved("select count(*) from answers") == [(60,)]
    assert site.ledger(UNDER_WAY, NAME) == [(0,)]
    lines = [*before, *site.billed()]
    times = Counter(record for line in lines for record in line["records"])
    assert set(times.values()) == {1} and len(times) == 60


def test_a_run_of_another_version_collects_it_for_the_evaluation_that_comes_later(over_night):
    _, evaluated = over_night
    site, path = evaluated("--model", SONNET)
    edited = measured(instructions="Label each message well.")
    assert site.run(edited, "--live").code == 0
    assert site.ledger(UNDER_WAY, NAME) == [(0,)]
    paid = len(site.billed())
    assert evaluate(site, path, "--model", SONNET).code == 0
    assert len(site.billed()) == paid
