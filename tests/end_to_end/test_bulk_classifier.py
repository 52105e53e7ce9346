"""The classifier: what a row of event_labels holds, and what is checked before it does."""

from __future__ import annotations

import re
import sqlite3
from typing import get_args

import pytest
from pydantic import ValidationError

import bulk_classifier
from bulk_classifier import LABELS, Labelled
from rigs.installation import Installation
from rigs.record_jobs import DELIVERIES, demo, events, run

JOB = bulk_classifier.JOB


@DELIVERIES
def test_a_row_says_which_label_how_sure_why_and_who_says_so(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    events(site)
    assert run(site, JOB, delivery).code == 0
    columns = "record_id, label, confidence, explanation, model, run_id, labelled_at"
    found = {row[0]: row for row in site.saved(f"select {columns} from event_labels")}
    ran = site.ledger("select run_id, record_ids from requests", JOB.name)
    (run_id,) = {run_id for run_id, _ in ran}
    assert len(found) == 40
    for record_id, label, confidence, explanation, model, by, labelled_at in found.values():
        assert record_id.isdecimal() and label in LABELS and explanation
        assert 0 <= confidence <= 1
        assert (model, by) == ("claude-haiku-5-5", run_id)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", labelled_at)
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
    theirs = "select name, sql from sqlite_master where tbl_name <> 'event_labels'"
    before = site.saved("select * from events"), site.saved(theirs)
    assert run(site, JOB).code == 0
    assert (site.saved("select * from events"), site.saved(theirs)) == before


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


@pytest.mark.parametrize("confidence", [-0.1, 1.1, 95, float("nan"), None])
def test_a_confidence_outside_its_range_is_not_saved(confidence):
    with pytest.raises(ValidationError):
        Labelled(label="refund", confidence=confidence, explanation="")


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
    assert (site.root / "state/pots.db").exists(), "a copy has a ledger of its own"


def test_a_demo_labels_the_samples_without_a_key(site):
    log = demo(site, JOB)
    assert all(" demo: " in line for line in log.splitlines())
    db = sqlite3.connect(site.root / "state/demo/records.db")
    labels = dict(db.execute("select label, count(*) from event_labels group by 1"))
    db.close()
    assert sum(labels.values()) > 300 and len(labels) > 8, labels
