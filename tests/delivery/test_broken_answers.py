"""A 200 that is no message is nobody's fault.

A stored answer that cannot be read is its record's.
"""

from __future__ import annotations

import pytest

import daily_report
from rigs.message_batch_site import fill, go
from rigs.own_jobs import labels
from rigs.report_site import digested, events, report, requests_sent
from standin.fault_kinds import MESSAGE_BATCHES

DAY = "2026-11-21"
COUNTED = "select status, count(*) from records group by 1"
SAVED = "select record_id from labels order by cast(record_id as integer)"
BROKEN = [
    {"content": "a string, as other APIs have it"},
    {"content": [None]},
    {"content": ["text"]},
    {"content": None},
    {"content": {"type": "text", "text": "{}"}},
    {"content": [{"type": "text", "text": None}]},
    {"content": [{"type": "text"}]},
    {"content": [{"type": "text", "text": {"results": []}}]},
    {"stop_details": "none"},
    {"stop_details": [1]},
    {"stop_reason": {"type": "end_turn"}},
    {"type": "completion"},
]
UNREADABLE = [
    "not JSON",
    "",
    "[]",
    '"message"',
    "5",
    5,
    b"\xff\xfe\x00",
    "[" * 100_000,
    '{"type": "message"}',
    '{"type": "message", "content": "words", "stop_reason": "end_turn"}',
    '{"type": "message", "content": [null], "stop_reason": "end_turn"}',
    '{"type": "message", "content": [], "stop_reason": "refusal", "stop_details": "words"}',
    '{"type": "message", "content": [], "stop_reason": ["end_turn"], "usage": null}',
    '{"type": "message", "content": [], "stop_reason": 1' + "0" * 5000 + "}",
]


def nowhere(db, record, output):
    raise RuntimeError("no place for it")


def changed(fields, **rule):
    return {"kind": "changed", "fields": fields, **rule}


@pytest.mark.parametrize("fields", BROKEN, ids=str)
def test_a_200_that_is_no_message_is_sent_again(claude, fields):
    site = claude(faults=[changed(fields, times=1)])
    site.events(events(DAY, 3))
    result = site.run(labels())
    assert result.code == 0, result.log
    assert site.saved(SAVED) == [("1",), ("2",), ("3",)]
    assert "an answer that is not a message" in result.log
    assert result.summary["attempts"] == "2"


@pytest.mark.parametrize("fields", BROKEN[:2], ids=str)
def test_where_every_200_is_broken_the_run_ends_with_69_and_the_records_wait(claude, fields):
    site = claude(faults=[changed(fields)])
    site.events(events(DAY, 3))
    result = site.run(labels())
    assert result.code == 69, result.log
    assert "Traceback" not in result.log
    assert len(site.billed()) == 5  # each was paid for, so it is not asked for all the time
    assert site.ledger(COUNTED, "labels") == [("waiting", 3)]
    assert claude().run(labels()).code == 0


@pytest.mark.parametrize("answer", UNREADABLE, ids=lambda answer: str(answer)[:60])
def test_a_stored_answer_that_cannot_be_read_is_asked_again(claude, answer):
    site = claude()
    site.events(events(DAY, 3))
    site.run(labels(save=nowhere))
    overwrite(site, "labels", answer)
    result = site.run(labels())
    assert result.code == 0, result.log
    assert "Traceback" not in result.log
    assert site.saved(SAVED) == [("1",), ("2",), ("3",)]


@pytest.mark.parametrize("answer", UNREADABLE[:1] + UNREADABLE[-2:], ids=lambda text: text[:60])
def test_a_report_whose_digest_cannot_be_read_any_more_is_not_written_without_it(claude, answer):
    site = claude()
    site.events(events(DAY, 3))
    assert report(site, "--date", DAY).code == 0
    before = site.report(DAY)
    overwrite(site, daily_report.JOB.name, answer)
    site.events(events(DAY, 1, first=4))  # the report is written again for it
    result = report(site, "--date", DAY)
    assert result.code == 3, result.log
    assert "pruned or cannot be read" in result.log and "Traceback" not in result.log
    assert site.report(DAY) == before


@pytest.mark.parametrize("fields", BROKEN, ids=str)
def test_a_result_of_a_message_batch_that_is_no_message_is_sent_again(claude, fields):
    site = claude(
        faults=[changed(fields, path=MESSAGE_BATCHES, times=1)], message_batch_seconds=0.0
    )
    fill(site, 4)
    result = go(site)
    assert result.code == 0, result.log
    assert site.ledger(COUNTED, "labels") == [("done", 20)]
    assert len(digested(site)) == 25  # the broken one was paid for, and asked once more


def test_where_every_result_is_broken_the_run_ends_with_69_and_blames_no_record(claude):
    site = claude(
        faults=[changed({"content": "x"}, path=MESSAGE_BATCHES)], message_batch_seconds=0.0
    )
    fill(site, 14)
    result = go(site)
    assert result.code == 69, result.log
    counted = "select count(*) from records where status in ('failed', 'dead')"
    assert site.ledger(counted, "labels") == [(0,)]
    assert requests_sent(site) == 1


def overwrite(site, job, answer):
    site.change_ledger(job, "update requests set answer = cast(? as text)", answer)
