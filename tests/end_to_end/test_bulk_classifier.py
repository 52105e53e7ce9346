"""The classifier: what a row of event_labels holds, and what is checked before it does."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from typing import get_args

import pytest
from pydantic import ValidationError

import bulk_classifier
from bulk_classifier import LABELS, Labelled
from rigs.installation import Installation
from rigs.own_jobs import locked_save
from rigs.record_jobs import DELIVERIES, demo, events, run

JOB = bulk_classifier.JOB


@DELIVERIES
def test_a_row_says_which_label_which_other_one_why_and_who_says_so(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    events(site)
    assert run(site, JOB, delivery).code == 0
    columns = "record_id, label, runner_up, explanation, model, run_id, labelled_at"
    found = {row[0]: row for row in site.saved(f"select {columns} from event_labels")}
    ran = site.ledger("select run_id, record_ids from requests", JOB.name)
    (run_id,) = {run_id for run_id, _ in ran}
    assert len(found) == 40
    for record_id, label, runner_up, explanation, model, by, labelled_at in found.values():
        assert record_id.isdecimal() and label in LABELS and explanation
        assert runner_up in {*LABELS, ""} - {label}
        assert (model, by) == ("claude-haiku-5-5", run_id)
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", labelled_at)
    assert [found[n][1] for n in ("4", "2", "3")] == ["delivery", "praise", "account"]


def test_answers_of_a_message_batch_name_the_run_that_asked_not_the_one_that_collected(claude):
    site = claude(message_batch_seconds=0.0, faults=[{"kind": "stay_in_progress", "seconds": 1.0}])
    events(site)
    asked = run(site, JOB, "--wait", "0s")
    assert asked.code == 75, asked.log
    while (collected := run(site, JOB)).code == 75:
        pass
    assert collected.code == 0, collected.log
    assert asked.summary["run"] != collected.summary["run"]
    assert site.saved("select distinct run_id from event_labels") == [(asked.summary["run"],)]


def test_the_users_tables_stay_as_they_are(claude):
    site = claude(message_batch_seconds=0.0)
    events(site)
    before = site.saved("select * from events"), site.databases.tables()
    assert run(site, JOB).code == 0
    tables = site.databases.tables()
    assert tables.pop("event_labels")
    assert (site.saved("select * from events"), tables) == before


def test_the_message_batch_is_its_delivery_when_nothing_else_is_said(claude):
    site = claude(message_batch_seconds=0.0)
    events(site)
    assert run(site, JOB).code == 0
    deliveries = dict(site.ledger("select delivery, count(*) from requests group by 1", JOB.name))
    assert deliveries == {"live": 1, "message_batch": 7}, "the first chunk goes live"


def test_its_labels_are_those_of_the_dictionary_at_the_top():
    assert get_args(Labelled.model_fields["label"].annotation) == tuple(LABELS)
    assert JOB.schema["properties"]["results"]["items"]["properties"]["label"]["enum"] == list(
        LABELS
    )
    for label, meaning in LABELS.items():
        assert f"- {label}: {meaning}" in JOB.instructions


@pytest.mark.parametrize("runner_up", ["parcel", None, 0.95, ["refund"]])
def test_a_runner_up_that_is_no_label_is_not_saved(runner_up):
    with pytest.raises(ValidationError):
        Labelled(label="refund", runner_up=runner_up, explanation="")


def test_a_table_with_a_confidence_from_before_gets_the_line_that_mends_it(claude):
    site = claude(message_batch_seconds=0.0)
    events(site)
    site.change(
        "create table event_labels (record_id text primary key, label text, confidence real,"
        " explanation text, model text, run_id text, labelled_at text)"
    )
    result = run(site, JOB)
    assert result.code == 78, result.log
    mend = "alter table event_labels add column runner_up TEXT"
    assert f"is from before: run `{mend}`" in result.log
    assert not site.billed(), "nothing was paid for"
    site.change(mend)
    assert run(site, JOB).code == 0
    assert site.saved("select count(*), count(runner_up), count(confidence) from event_labels") == [
        (40, 40, 0)
    ]


def test_an_answer_from_before_that_waits_is_saved_without_a_runner_up(claude):
    site = claude(message_batch_seconds=0.0)
    events(site, 1)
    before = replace(JOB, save=locked_save, delivery="live")
    assert run(site, before).code == 69
    site.change_ledger(
        JOB.name,
        "update requests set answer = replace(answer, 'runner_up', 'confidence')"
        " where status = 'answered'",
    )
    paid = len(site.billed())
    assert run(site, JOB).code == 0
    assert site.saved("select count(*), max(runner_up) from event_labels") == [(1, "")]
    assert len(site.billed()) == paid, "what was paid for was saved, and not asked again"


def test_labels_that_its_user_edited_are_asked_for_and_saved(claude):
    site = claude(message_batch_seconds=0.0)
    events(site)
    installation = Installation(site)
    script = installation.root / "jobs/bulk_classifier.py"
    text = script.read_text()
    edited = re.sub(
        r"LABELS = \{.*?\n\}",
        'LABELS = {"teapot": "pots", "Mug": "mugs", "rest": "else"}',
        text,
        flags=re.DOTALL,
    )
    copy = script.with_name("pots.py")
    copy.write_text(edited)
    ended = installation.run("--live", script=copy)
    assert ended.returncode == 0, ended.stderr
    found = dict(site.saved("select label, count(*) from event_labels group by 1"))
    assert found == {"teapot": 10, "Mug": 10, "rest": 20}
    ran = site.ledger("select done from runs", "pots")
    assert ran == [(40,)], "a copy has a ledger of its own"


@pytest.mark.sqlite("a demo has files of its own")
def test_a_demo_labels_the_samples_without_a_key(site):
    log = demo(site, JOB)
    assert all(" demo: " in line for line in log.splitlines())
    db = sqlite3.connect(site.root / "state/demo/_records.db")
    labels = dict(db.execute("select label, count(*) from event_labels group by 1"))
    db.close()
    assert sum(labels.values()) > 300 and len(labels) > 8, labels
