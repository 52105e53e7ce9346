"""Second opinions that come later: saved by the next run, whatever has happened in between."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rigs.harness import Site
from rigs.message_batch_site import standin_db
from rigs.second_opinion_site import (
    FIRST,
    NAME,
    SECOND,
    STILL_PROCESSING,
    asked,
    billed_to_second,
    fill,
    go,
    ledger,
    opined,
    saved,
    statuses,
)

NOT_YET = "second opinions about 3 records are still processing: the next run saves them"


@pytest.fixture
def night(claude: Any, tmp_path: Path) -> Callable[..., Any]:
    """A first night, whose second opinions about three records are still processing at its end.

    The function it gives ends their message batch, and starts the stand-in anew.
    """
    site = claude(faults=[STILL_PROCESSING], state=tmp_path / "standin", message_batch_seconds=0)
    fill(site, doubtful=3)
    run = go(site)
    assert run.code == 0 and NOT_YET in run.log, run.log
    assert "second_opinions" not in run.summary
    assert {model for _, model, _ in saved(site).values()} == {FIRST}

    def over(*faults: dict[str, Any], **more: Any) -> Site:
        with standin_db(tmp_path / "standin") as db:
            db.execute("update message_batches set duration = 0")
        again: Site = claude(
            faults=faults, state=tmp_path / "standin", message_batch_seconds=0, **more
        )
        return again

    over.site = site  # type: ignore[attr-defined]
    return over


def of_second(site: Site) -> set[str]:
    return {one for one, (_, model, _) in saved(site).items() if model == SECOND}


def test_the_next_run_saves_them_also_when_nothing_else_waits(night):
    site = night()
    run = go(site)
    assert run.code == 0 and "nothing to do" not in run.log
    assert of_second(site) == {"d001", "d002", "d003"}
    assert run.summary["second_opinions"] == "3"
    assert (run.summary["records"], run.summary["done"], run.summary["usd"]) == ("0", "0", "0.0000")
    assert float(run.summary["second_opinion_usd"]) > 0
    assert [status for _, status, _ in asked(site)] == ["done"]
    assert "nothing to do" in go(site).log


def test_as_long_as_they_are_processing_runs_end_with_0_and_say_so(night):
    run = go(night.site)
    assert run.code == 0 and NOT_YET in run.log
    assert run.clock.waits == []


def test_a_run_that_was_told_how_long_waits_for_them(claude):
    site = claude(faults=[{**STILL_PROCESSING, "seconds": 0.2}])
    fill(site, doubtful=3)
    run = go(site, "--wait", "20h")
    assert run.code == 0 and run.summary["second_opinions"] == "3"


def test_term_while_it_waits_for_them_ends_with_75_and_the_next_run_saves_them(claude):
    site = claude(message_batch_seconds=0.3)
    fill(site, doubtful=3)

    def stop(number: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    run = go(site, "--wait", "20h", at_wait=stop)
    assert run.code == 75 and "second opinions: stopped by" in run.log
    assert len(saved(site)) == 3 and statuses(site)["", "done"] == 3
    assert go(site, "--wait", "20h").code == 0
    assert of_second(site) == {"d001", "d002", "d003"}
    assert billed_to_second(site) == ["d001", "d002", "d003"]


def test_they_are_asked_even_where_the_runs_own_message_batch_is_still_processing(claude):
    site = claude(faults=[STILL_PROCESSING], message_batch_seconds=0)
    fill(site, doubtful=12)
    run = go(site, "--message-batch", "--wait", "0")
    assert run.code == 75 and run.summary["done"] == "5"
    assert len(of_second(site)) == 5


def test_they_are_saved_even_where_the_runs_own_records_stop_at_a_cap(night):
    site = night()
    site.events([("d004", "My parcel is late, I want a refund.", "2026-11-20 08:00:00")])
    run = go(site, "--max-cost", "0.0000001")
    assert run.code == 4
    assert of_second(site) == {"d001", "d002", "d003"}


def test_what_was_paid_for_is_saved_though_the_prompt_was_edited_and_counts_as_older(night):
    site = night()
    edited = opined(instructions="Label each record with care.")
    run = go(site, job=edited)
    assert run.code == 0 and run.summary["second_opinions"] == "3"
    assert of_second(site) == {"d001", "d002", "d003"}
    older = opined().version(SECOND)
    versions = ledger(site, "select distinct version from records where job = 'opined'")
    assert versions == [(older,)]
    again = go(site, "--stale", job=edited)
    assert again.code == 0 and again.summary["records"] == "3"
    versions = ledger(site, "select distinct version from records where job = 'opined'")
    assert versions == [(edited.version(SECOND),)]


def test_what_was_paid_for_is_saved_though_the_job_asks_no_second_model_any_more(night):
    site = night()
    run = go(site, job=opined(second=""))
    assert run.code == 0 and of_second(site) == {"d001", "d002", "d003"}


def test_an_older_second_answer_does_not_replace_a_newer_first_one(night):
    edited = opined(instructions="Label each record with care.", second="")
    assert go(night.site, "--stale", "--limit", "2", job=edited).summary["records"] == "2"
    site = night()
    assert go(site, job=edited).code == 0
    assert of_second(site) == {"d001"}
    apart = f"{NAME}@{opined().version(SECOND)}"
    kept = ledger(site, f"select record_id from records where job = '{apart}' and status = 'done'")
    assert sorted(kept) == [("d001",), ("d002",), ("d003",)]


def test_what_waits_by_an_edited_version_is_not_asked(claude):
    site = claude(message_batch_seconds=0)
    fill(site, doubtful=3)
    # The cap lets the first answers through, and nothing of the second model's.
    assert go(site, "--max-cost", "0.004").code == 0
    assert statuses(site)[opined().version(SECOND), "waiting"] == 3
    run = go(site, job=opined(instructions="Label each record with care."))
    assert run.code == 0 and "nothing to do" in run.log
    assert billed_to_second(site) == []
    assert of_second(site) == set()
    assert go(site).code == 0
    assert billed_to_second(site) == ["d001", "d002", "d003"]


def test_what_a_person_has_corrected_meanwhile_stands(night):
    site = night()
    site.change_ledger(
        NAME,
        "update records set status = 'corrected' where job = 'opined' and record_id = 'd002'",
    )
    assert go(site).summary["second_opinions"] == "2"
    assert of_second(site) == {"d001", "d003"}
    stands = ledger(site, "select status from records where job = 'opined' and record_id = 'd002'")
    assert stands == [("corrected",)]


def test_a_prompt_that_is_as_it_was_before_costs_nothing_again(claude):
    site = claude(message_batch_seconds=0)
    fill(site, doubtful=3)
    go(site)
    site.change_ledger(
        NAME, "update requests set created_at = '2026-11-01T00:00:00Z' where purpose = 'run'"
    )
    edited = opined(instructions="Label each record with care.")
    assert go(site, "--stale", job=edited).summary["second_opinions"] == "3"
    before = len(site.billed())
    run = go(site, "--stale")
    assert run.code == 0 and run.summary["second_opinions"] == "3"
    assert len(site.billed()) == before
    assert of_second(site) == {"d001", "d002", "d003"}
    versions = ledger(site, "select distinct version from records where job = 'opined'")
    assert versions == [(opined().version(SECOND),)]


def test_records_that_are_asked_again_get_a_new_second_opinion(claude):
    site = claude(message_batch_seconds=0)
    fill(site, doubtful=3)
    go(site)
    run = go(site, "--reprocess")
    assert run.code == 0 and run.summary["records"] == "3"
    assert billed_to_second(site) == sorted(["d001", "d002", "d003"] * 2)
    assert of_second(site) == {"d001", "d002", "d003"}
    assert statuses(site)["", "done"] == 3


def test_records_deleted_meanwhile_are_not_asked_nor_looked_for_again(claude):
    site = claude(message_batch_seconds=0)
    fill(site, doubtful=3)
    assert go(site, "--max-cost", "0.004").code == 0
    site.change("delete from events where id = 'd002'")
    run = go(site)
    assert run.code == 0 and "1 record not in the SELECT any more" in run.log
    assert of_second(site) == {"d001", "d003"}
    assert "SELECT" not in go(site).log


def test_answers_about_deleted_records_are_kept(night):
    site = night()
    site.change("delete from events where id = 'd002'")
    assert go(site).code == 0
    assert of_second(site) == {"d001", "d003"}
    answers = ledger(
        site,
        "select answer is not null from requests where purpose = 'second opinion'",
    )
    assert [bool(one) for (one,) in answers] == [True]
    assert "nothing to do" in go(site).log


def test_a_window_of_the_run_does_not_keep_them_out(claude):
    site = claude(message_batch_seconds=0)
    fill(site, doubtful=3)
    windowed = opined(
        select="select id as record_id, content, created_at from events"
        " where within(created_at, :start, :end) order by id"
    )
    assert go(site, "--max-cost", "0.004", job=windowed).code == 0
    assert go(site, "--since", "2026-11-21", job=windowed).code == 0
    assert of_second(site) == {"d001", "d002", "d003"}


def test_what_an_evaluation_has_asked_that_model_is_used_and_not_paid_again(claude, tmp_path):
    site = claude(message_batch_seconds=0)
    fill(site, doubtful=3)
    labels = tmp_path / "labels.csv"
    labels.write_text("record_id,label\nd001,Parcel\nd002,Other\n", encoding="utf-8")
    assert go(site, "--eval", str(labels), "--model", SECOND).code == 0
    assert billed_to_second(site) == ["d001", "d002"]
    run = go(site)
    assert run.code == 0 and run.summary["second_opinions"] == "3"
    assert billed_to_second(site) == ["d001", "d002", "d003"]
    assert of_second(site) == {"d001", "d002", "d003"}


def test_what_an_evaluation_asks_about_records_that_wait_is_saved_by_the_next_run(claude, tmp_path):
    site = claude(message_batch_seconds=0)
    fill(site, doubtful=3)
    assert go(site, "--max-cost", "0.004").code == 0  # all three wait for the second model
    labels = tmp_path / "labels.csv"
    labels.write_text("record_id,label\nd001,Parcel\nd002,Other\n", encoding="utf-8")
    assert go(site, "--eval", str(labels), "--model", SECOND).code == 0
    assert of_second(site) == set()
    assert go(site).code == 0
    assert of_second(site) == {"d001", "d002", "d003"}
    assert billed_to_second(site) == ["d001", "d002", "d003"]
    assert "nothing to do" in go(site).log
