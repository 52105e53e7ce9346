"""What status, prune, move_ledger and --after make of real runs of --try and --eval."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest

from ops import move_ledger, prune, status
from rigs.bills import usd_of
from rigs.harness import Site
from rigs.own_jobs import labels
from rigs.record_jobs import events, run
from rigs.status_site import ago


@pytest.fixture
def here(claude):
    """A site with forty events, whose job has run about ten of them."""
    site = claude(message_batch_seconds=0.0)
    events(site)
    (site.root / "jobs").mkdir()
    for name in ("labels", "other"):
        (site.root / f"jobs/{name}.py").write_text('"""A job."""\n')
    (site.root / "expected.csv").write_text("record_id,label\n30,Other\n31,Other\n32,Other\n")
    assert run(site, labels(), "--limit", "10").code == 0
    return site


def job_status(site: Site, **environ: str) -> dict[str, Any]:
    said = StringIO()
    with redirect_stdout(said):
        settings = site.databases.settings() | environ
        assert status.main(["labels", "--json"], site.root, settings) == 0
    found: dict[str, Any] = json.loads(said.getvalue())["jobs"][0]
    return found


def asked(site: Site) -> int:
    return len(site.billed())


def evaluate(site: Site, *arguments: str, **environ: Any) -> int:
    file = str(site.root / "expected.csv")
    return site.run(labels(), "--eval", file, *arguments, **environ).code


def test_they_change_nothing_about_the_job_but_its_costs(here):
    before = job_status(here)
    assert run(here, labels(), "--try", "4").code == 0
    assert evaluate(here, "--min-accuracy", "1") in (0, 3)
    found = job_status(here)
    for name in ("records", "state", "last_run", "last_success", "versions", "runs"):
        assert found[name] == before[name], name
    costs = {one["purpose"]: one["requests"] for one in found["cost"]["purposes"]}
    assert costs == {"try": 1, "eval": 1}
    assert found["cost"]["today"] == pytest.approx(usd_of(here.billed()))


def test_a_try_is_no_success_that_another_job_waits_for(here):
    assert run(here, labels("other"), "--after", "labels").code == 0
    for job, hours in (("labels", 2), ("other", 1)):
        at = ago(hours=hours)
        here.change_ledger(job, f"update runs set started_at = '{at}', ended_at = '{at}'")
    assert run(here, labels(), "--try", "2").code == 0
    assert run(here, labels("other"), "--after", "labels").code == 75
    assert run(here, labels()).code == 0
    assert run(here, labels("other"), "--after", "labels").code == 0


def test_a_message_batch_of_an_evaluation_is_shown_until_it_is_collected(here, claude):
    site = claude(message_batch_seconds=3600.0)
    (site.root / "expected.csv").write_text(
        "record_id,label\n" + "".join(f"{n},Other\n" for n in range(11, 40))
    )
    assert evaluate(site, "--message-batch", "--wait", "0", "--chunk-size", "5") == 75
    (found,) = job_status(site)["message_batches"]
    assert (found["purpose"], found["status"]) == ("eval", "submitted")
    assert job_status(site)["records"]["waiting"] == 0


def test_an_evaluation_that_was_pruned_is_asked_again_and_is_whole(here):
    assert evaluate(here) == 0
    before = asked(here)
    assert evaluate(here) == 0
    assert asked(here) == before
    for table, column in (("requests", "created_at"), ("records", "updated_at")):
        here.change_ledger("labels", f"update {table} set {column} = '2020-01-01T00:00:00Z'")
    assert prune.main(["--older-than", "90d"], here.root, here.databases.settings()) == 0
    result = here.run(labels(), "--eval", str(here.root / "expected.csv"), "--json")
    assert result.code == 0, result.log
    assert json.loads(result.stdout)["n"] == 3
    assert asked(here) == before + 1
    assert run(here, labels()).code == 0


@pytest.mark.sqlite("files that are moved")
def test_an_evaluation_is_taken_along_to_another_database(here, postgres):
    assert evaluate(here) == 0
    assert run(here, labels(), "--try", "2").code == 0
    before = asked(here)
    assert move_ledger.main(["labels"], here.root, {"LEDGER_DB": postgres}) == 0
    assert evaluate(here, LEDGER_DB=postgres) == 0
    assert asked(here) == before
    purposes = job_status(here, LEDGER_DB=postgres)["cost"]["purposes"]
    assert {one["purpose"] for one in purposes} == {"try", "eval"}
