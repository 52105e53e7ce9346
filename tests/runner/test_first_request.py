"""--dry-run --show: the first request, and what only shows when it is really made."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

import bulk_classifier
import daily_report
from common import Job
from common.claude import api
from common.delivery import live
from rigs.harness import Site, json_of
from rigs.installation import snapshot
from rigs.own_jobs import labels
from rigs.record_jobs import JOBS, events, run

NOBODY = {"ANTHROPIC_API_KEY": ""}
LONG = "Label each record. " + "Mind every word of it. " * 200


def first(site: Site, job: Job, *arguments: str, **environ: Any) -> dict[str, Any]:
    options = ("--dry-run", "--show", "--json", "--chunk-size", "5")
    result = site.run(job, *options, *arguments, **environ)
    assert result.code == 0, result.log
    found: dict[str, Any] = json_of(result)["first_request"]
    return found


@pytest.fixture
def sent(monkeypatch):
    """The bodies of the messages that are sent live."""
    bodies: list[dict[str, Any]] = []
    real = api.post

    def noted(client, body):
        bodies.append(json.loads(body))
        return real(client, body)

    monkeypatch.setattr(live, "post", noted)
    return bodies


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
@pytest.mark.parametrize("instructions", ["Label each record.", LONG], ids=["short", "cached"])
@pytest.mark.parametrize("model", ["claude-haiku-5-5", "claude-opus-5-5"])
def test_it_is_what_a_run_then_sends_first(claude, sent, delivery, instructions, model):
    site = claude(message_batch_seconds=0.0)
    events(site, 23)
    job = replace(labels(), instructions=instructions)
    shown = first(site, job, delivery, "--model", model)
    assert sent == [] and site.billed() == []
    assert run(site, job, delivery, "--model", model).code == 0
    assert shown["params"] == sent[0]
    assert shown["record_ids"] == [str(n) for n in range(1, 6)]
    assert (shown["status"], shown["note"]) == ("", "")


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
@pytest.mark.parametrize("state", ["failed", "suspects", "alone suspected"])
def test_after_a_night_that_went_wrong_it_is_still_what_is_sent_first(
    claude, sent, delivery, state
):
    site = claude(message_batch_seconds=0.0)
    events(site, 23)
    site.run(labels(), "--limit", "23", "--chunk-size", "5")
    ids = "('3')" if state == "alone suspected" else "('3', '4', '8', '9', '10')"
    crashes = {"failed": 0, "suspects": 1, "alone suspected": 3}[state]
    site.change_ledger(
        "labels",
        "update records set status = case when record_id in "
        f"{ids} then 'failed' else 'waiting' end, failures = 1,"
        f" error = case when record_id in {ids} then 'cut off' end,"
        f" crashes = case when record_id in {ids} then {crashes} else 0 end",
    )
    sent.clear()
    shown = first(site, labels(), delivery)
    assert run(site, labels(), delivery).code == 0
    assert shown["params"] == sent[0]


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
@pytest.mark.parametrize(
    "options", [["--stale"], ["--stale", "--limit", "7"], ["--reprocess"], ["--limit", "2"]]
)
def test_whatever_a_run_is_told_to_take_up_is_what_is_shown(claude, sent, delivery, options):
    site = claude(message_batch_seconds=0.0)
    events(site, 12)
    site.run(labels(), "--limit", "9")
    edited = replace(labels(), instructions="Label each message.")
    sent.clear()
    shown = first(site, edited, delivery, *options)
    assert run(site, edited, delivery, *options).code == 0
    assert shown["params"] == sent[0] and shown["status"] == ""


def test_a_reports_first_request_is_its_first_digest(claude, sent):
    site = claude()
    events(site, 12)
    window = ("--date", "2026-11-20")
    shown = first(site, daily_report.JOB, *window)
    assert site.run(daily_report.JOB, *window, "--chunk-size", "5").code == 0
    assert shown["params"] == sent[0]


def test_a_person_reads_all_of_it_before_the_estimate(claude):
    site = claude()
    events(site, 12, e2="x" * 30_000 + " the end")
    before = snapshot(site.root)
    result = run(site, bulk_classifier.JOB, "--dry-run", "--show")
    assert (result.code, result.log, snapshot(site.root)) == (0, "", before)
    said = result.stdout
    assert said.startswith("The first request, as it would travel (chunk 1/3, 5 records, ")
    for part in (
        "model        claude-haiku-5-5", "max_tokens", 'thinking     {"type": "disabled"}',
        "--- system prompt ---\nYou label what a small company", "--- user message ---\n<records>",
        "x" * 30_000 + " the end</record>", "--- schema of the answer ---\n{",
        '"explanation"', "--- end of the request ---\nbulk_classifier with claude-haiku-5-5",
        "Nothing was sent, nothing was changed.",
    ):  # fmt: skip
        assert part in said, part
    assert "The first request" not in run(site, bulk_classifier.JOB, "--dry-run").stdout


def test_a_person_reads_whose_aliases_stand_in_it(claude):
    site = claude()
    uuids = [f"4f9c2b1e-7c1d-4a55-9d0a-6f2b8a1c3d0{n}" for n in range(3)]
    site.events([(one, "Where is it?", "2026-11-20 10:00:00") for one in ["1", *uuids, "9"]])
    said = run(site, bulk_classifier.JOB, "--dry-run", "--show").stdout
    assert f"\n  r2 is {uuids[0]} … r4 is {uuids[2]}.\n" in said
    assert '<record id="1">' in said and '<record id="r4">' in said
    plain = run(site, bulk_classifier.JOB, "--dry-run", "--show", "--limit", "1").stdout
    assert "alias" not in plain


@JOBS
def test_without_a_key_it_is_made_with_what_holds_for_any_model_and_says_so(site, job):
    events(site, 12)
    shown = first(site, job, **NOBODY)
    assert "ANTHROPIC_API_KEY is not set" in shown["note"]
    assert shown["params"]["model"] == "claude-haiku-5-5" and "thinking" not in shown["params"]
    said = site.run(job, "--dry-run", "--show", **NOBODY).stdout
    assert "What claude-haiku-5-5 takes is not known (ANTHROPIC_API_KEY is not set" in said
    assert not (site.root / "state").exists()


def test_a_model_is_asked_about_once(claude):
    site = claude(faults=[{"kind": "500", "path": "/v1/models/{id}", "method": "GET"}])
    events(site, 12)
    assert first(site, labels())["note"]
    assert site.standin.counts["requests"] == {"/v1/models/{id}": 1}


def test_where_nothing_waits_a_record_that_is_done_is_shown(claude):
    site = claude()
    events(site, 12)
    assert run(site, labels()).code == 0
    shown = first(site, labels())
    assert (shown["record_ids"], shown["status"]) == (["1"], "done")
    assert "Nothing waits: it is about record 1, which is done." in run(
        site, labels(), "--dry-run", "--show"
    ).stdout  # fmt: skip


def test_where_no_report_waits_the_last_day_is_shown(claude):
    site = claude()
    events(site, 12)
    site.run(daily_report.JOB, "--date", "2026-11-20")
    shown = first(site, daily_report.JOB, "--date", "2026-11-20")
    assert (shown["record_ids"], shown["status"]) == (["1"], "done")


def test_without_any_record_there_is_no_request(claude):
    site = claude()
    site.events([])
    assert first(site, labels()) is None
    assert run(site, labels(), "--dry-run", "--show").code == 0


def test_prepare_is_called_for_its_records_alone_and_note_never(claude):
    site = claude()
    events(site, 40)
    asked: list[str] = []

    def prepare(records):
        asked.extend(record["record_id"] for record in records)
        return [{**record, "page": "what stands there"} for record in records]

    def note(db, record):
        raise AssertionError("nothing is written")

    job = labels(prepare=prepare, note=note, show=lambda record: record.get("page", "?"))
    shown = first(site, job)
    assert shown["params"]["messages"][0]["content"].count("what stands there") == 5
    assert len(asked) <= 16


def test_a_record_that_cannot_be_prepared_is_told_of_and_left_out(claude):
    site = claude()
    events(site, 4)

    def prepare(records):
        if any(record["record_id"] == "2" for record in records):
            raise ValueError("no such page")
        return records

    job = labels(prepare=prepare)
    assert first(site, job)["record_ids"] == ["1", "3", "4"]
    log = run(site, job, "--dry-run", "--show").log
    assert "record 2 would be a dead letter: prepare() raised ValueError: no such page" in log
    assert site.run(job, "--dry-run").log == ""


def test_a_show_that_gives_none_ends_it_with_the_words_of_a_run(claude):
    site = claude()
    events(site, 12)
    result = run(site, labels(show=lambda record: None), "--dry-run", "--show")
    assert result.code == 78
    assert "show() gave None instead of text for record 3" in result.log


def test_two_records_that_cannot_be_shown_are_not_taken_for_three(claude):
    site = claude()
    events(site, 2)
    result = run(site, labels(show=lambda record: None), "--dry-run", "--show")
    assert result.code == 0, result.log
    assert result.log.count("would be a dead letter: show() gave None") == 2


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
@pytest.mark.parametrize("status", ["400", "422"])
def test_a_refused_schema_is_found_by_counting_its_tokens(claude, delivery, status):
    message = "output_config.format.schema: Schema is too complex for compilation."
    fault = {"kind": status, "message": message, "path": "/v1/messages/count_tokens"}
    site = claude(faults=[fault])
    events(site, 12)
    result = run(site, labels(), "--dry-run", delivery)
    assert result.code == 78
    assert message in result.log and "mend jobs/labels.py" in result.log
    assert site.billed() == []


class Id(BaseModel):
    id: str


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"output": Id}, "Id.id is taken"),
        ({"output": dict}, "is no pydantic model"),
        ({"delivery": "batch"}, "did you mean message_batch?"),
        ({"attributes": ("nowhere",)}, "the SELECT gives no nowhere"),
        ({"selct": "select 1"}, "Job(selct=…) does not exist: did you mean select?"),
    ],
)
@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
def test_a_wrong_definition_is_named_before_anything_is_shown(claude, changes, why, delivery):
    site = claude()
    events(site, 12)
    result = run(site, replace(labels(), **changes), "--dry-run", "--show", delivery)
    assert (result.code, result.stdout) == (78, "")
    assert why in result.log
    assert site.standin.counts["requests"] == {}


@pytest.mark.parametrize("mark", ["\x1b[31m", "\r", "\x07", "\u202e", "\u2066"])
def test_what_a_terminal_would_obey_is_made_visible(claude, mark):
    site = claude()
    events(site, 1, e1=f"red {mark} or not\nand a second line")
    said = run(site, labels(), "--dry-run", "--show").stdout
    assert mark not in said
    assert mark.encode("unicode_escape").decode() in said and "or not\nand a second line" in said
    # What travels is what is there.
    assert mark in first(site, labels())["params"]["messages"][0]["content"]


def test_half_an_emoji_is_shown_as_it_travels(claude):
    site = claude()
    events(site, 1)
    job = labels(show=lambda record: "a parcel \ud83d")
    result = run(site, replace(job, instructions="Label \ud83d it."), "--dry-run", "--show")
    assert result.code == 0, result.log
    assert "Label ? it." in result.stdout and "a parcel ?" in result.stdout


def test_answers_that_a_try_has_brought_are_told_of(claude):
    site = claude()
    events(site, 12)
    job = labels()
    assert run(site, job, "--limit", "3").code == 0
    site.change_ledger(
        "labels", "update records set job = ?", f"labels@{job.version('claude-haiku-5-5')}"
    )
    found = json_of(run(site, job, "--dry-run", "--json"))
    assert (found["records"], found["kept"]) == (9, 3)
    said = run(site, job, "--dry-run").stdout
    assert "Records that --try or --eval has answered, not paid for again: 3." in said
