"""Records without a text: nothing is sent or paid, and none of them is passed over in silence."""

from __future__ import annotations

import json

import pytest

import bulk_classifier
from common.claude.envelope import is_blank
from rigs.bills import COST
from rigs.harness import json_of
from rigs.own_jobs import Label, labels
from rigs.report_site import digested, events, night, report, requests_sent

DAY = "2026-11-21"
BLANK = [None, "", " ", "\n\t\r\n", "\u00a0", "\u200b", "\ufeff", "\0", b"", "\u2003\u200e "]
SAVED = "select record_id, label, reason from labels order by cast(record_id as integer)"
DELIVERIES = pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
NOTHING = Label(label="Other", reason="it says nothing")


def add(site, texts, first=100):
    site.events([(n, text, f"{DAY} 10:00:00") for n, text in enumerate(texts, first)])


@DELIVERIES
def test_records_without_a_text_are_told_of_and_not_paid_for(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    site.events(events(DAY, 20))
    add(site, BLANK)
    for requests in ("1", "0"):
        result = site.run(labels(), delivery)
        assert result.code == 0, result.log
        assert result.log.count("10 records have no text (100, 101, 102)") == 1
        assert result.summary["empty"] == "10" and result.summary["requests"] == requests
    assert digested(site) == [str(n) for n in range(1, 21)]
    assert len(site.saved(SAVED)) == 20


def test_a_text_that_comes_later_is_sent_then(claude):
    site = claude()
    site.events(events(DAY, 2))
    add(site, [None])
    site.run(labels())
    site.change("update events set content = 'Where is my parcel?' where id = 100")
    result = site.run(labels())
    assert result.code == 0 and "no text" not in result.log
    assert digested(site) == ["1", "2", "100"]


@DELIVERIES
def test_they_are_done_with_what_the_job_says_they_are_worth(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    site.events(events(DAY, 3))
    add(site, BLANK)
    result = site.run(labels(empty=NOTHING), delivery)
    assert result.code == 0, result.log
    assert result.summary["done"] == "13" and result.summary["records"] == "3"
    assert site.saved(SAVED)[3:] == [(str(n), "Other", NOTHING.reason) for n in range(100, 110)]
    assert digested(site) == ["1", "2", "3"]
    again = site.run(labels(empty=NOTHING), delivery)
    assert again.code == 0 and "nothing to do" in again.log
    assert site.saved("select distinct saved from labels") == [(1,)]


def test_a_text_is_worth_the_first_field_and_nothing_in_the_others(claude):
    site = claude()
    site.events(events(DAY, 3))
    add(site, ["", None])
    result = site.run(labels(empty="Other"))
    assert result.code == 0, result.log
    assert site.saved(SAVED)[3:] == [("100", "Other", ""), ("101", "Other", "")]


def test_save_is_told_that_no_model_said_it(claude):
    site = claude()
    add(site, [None])
    told = []

    def save(db, record, output, origin):
        told.append((record["record_id"], output, origin.model))

    assert site.run(labels(save=save, empty=NOTHING)).code == 0
    assert told == [("100", NOTHING, "")]
    cost = f"select {COST}, sum(input_tokens) from requests"
    assert site.ledger(cost, "labels") == [(0.0, 0.0, 0.0)]
    assert requests_sent(site) == 0


def test_a_record_without_a_text_that_save_fails_for_is_a_dead_letter_and_the_others_are_done(
    claude,
):
    site = claude()
    add(site, [None] * 5)

    def save(db, record, output):
        if record["record_id"] == "102":
            raise ValueError("no room for it")
        db.execute("insert into labels values (?, ?, ?, 1)", (record["record_id"], "Other", ""))

    result = site.run(labels(save=save, empty=NOTHING))
    assert result.code == 3, result.log
    assert [row[0] for row in site.saved(SAVED)] == ["100", "101", "103", "104"]
    dead = "select record_id from records where status = 'dead'"
    assert site.ledger(dead, "labels") == [("102",)]


def test_what_prepare_brings_along_is_a_text(claude):
    site = claude()
    add(site, ["", ""])

    def page(records):
        return [{**one, "page": "A parcel" if one["record_id"] == "100" else ""} for one in records]

    result = site.run(labels(prepare=page, elements=("page",), empty=NOTHING))
    assert result.code == 0, result.log
    assert digested(site) == ["100"]
    assert result.summary["empty"] == "1" and result.summary["done"] == "2"


@pytest.mark.parametrize("arguments", [(), ("--message-batch",)])
def test_where_no_record_ever_had_a_text_the_run_is_78(claude, arguments):
    site = claude(message_batch_seconds=0.0)
    add(site, BLANK)
    for _ in range(2):
        result = site.run(labels(), *arguments)
        assert result.code == 78, result.log
        assert "not one of 10 records has a text" in result.log and "show()" in result.log
    assert requests_sent(site) == 0


def test_a_dry_run_counts_them_and_does_not_price_them(claude):
    site = claude()
    site.events(events(DAY, 3))
    add(site, BLANK)
    figures = json_of(site.run(labels(), "--dry-run", "--json"))
    assert (figures["records"], figures["empty"]) == (3, 10)
    said = site.run(labels(), "--dry-run").stdout
    assert "without a text, about which nothing is sent: 10" in said


@DELIVERIES
def test_a_report_counts_them_and_is_written_without_waiting_for_them(claude, delivery):
    site = claude(message_batch_seconds=0.0)
    site.events(events(DAY, 3))
    add(site, BLANK)
    result = report(site, delivery)
    assert result.code == 0, result.log
    assert "10 records have no text" in result.log
    assert "**13 records**" in site.report(DAY)
    assert digested(site) == ["1", "2", "3"]
    again = report(site, delivery, today=night(22, hour=3))
    assert again.code == 0 and "nothing to do" in again.log


def test_the_bulk_classifier_labels_them_other_without_asking(claude):
    site = claude()
    site.events(events(DAY, 2))
    add(site, [None, "  "])
    result = site.run(bulk_classifier.JOB, "--live")
    assert result.code == 0, result.log
    said = "select record_id, label from event_labels where model = '' order by record_id"
    assert site.saved(said) == [("100", "other"), ("101", "other")]
    assert digested(site) == ["1", "2"]


@pytest.mark.parametrize("empty", ["other", {"label": "Other"}, 1, json])
def test_a_worth_that_is_no_output_is_78(site, empty):
    site.events(events(DAY, 1))
    result = site.run(labels(empty=empty))
    assert result.code == 78, result.log
    assert "empty=" in result.log and "Traceback" not in result.log


@pytest.mark.parametrize(
    "text", ["\u3164", "\u2800 \u2800", "\ufe0f", "\u115f\u1160", "\U000e0101"]
)
def test_letters_of_which_nothing_is_seen_are_no_text(claude, text):
    site = claude()
    add(site, [text, "\u2801"])
    result = site.run(labels())
    assert result.code == 0 and result.summary["empty"] == "1", result.log
    assert digested(site) == ["101"]


def test_whoever_writes_tags_has_written_something():
    assert is_blank('<record id="1" at="2026"> \n</record>')
    assert not is_blank('<record id="1">.</record>')
    assert not is_blank('<record id="1"><page>x</page></record>')


def test_rows_that_a_join_repeats_are_one_line_with_a_count(claude):
    site = claude()
    site.events(events(DAY, 60))
    twice = (
        "select a.id as record_id, a.content from events a join events b on b.id <= 3 order by a.id"
    )
    result = site.run(labels(select=twice))
    assert result.code == 0, result.log
    assert result.log.count("rows of the SELECT have a record_id that came before") == 1
    assert "120 rows of the SELECT have a record_id that came before, such as 1:" in result.log
    assert len(digested(site)) == 60


def test_what_could_not_be_saved_is_saved_by_the_next_run_as_the_job_said_then(claude):
    site = claude()
    add(site, [None] * 4)

    def nowhere(db, record, output):
        raise ValueError("nowhere to go")

    assert site.run(labels(save=nowhere, empty=NOTHING)).code == 78
    result = site.run(labels(empty=Label(label="Refund", reason="changed since")))
    assert result.code == 0, result.log
    assert site.saved(SAVED) == [(str(n), "Other", NOTHING.reason) for n in range(100, 104)]
    assert requests_sent(site) == 0
