"""Looks wrong, from the records of a night to the lines that tell of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import count
from typing import Any

import bulk_classifier
from common import Job
from common.ledger.states import A_PERSON
from rigs.harness import Result, Site, json_of
from rigs.message_batch_site import standin_db

JOB = bulk_classifier.JOB
_ids = count(1)

_USUAL = ("a refund, please ({n})", "thanks and praise ({n})", "an outage today ({n})")
_SHIFTED = ("where is my delivery? ({n})",)


def night(
    site: Site, texts: tuple[str, ...] = _USUAL, records: int = 60, *more: str, job: Job = JOB
) -> Result:
    """A run about so many new records, whose labels follow their texts."""
    numbers = [next(_ids) for _ in range(records)]
    site.events((n, texts[n % len(texts)].format(n=n), "2026-11-20 08:00:00") for n in numbers)
    return site.run(job, "--live", *more)


def lines(result: Result) -> list[str]:
    """What the log says looks wrong."""
    return re.findall(r"WARN  \[\S+\] looks wrong: (.*)", result.log)


def kept(site: Site, column: str) -> list[Any]:
    """A column of the runs, the oldest first."""
    rows = site.ledger(f"select {column} from runs order by started_at, run_id", JOB.name)
    return [row[0] and json.loads(row[0]) for row in rows]


def test_a_label_that_left_its_range_is_told_of_in_log_summary_json_and_ledger(claude):
    site = claude()
    for _ in range(5):
        usual = night(site)
        assert (usual.code, lines(usual), usual.summary["warnings"]) == (0, [], "0")
    shifted = night(site, _SHIFTED, 60, "--json")
    told = lines(shifted)
    assert shifted.code == 0
    assert any(
        re.match(r'label "\w+" 100 % of 60 outputs, 0 % in the 5 runs before', one) for one in told
    ), shifted.log
    assert shifted.summary["warnings"] == str(len(told))
    assert json_of(shifted)["warnings"] == len(told)
    assert json_of(shifted)["looks_wrong"] == told
    assert kept(site, "warnings") == [None] * 5 + [told]
    assert [one["outputs"] for one in kept(site, "outputs")] == [60] * 6


def test_without_a_history_one_value_nearly_everywhere_looks_wrong(claude):
    site = claude()
    first = night(site, _SHIFTED)
    assert first.code == 0
    assert 'label "delivery" 100 % of 60 outputs, and there is no history to compare with' in lines(
        first
    )
    # Its default is empty, so that the job itself says that it may be.
    assert not any(one.startswith("runner_up") for one in lines(first))


def test_a_run_of_fewer_than_50_outputs_is_kept_and_not_judged(claude):
    site = claude()
    few = night(site, _SHIFTED, 49)
    assert (lines(few), few.summary["warnings"]) == ([], "0")
    assert [one["outputs"] for one in kept(site, "outputs")] == [49]


def test_a_broken_history_is_left_out_and_no_texts_of_answers_stand_in_it(claude):
    site = claude()
    for _ in range(5):
        night(site)
    stored = site.ledger("select outputs from runs", JOB.name)
    assert not any("praise (" in row[0] or "refund," in row[0] for row in stored)
    for broken in ("", "{", "[]", '{"outputs": -1}', '{"outputs": NaN}', "null", '"x"'):
        site.change_ledger(JOB.name, "update runs set outputs = ?", broken)
        assert night(site).code == 0


def test_records_without_a_text_and_what_a_dead_letter_run_brings_do_not_count(claude):
    site = claude()
    site.events((f"empty-{n}", "", "2026-11-20 08:00:00") for n in range(60))
    night(site, _USUAL)
    assert [one["outputs"] for one in kept(site, "outputs")] == [60]
    site.change_ledger(JOB.name, "update records set status = 'dead'")
    again = site.run(JOB, "--live", "--retry-dead")
    assert again.code == 0
    assert [bool(one) for one in kept(site, "outputs")] == [True, False]


def test_outputs_of_a_message_batch_count_in_the_run_that_saves_them(claude, tmp_path):
    folder = tmp_path / "standin"
    site = claude(state=folder, message_batch_seconds=36_000)
    texts = (text.format(n=n) for n in range(60) for text in _USUAL)
    site.events((f"b{n}", text, "2026-11-20 08:00:00") for n, text in enumerate(texts))
    size = ("--chunk-size", "20")
    assert site.run(JOB, "--message-batch", "--wait", "0", *size).code == 75
    with standin_db(folder) as db:
        db.execute("update message_batches set duration = 0")
    site = claude(state=folder, message_batch_seconds=0)
    assert site.run(JOB, "--message-batch", *size).code == 0
    assert [one["outputs"] for one in kept(site, "outputs")] == [20, 160]


def test_a_shift_after_an_edit_of_the_job_says_so(claude):
    site = claude()
    for _ in range(4):
        night(site)
    edited = replace(JOB, instructions=f"{JOB.instructions}\nBe quick.")
    told = [lines(night(site, _SHIFTED, job=edited)) for _ in range(4)]
    assert all("; the job was edited meanwhile" in one for one in told[0])
    # Three nights of the new version are a history of its own.
    assert told[0] and told[3] == []


def test_a_save_that_fails_has_no_output_to_be_counted(claude):
    site = claude()

    def save(db, record, output, origin):
        if record["record_id"] == "x7":
            raise ValueError("no")
        bulk_classifier.save(db, record, output, origin)

    site.events((f"x{n}", _USUAL[0].format(n=n), "2026-11-20 08:00:00") for n in range(60))
    assert site.run(replace(JOB, save=save), "--live").code == 3
    [looks] = kept(site, "outputs")
    assert (looks["outputs"], looks["refused"], looks["failed"]) == (59, 0, 1)


def test_refusals_of_a_run_count_apart_from_other_records_without_an_output(claude):
    faults = [
        {"kind": kind, "when": {"record": record}, "times": 10**6}
        for kind, record in (("refusal", "r60"), ("refusal", "r61"), ("half_json", "r62"))
    ]
    site = claude(faults=faults)
    texts = ("a refund, please" for _ in range(63))
    site.events((f"r{n}", text, "2026-11-20 08:00:00") for n, text in enumerate(texts))
    assert site.run(JOB, "--live", "--chunk-size", "9").code == 3
    [looks] = kept(site, "outputs")
    assert (looks["outputs"], looks["refused"], looks["failed"]) == (60, 2, 1)


def test_what_a_person_says_is_saved_and_does_not_count(claude):
    site = claude()
    night(site, _USUAL, 55, "--chunk-size", "55")
    [(request_id, answer)] = site.ledger("select request_id, answer from requests", JOB.name)
    theirs = json.dumps({**json.loads(answer), "model": A_PERSON})
    change = "update requests set status = 'answered', model = ?, answer = ? where request_id = ?"
    site.change_ledger(JOB.name, change, A_PERSON, theirs, request_id)
    site.change_ledger(JOB.name, "update records set status = 'answered'")
    assert site.run(JOB, "--live").summary["done"] == "55"
    assert [one and one["outputs"] for one in kept(site, "outputs")] == [55, None]
