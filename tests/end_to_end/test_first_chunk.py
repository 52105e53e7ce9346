"""A fault that would be the same for every record is the job's: found with one request."""

from __future__ import annotations

import pytest

from rigs.own_jobs import labels
from rigs.record_jobs import events, run
from rigs.report_site import requests_sent

SCHEMA = "output_config.format.schema: Schema is too complex for compilation."
STATUSES = "select status, count(*) from records group by 1 order by 1"


@pytest.mark.parametrize(
    "message",
    [
        SCHEMA,
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be false",
        "Schema is too complex for compilation.",
        "thinking.type: 'disabled' is not supported by claude-x",
        "system: text content blocks must contain non-whitespace text",
        "max_tokens: 999999 > 128000, which is the maximum allowed number of output tokens",
        "`max_tokens` must be greater than `thinking.budget_tokens`",
        "model: claude-x does not take structured outputs",
        "Grammar compilation timed out",
        "inference_geo: Input should be 'us' or 'global'",
    ],
)
@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
@pytest.mark.parametrize("records", [1, 300])
def test_a_400_about_what_all_requests_have_alike_costs_one_request(
    claude, message, delivery, records
):
    site = claude(faults=[{"kind": "400", "message": message, "path": "/v1/messages"}])
    events(site, records)
    result = run(site, labels(), delivery)
    assert result.code == 78, result.log
    assert message[:40] in result.log
    assert requests_sent(site) == 1
    assert site.ledger(STATUSES, "labels") == [("waiting", min(records, 5))]
    claude()
    assert run(site, labels(), "--live").code == 0, "once it is mended, all are sent"
    assert site.saved("select count(*) from labels") == [(records,)]


@pytest.mark.parametrize(
    "message",
    [
        "messages.0.content: the schema of this text is odd",
        "prompt is too long: 300000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit",
        "Error",
    ],
)
def test_a_400_about_a_record_finds_its_record(claude, message):
    site = claude(faults=[{"kind": "400", "message": message, "when": {"record": "7"}}])
    events(site, 40)
    result = run(site, labels())
    assert result.code == 3, result.log
    dead = site.ledger("select record_id from records where status = 'dead'", "labels")
    assert dead == [("7",)]


@pytest.mark.parametrize("kind", ["400", "422", "max_tokens", "half_json", "unknown_stop"])
@pytest.mark.parametrize("records", [2, 5, 300])
def test_a_first_chunk_whose_halves_fail_alike_ends_the_run_and_blames_nobody(
    claude, kind, records
):
    site = claude(faults=[{"kind": kind}])
    events(site, records)
    result = run(site, labels())
    assert result.code == 78, result.log
    assert "so no record is blamed" in result.log
    assert requests_sent(site) == 3
    assert {status for status, _ in site.ledger(STATUSES, "labels")} == {"waiting"}
    claude()
    assert run(site, labels()).code == 0
    assert site.saved("select count(*) from labels") == [(records,)]


def test_a_bad_half_of_the_first_chunk_does_not_stop_the_others(claude):
    site = claude(faults=[{"kind": "half_json", "when": {"record": n}} for n in "123"])
    events(site, 40)
    result = run(site, labels())
    assert result.code == 3, result.log
    assert site.ledger(STATUSES, "labels") == [("dead", 3), ("done", 37)]


def test_two_records_that_claude_refuses_to_answer_are_dead_letters_each(claude):
    site = claude(faults=[{"kind": "refusal"}])
    events(site, 2)
    result = run(site, labels())
    assert result.code == 3, result.log
    assert site.ledger(STATUSES, "labels") == [("dead", 2)]


def test_the_first_request_of_a_version_goes_by_itself_and_later_runs_start_at_full_width(claude):
    site = claude(latency=0.05)
    events(site, 40)
    result = run(site, labels(), "--concurrency", "8", "--limit", "5")
    assert result.code == 0, result.log
    order = [line["records"] for line in site.billed()]
    assert len(order) == 1
    site.events((n, "more", "2026-11-20 10:00:00") for n in range(41, 81))
    claude(faults=[{"kind": "400", "message": SCHEMA, "path": "/v1/messages"}], latency=0.05)
    assert run(site, labels(), "--concurrency", "8").code == 78
    assert requests_sent(site) == 8, "this version was of use before"
    other = labels(chunk_size=5)
    object.__setattr__(other, "instructions", "Label each record anew.")
    claude(faults=[{"kind": "400", "message": SCHEMA, "path": "/v1/messages"}], latency=0.05)
    assert run(site, other, "--concurrency", "8").code == 78
    assert requests_sent(site) == 1, "this one was not"


@pytest.mark.parametrize("options", [("--chunk-size", "1"), ("--chunk-size", "1", "--live")])
def test_a_first_record_that_travels_alone_and_has_no_output_stops_no_night(claude, options):
    site = claude(faults=[{"kind": "max_tokens", "when": {"record": "1"}}])
    events(site, 12)
    result = site.run(labels(), *options, "--concurrency", "1")
    assert result.code == 3, result.log
    assert site.ledger(STATUSES, "labels") == [("dead", 1), ("done", 11)]
    assert site.run(labels(), *options).code == 0


@pytest.mark.parametrize("late", [1, 2])
def test_the_only_new_records_of_a_night_may_be_bad_where_the_job_has_worked_before(claude, late):
    site = claude()
    events(site, 12)
    assert site.run(labels()).code == 0
    site.events((n, "late", "2026-11-20 10:00:00") for n in range(100, 100 + late))
    claude(faults=[{"kind": "half_json"}])
    assert site.run(labels()).code == 3
    assert site.ledger(STATUSES, "labels") == [("dead", late), ("done", 12)]
    assert site.run(labels()).code == 0, "and no later night stops for them"


def test_a_job_that_worked_before_and_has_no_use_for_three_records_blames_none(claude):
    site = claude()
    events(site, 12)
    assert site.run(labels()).code == 0
    site.events((n, "late", "2026-11-20 10:00:00") for n in range(100, 103))
    claude(faults=[{"kind": "half_json"}])
    assert site.run(labels()).code == 78
    assert site.ledger(STATUSES, "labels") == [("done", 12), ("waiting", 3)]
