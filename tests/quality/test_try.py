"""--try: some of the records that wait, asked live and shown; nothing is saved or paid twice."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import date
from enum import Enum
from typing import Any, Literal
from unicodedata import east_asian_width

import pytest
from pydantic import BaseModel

import bulk_classifier
import daily_report
import data_enrichment
from common import Job, Record
from common.ledger.tries import Sample, Tries
from rigs.bills import usd_of
from rigs.harness import Result, Site, json_of
from rigs.own_jobs import TABLE, labels
from rigs.record_jobs import JOBS, events, rows
from standin.fault_kinds import MODEL

JOB = bulk_classifier.JOB


def tried(site: Site, job: Job, *arguments: str) -> dict[str, Any]:
    """What --try with --json shows."""
    result = site.run(job, "--try", *arguments, "--json")
    assert result.code == 0, result.log
    return json_of(result)


def ids(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["records"]]


def tables(site: Site) -> set[str]:
    return {*site.databases.tables()}


def billed_for(site: Site) -> Counter[str]:
    """How often each record was billed."""
    return Counter(record_id for line in site.billed() for record_id in line["records"])


class Fewer(BaseModel):
    label: Literal["Parcel", "Other"]
    reason: str


class More(BaseModel):
    label: Literal["Parcel", "Refund", "Other"]
    severity: Literal["low", "high"]


@JOBS
def test_it_shows_records_with_every_field_and_saves_nothing(claude, job):
    site = claude()
    events(site, 100)
    result = site.run(job, "--try", "5")
    assert result.code == 0, result.log
    assert tables(site) == {"events"}
    assert "5 records of the 100 that wait, spread evenly over the SELECT" in " ".join(
        result.stdout.split()
    )
    for number, record_id in enumerate(("11", "31", "51", "71", "91"), 1):
        assert f"  {number}/5  record {record_id}\n       “" in result.stdout
    for name in job.output.model_fields:
        assert result.stdout.count(f"       {name} ") == 5
    assert result.stdout.count("its share of a request about 5 records") == 5
    assert "The other 95 records that wait" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 96
    assert "purpose=try" in result.log and "my parcel" not in result.log


def test_without_a_number_it_takes_ten_and_all_where_there_are_fewer(claude):
    site = claude()
    events(site, 12)
    assert len(tried(site, JOB)["records"]) == 10
    assert ids(tried(site, labels(), "50")) == [str(n) for n in range(1, 13)]


def test_a_run_of_that_version_saves_the_answers_and_pays_for_the_others_alone(claude):
    site = claude()
    events(site, 40)
    first = tried(site, JOB, "7")
    again = tried(site, JOB, "7")
    assert ids(again) == ids(first)
    assert [one["output"] for one in again["records"]] == [
        one["output"] for one in first["records"]
    ]
    assert (again["total"]["usd"], again["total"]["from_ledger"]) == (0.0, 7)
    assert all(one["from_ledger"] and one["usd"] > 0 for one in again["records"])
    assert "from the ledger, nothing is paid now" in " ".join(
        site.run(JOB, "--try", "7").stdout.split()
    )
    assert site.run(JOB, "--live").code == 0
    assert set(billed_for(site).values()) == {1} and len(billed_for(site)) == 40
    saved = rows(site, JOB)
    for one in first["records"]:
        assert saved[one["id"]][1:4] == tuple(one["output"].values())


def test_the_shares_of_the_records_add_up_to_what_was_billed(claude):
    site = claude()
    events(site, 40, e1="x" * 3_000)
    found = tried(site, JOB, "9", "--chunk-size", "4")
    assert found["total"]["requests"] == 3
    for name in ("input_tokens", "output_tokens", "usd"):
        total = sum(one[name] for one in found["records"])
        assert total == pytest.approx(found["total"][name], rel=1e-9)
    assert usd_of(site.billed()) == pytest.approx(found["total"]["usd"])


def test_a_long_record_has_a_larger_share(claude):
    site = claude()
    events(site, 4, e2="parcel " * 1_000)
    found = {one["id"]: one for one in tried(site, JOB, "4")["records"]}
    assert found["2"]["input_tokens"] > 10 * found["1"]["input_tokens"]
    assert len(found["2"]["shown"]) <= 160


def test_of_an_answer_each_record_has_what_is_written_about_it(claude):
    site = claude()
    events(site, 8)
    found = tried(site, data_enrichment.JOB, "8")
    assert found["total"]["requests"] == 1
    # As it was written: without the fields that the answer may leave out and did.
    written = [
        {"id": one["id"], **{name: said for name, said in one["output"].items() if said}}
        for one in found["records"]
    ]
    sizes = [len(json.dumps(one)) for one in written]
    assert max(sizes) > 1.2 * min(sizes)
    for one, size in zip(found["records"], sizes, strict=True):
        share = found["total"]["output_tokens"] * size / sum(sizes)
        assert abs(one["output_tokens"] - share) <= 1


def test_samples_come_the_newest_first_however_their_versions_are_called(site):
    file = site.databases.open_ledger("labels")
    with closing(file):
        tries = Tries(file, "labels")
        for version in ("b", "c", "a", "b"):
            tries.note(Sample(version, "b", [version, "1"]))
        found = tries.newest_first()
    assert [sample.version for sample in found] == ["b", "a", "c"]
    assert found[0] == Sample("b", "b", ["b", "1"])


def test_after_an_edit_the_same_records_are_taken_and_what_changed_is_shown(claude):
    site = claude()
    events(site, 40)
    first = tried(site, labels(), "8")
    edited = replace(labels(), output=Fewer)
    found = tried(site, edited, "8")
    assert ids(found) == ids(first) and found["version"] != first["version"]
    before = {one["id"]: one["output"] for one in first["records"]}
    for one in found["records"]:
        assert one["compared_with"] == first["version"]
        assert one["changed"] == {
            name: [before[one["id"]][name], value]
            for name, value in one["output"].items()
            if before[one["id"]][name] != value
        }
    changed = [one for one in found["records"] if one["changed"]]
    assert 0 < len(changed) < 8
    assert all(one["changed"]["label"] == ["Refund", "Other"] for one in changed)
    assert found["total"]["changed"]["label"] == len(changed)
    assert found["total"]["same"] == 8 - len(changed)
    words = site.run(edited, "--try", "8").stdout
    assert words.count("* label: Refund -> Other") == len(changed)
    assert words.count("Unchanged.") == 8 - len(changed)
    assert f"{8 - len(changed)} of 8 the same; label changed in {len(changed)}" in words


def test_records_that_are_done_by_then_are_taken_again_and_what_is_saved_stays(claude):
    site = claude()
    events(site, 20)
    first = tried(site, labels(), "4")
    assert site.run(labels(), "--live", "--limit", "9").code == 0
    saved = site.saved("select * from labels order by record_id")
    done = site.ledger(
        "select record_id, status, output from records where job = 'labels'", "labels"
    )
    found = tried(site, replace(labels(), output=Fewer), "4")
    assert ids(found) == ids(first) and found["total"]["requests"] == 1
    assert any(one["changed"] for one in found["records"])
    assert site.saved("select * from labels order by record_id") == saved
    assert done == site.ledger(
        "select record_id, status, output from records where job = 'labels'", "labels"
    )
    assert found["rest"]["records"] == 7 and "stale" not in found
    assert site.run(labels(), "--live").code == 0
    found = tried(site, replace(labels(), output=Fewer), "4")
    assert ids(found) == ids(first) and found["total"]["requests"] == 0
    assert found["rest"]["records"] == 0 and found["stale"]["records"] == 16
    words = site.run(replace(labels(), output=Fewer), "--try", "4").stdout
    assert "16 records done by an older version, which --stale" in words
    assert max(map(len, words.splitlines())) <= 100


def test_back_at_the_version_of_the_first_try_the_sample_is_chosen_anew(claude):
    site = claude()
    events(site, 20)
    first = tried(site, labels(), "4")
    tried(site, replace(labels(), output=Fewer), "4")
    assert ids(tried(site, labels(), "4")) == ids(first)
    assert site.run(labels(), "--live").code == 0
    events_more = [(n, "a refund", "2026-11-21") for n in range(21, 31)]
    site.table("events", "id, content, created_at", events_more)
    assert ids(tried(site, labels(), "2")) == ["23", "28"]


def test_a_third_version_is_compared_with_the_second(claude):
    site = claude()
    events(site, 20)
    tried(site, labels(), "4")
    second = tried(site, replace(labels(), output=Fewer), "4")
    third = tried(site, replace(labels(), output=Fewer, instructions="Label them."), "4")
    assert ids(third) == ids(second)
    assert {one["compared_with"] for one in third["records"]} == {second["version"]}


@pytest.mark.parametrize(("number", "kept"), [(2, 2), (6, 4), (40, 4)])
def test_another_number_after_an_edit_takes_a_part_or_fills_up_from_what_waits(
    claude, number, kept
):
    site = claude()
    events(site, 40)
    first = ids(tried(site, labels(), "4"))
    found = ids(tried(site, replace(labels(), output=Fewer), str(number)))
    assert len(found) == len({*found}) == number
    assert len({*found} & {*first}) == kept


def test_another_number_after_an_edit_fills_up_from_what_is_done_where_nothing_waits(claude):
    site = claude()
    events(site, 40)
    first = ids(tried(site, labels(), "4"))
    assert site.run(labels(), "--live").code == 0
    edited = replace(labels(), output=Fewer)
    words = site.run(edited, "--try", "10").stdout
    assert "10 records of which the last try took 4; the other 6 are done." in " ".join(
        words.split()
    )
    found = ids(tried(site, edited, "10"))
    assert len(found) == len({*found}) == 10 and {*first} < {*found}
    assert len(ids(tried(site, edited, "99"))) == 40
    other = replace(edited, instructions="Say it otherwise.")
    assert len(ids(tried(site, other, "99"))) == 40


def test_records_that_left_the_select_are_said(claude):
    site = claude()
    events(site, 40)
    first = ids(tried(site, labels(), "4"))
    site.change("delete from events where id = ?", int(first[1]))
    edited = replace(labels(), output=Fewer)
    found = tried(site, edited, "4")
    assert found["total"]["gone"] == 1 and len(found["records"]) == 4
    assert {*first} - {*ids(found)} == {first[1]}
    site.change("delete from events where id = ?", int(first[2]))
    words = site.run(edited, "--try", "4").stdout
    assert "1 record of the last try: not in the SELECT any more." in words


def test_fields_that_an_edit_adds_and_removes_are_no_change_of_a_record(claude):
    site = claude()
    events(site, 20)
    tried(site, labels(), "4")
    found = tried(site, replace(labels(), output=More), "4")
    assert (found["total"]["added"], found["total"]["removed"]) == (["severity"], ["reason"])
    assert found["total"]["same"] == 4
    words = site.run(replace(labels(), output=More), "--try", "4").stdout
    assert "4 of 4 the same; severity is new; reason is gone." in words


def test_where_nothing_was_tried_it_is_compared_with_what_an_older_version_saved(claude):
    site = claude()
    events(site, 20)
    assert site.run(labels(), "--live").code == 0
    found = tried(site, replace(labels(), output=Fewer), "6")
    assert len(found["records"]) == 6
    assert {one["compared_with"] for one in found["records"]} == {"saved"}
    assert any(one["changed"] for one in found["records"])
    words = site.run(replace(labels(), output=Fewer), "--try", "6").stdout
    assert "6 records of the 20 that are done, since none waits" in " ".join(words.split())
    assert "Compared with what is saved:" in words


def test_it_is_compared_with_what_a_person_corrected_whatever_the_version(claude):
    site = claude()
    events(site, 4)
    assert site.run(labels(), "--live").code == 0
    corrected = json.dumps({"label": "Refund", "reason": "a person says so"})
    site.change_ledger(
        "labels",
        "update records set status = 'corrected', output = ? where job = 'labels' and"
        " record_id = '1'",
        corrected,
    )
    found = {one["id"]: one for one in tried(site, labels(), "4")["records"]}
    assert found["1"]["compared_with"] == "a person"
    assert found["1"]["changed"]["reason"][0] == "a person says so"
    # The others are done by this very version.
    assert [found[one]["compared_with"] for one in "234"] == [None] * 3
    words = site.run(labels(), "--try", "4").stdout
    assert "Compared with what a person corrected: 0 of 1 the same" in words


def test_wide_signs_and_long_names_of_fields_stay_within_the_terminal(claude):
    class Long(BaseModel):
        a_name_that_is_a_good_deal_longer_than_twenty: str

    site = claude()
    events(site, 2, e1="荷物はどこですか " * 30, e2="parcel " * 60)
    result = site.run(replace(labels(), output=Long), "--try")
    assert result.code == 0, result.log

    def columns(line: str) -> int:
        return sum(2 if east_asian_width(sign) in "WF" else 1 for sign in line)

    assert max(map(columns, result.stdout.splitlines())) <= 100
    assert "\n       a_name_that_is_a_good_deal_longer_than_twenty  parcel" in result.stdout


def test_a_record_without_an_output_has_its_reason_and_the_exit_code_is_3(claude):
    site = claude(faults=[{"kind": "refusal", "when": {"record": "16"}}])
    events(site, 40)
    result = site.run(JOB, "--try", "4", "--json")
    assert result.code == 3, result.log
    found = json_of(result)
    assert ids(found) == ["6", "16", "26", "36"]
    lacking = [one for one in found["records"] if one["output"] is None]
    assert [one["id"] for one in lacking] == ["16"]
    assert lacking[0]["error"].startswith("refused") and found["exit_code"] == 3
    assert "1 record of --try without an output: 16: refused" in result.log


def test_a_dead_letter_of_a_try_is_not_asked_again_and_the_code_stays_3(claude):
    site = claude(faults=[{"kind": "refusal", "when": {"record": "6"}}])
    events(site, 40)
    assert site.run(JOB, "--try", "4").code == 3
    before = len(site.billed())
    result = site.run(JOB, "--try", "4")
    assert result.code == 3 and "No output: refused" in result.stdout
    assert len(site.billed()) == before
    # It is no dead letter of the job's.
    assert site.ledger("select status from records where job = 'bulk_classifier'", JOB.name) == []


def test_where_no_record_got_an_answer_the_cost_of_others_is_not_told(claude):
    site = claude()
    events(site, 40)
    assert site.run(labels(), "--live", "--limit", "1").code == 0
    site = claude(faults=[{"kind": "refusal"}])
    result = site.run(labels(), "--try", "2", "--chunk-size", "1")
    assert result.code == 3, result.log
    assert "cannot be told: no record got an answer." in result.stdout


def test_at_a_cost_cap_it_ends_with_4_and_shows_what_came(claude):
    site = claude()
    events(site, 40)
    arguments = ("--try", "20", "--chunk-size", "1", "--max-cost", "0.0015")
    result = site.run(labels(), *arguments)
    assert result.code == 4 and "cost cap" in result.log
    assert 0 < usd_of(site.billed()) <= 0.0015
    came = result.stdout.count("asked alone")
    assert 0 < came == len(site.billed()) < 20
    assert f"{20 - came} records not answered: cost cap" in result.stdout
    assert f"The other {40 - came} records that wait" in result.stdout
    assert "No output" not in result.stdout


def test_records_without_a_text_cost_nothing(claude):
    site = claude()
    events(site, 4, e2=" ")
    found = {one["id"]: one for one in tried(site, JOB, "4")["records"]}
    assert found["2"]["output"]["label"] == "other"
    assert (found["2"]["usd"], found["2"]["input_tokens"]) == (0.0, 0)
    assert not found["2"]["from_ledger"]
    assert site.run(JOB, "--try", "4").stdout.count("Cost: nothing, since it has no text.") == 1
    site = claude()
    result = site.run(labels(), "--try", "4")
    assert result.code == 0, result.log
    assert "It has no text: nothing is sent or saved about it." in result.stdout
    assert "2" not in billed_for(site)


def test_one_blank_record_among_others_is_no_wrong_column(claude):
    site = claude()
    events(site, 3, e2=" ")
    result = site.run(labels(), "--try", "1")
    assert result.code == 78 and "has a text" in result.log  # nobody has sent anything yet
    assert site.run(labels(), "--live", "--limit", "1").code == 0
    site.change("update events set content = ' ' where id > 1")
    blank = site.run(labels(), "--try", "1")
    assert blank.code == 0, blank.log
    assert "It has no text: nothing is sent or saved about it." in blank.stdout


def test_where_it_cannot_begin_json_says_why(claude):
    site = claude()
    site.table("events", "id, content, created_at")
    result = site.run(labels(select="select id as record_id from nowhere"), "--try", "--json")
    assert result.code == 78 and "nowhere" in json_of(result)["reasons"][0]
    events(site, 3)
    windowed = "select id as record_id, content from events where within(created_at, :start, :end)"
    window = ("--since", "2026-11-25", "--until", "2026-11-21")
    result = site.run(labels(select=windowed), "--try", "--json", *window)
    assert result.code == 2 and "is empty" in json_of(result)["reasons"][0]
    refused = [{"kind": "401"}, {"kind": "401", "path": MODEL}]
    site = claude(faults=refused)
    result = site.run(labels(), "--try", "2", "--json")
    found = json_of(result)
    assert result.code == found["exit_code"] == 77 and found["rest"] is None
    assert found["reasons"] and found["total"]["answered"] == 0


def test_a_report_has_no_records_to_try(site):
    result = site.run(daily_report.JOB, "--try", "5")
    assert result.code == 2
    assert "--try is for jobs with an answer per record; daily_report writes a report" in result.log


def test_a_record_that_a_join_repeats_is_taken_once_and_told_of_once(claude):
    site = claude()
    rows = [(n, f"a refund for order {n}", "2026-11-20 00:00:00") for n in (1, 1, 2, 2, 2, 3, 4)]
    site.table("events", "id, content, created_at", rows)
    result = site.run(labels(), "--try", "3", "--json")
    assert result.code == 0, result.log
    assert ids(json_of(result)) == ["1", "3", "4"]
    assert json_of(result)["rest"]["records"] == 1
    assert result.log.count("came before") == 1
    edited = tried(site, replace(labels(), output=Fewer), "4")
    assert ids(edited) == ["1", "3", "4", "2"]


def test_where_no_record_is_there_it_says_so(claude):
    site = claude()
    events(site, 0)
    result = site.run(JOB, "--try")
    assert result.code == 0 and "No record to try" in result.stdout
    assert tried(site, JOB)["records"] == []


def test_message_batches_under_way_are_left_alone_and_only_what_waits_is_taken(claude):
    site = claude(message_batch_seconds=3_600.0)
    events(site, 20)
    assert (
        site.run(
            labels(), "--message-batch", "--wait", "1s", "--limit", "12", "--chunk-size", "2"
        ).code
        == 75
    )
    before = site.ledger("select * from message_batches", "labels")
    asked = {row[0] for row in site.ledger("select record_id from records", "labels")}
    requests = dict(site.standin.counts["requests"])
    found = tried(site, labels(), "5")
    assert not {*ids(found)} & asked and len(found["records"]) == 5
    assert site.ledger("select * from message_batches", "labels") == before
    after = dict(site.standin.counts["requests"])
    assert {path for path in after if after[path] != requests.get(path)} <= {
        "/v1/messages",
        "/v1/models/{id}",
    }


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    name: str
    colour: Colour


class Rich(BaseModel):
    topic: str
    parts: list[Part]
    first: Part
    tags: list[str]
    due: date
    urgent: bool
    score: float
    note: str | None = None


def test_a_job_with_nested_models_lists_enums_and_dates_is_readable(claude):
    site = claude()
    events(site, 6)

    def save(db: Any, record: Record, output: Rich) -> None:
        raise AssertionError("nothing is saved")

    def prepare(records: list[Record]) -> list[Record]:
        return [{**record, "more": f"brought along {record['record_id']}"} for record in records]

    job = Job(
        name="rich",
        select="select id as record_id, content, created_at from events order by id",
        instructions="Fill in.",
        output=Rich,
        save=save,
        prepare=prepare,
        show=lambda record: f"{record['content']} {record['more']}",
        attributes=("created_at",),
        elements=("more",),
        tables=TABLE,
    )
    result = site.run(job, "--try", "3")
    assert result.code == 0, result.log
    assert "brought along 2" in result.stdout
    assert "       first   {name: Where is my delivery 4?, colour: blue}" in result.stdout
    assert "       parts   1:\n         - {name: Monday, colour: blue}" in result.stdout
    assert "       due     2026-01-01\n       urgent  no\n" in result.stdout
    found = tried(site, job, "3")
    assert found["total"]["usd"] == 0.0 and found["rest"]["records"] == 3
    assert found["records"][0]["output"].keys() == Rich.model_fields.keys()


def test_what_a_terminal_would_obey_is_not_printed(claude):
    site = claude()
    events(site, 1, e1="parcel \x1b[2J\u202e gone")
    result = site.run(JOB, "--try")
    assert "\x1b" not in result.stdout and "\u202e" not in result.stdout


def test_another_model_is_another_version_with_prices_of_its_own(claude):
    site = claude()
    events(site, 20)
    one = tried(site, JOB, "4")
    two = tried(site, JOB, "4", "--model", "claude-sonnet-5-5")
    assert ids(one) == ids(two) and two["model"] == "claude-sonnet-5-5"
    assert two["rest"]["usd_live"][0] > 10 * one["rest"]["usd_live"][1]
    assert {one["compared_with"] for one in two["records"]} == {one["version"]}


def test_without_a_price_the_cost_is_unknown(claude, monkeypatch):
    from common.claude import pricing

    site = claude()
    events(site, 20)
    real = [row for row in pricing._rows() if row["model"] != "claude-haiku-5-5"]
    monkeypatch.setattr(pricing, "_rows", lambda: real)
    pricing._bands.cache_clear()
    try:
        result = site.run(JOB, "--try", "4")
    finally:
        pricing._bands.cache_clear()
    assert result.code == 0, result.log
    assert "cost unknown" in result.stdout
    assert "live           unknown (no price in prices.json)" in result.stdout


def test_a_window_is_kept(claude):
    site = claude()
    events(site, 40)
    site.change("update events set created_at = '2026-11-25 00:00:00' where id > 30")
    job = replace(
        labels(),
        select="select id as record_id, content, created_at from events"
        " where within(created_at, :start, :end) order by id",
    )
    found = tried(site, job, "5", "--since", "2026-11-25")
    assert ids(found) == ["32", "34", "36", "38", "40"]
    assert found["rest"]["records"] == 5


def test_a_demo_is_tried_without_a_key(site: Site):
    result: Result = site.run(data_enrichment.JOB, "--demo", "--try", "3", ANTHROPIC_API_KEY="")
    assert result.code == 0, result.log
    assert "answers by the demo's stand-in" in result.stdout
    assert result.stdout.count("record ") >= 3
