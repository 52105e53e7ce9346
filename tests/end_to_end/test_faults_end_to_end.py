"""Whole runs against a stand-in that goes wrong: whose fault it was decides what becomes of the
records.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import daily_report
from common import Job
from common.claude.retries import Retry
from rigs.bills import COST, usd_of

NOBODYS = [
    "429",
    {"kind": "429", "retry_after": 7},
    "500",
    "529",
    "503",
    "502",
    "408",
    "409",
    "504",
    "reset",
]
DAY = "2026-11-20"


class Label(BaseModel):
    label: Literal["parcel", "refund"]


def save(db: sqlite3.Connection, record: dict[str, Any], output: Label) -> None:
    db.execute(
        "insert into labels values (?, ?)"
        " on conflict (record_id) do update set label = excluded.label",
        (record["record_id"], output.label),
    )


LABELS = Job(
    name="labels",
    select="select id as record_id, content from events order by id",
    instructions="Label each record.",
    output=Label,
    save=save,
    tables="create table if not exists labels (record_id text primary key, label text)",
    chunk_size=1,
)


def events(site, count: int) -> None:
    site.events(
        (
            n,
            f"Message {n}: where is my parcel? I want a refund.",
            f"{DAY} {n * 24 // count:02}:00:00",
        )
        for n in range(count)
    )


def statuses(site, job: str = "daily_report") -> dict[str, int]:
    return dict(site.ledger("select status, count(*) from records group by 1", job))


def dead(site, job: str = "daily_report") -> dict[str, str]:
    sql = "select record_id, error from records where status = 'dead'"
    return dict(site.ledger(sql, job))


def a_third_faulty() -> list[dict[str, Any]]:
    # Two rules, as a reply is made or not; each takes its turn at a sixth of all requests, then of
    # the rest.
    return [
        {"cycle": NOBODYS, "when": {"share": 0.2, "seed": 3}},
        {
            "cycle": ["cut", "half_json", "max_tokens", "unknown_stop", "thinking_first"],
            "when": {"share": 0.17, "seed": 4},
        },
    ]


def the_ledger_covers_the_bill(site, job: str) -> None:
    """Every answer is in the ledger to the token; what was billed beside is bounded by what is held
    as unknown.
    """
    tokens = site.ledger("select sum(input_tokens), sum(output_tokens) from requests", job)[0]
    usd, unsettled = site.ledger(f"select {COST} from requests", job)[0]
    billed = usd_of(site.billed())
    assert tokens[0] <= sum(line["input_tokens"] for line in site.billed())
    assert usd <= billed + 1e-9 <= usd + unsettled + 2e-9
    answered = site.ledger("select count(*) from requests where answer is not null", job)[0][0]
    unanswered = len(site.billed()) - answered
    assert (usd == pytest.approx(billed)) == (unanswered == 0)


def test_with_a_third_of_all_replies_faulty_every_record_is_done(claude):
    site = claude(faults=a_third_faulty())
    events(site, 1000)
    result = site.run(daily_report.JOB, "--date", DAY, "--chunk-size", "10")
    assert result.code == 0, result.log[-2000:]
    assert statuses(site) == {"done": 1000}
    assert "**1,000 records**" in site.report(DAY)
    the_ledger_covers_the_bill(site, "daily_report")


def test_with_a_third_of_all_replies_faulty_one_record_requests_all_end_well(claude):
    site = claude(faults=a_third_faulty())
    events(site, 300)
    # One after the other, so that each request meets the same faults in every run. Side by side, a
    # record has bad luck three times now and then, and is a dead letter with good reason.
    result = site.run(LABELS, "--concurrency", "1")
    assert result.code == 0, result.log[-2000:]
    assert statuses(site, "labels") == {"done": 300}
    assert site.saved("select count(*) from labels") == [(300,)]
    the_ledger_covers_the_bill(site, "labels")


def test_a_wait_that_the_server_asks_for_is_waited(claude):
    site = claude(faults=[{"kind": "429", "retry_after": 40, "when": {"first": 1}}])
    events(site, 3)
    result = site.run(daily_report.JOB, "--date", DAY)
    assert result.code == 0
    assert 40 <= max(result.clock.waits) <= 42


def test_an_attempt_that_waits_for_a_place_does_not_use_up_its_time(claude):
    # By this run's clock each wait is over at once, while answers take their time.
    faults = [{"kind": "529", "times": 1, "when": {"record": str(n)}} for n in (3, 4, 5, 6)]
    site = claude(faults=faults, latency=0.3)
    events(site, 16)
    result = site.run(LABELS)
    assert result.code == 0, result.log[-2000:]
    assert statuses(site, "labels") == {"done": 16}
    assert result.clock.time < 100


@pytest.mark.parametrize(
    ("kind", "reason", "asked_alone"),
    [
        ("400", "400 invalid_request_error", 1),
        ("413", "413 ", 1),
        ("422", "422 invalid_request_error", 1),
        ("refusal", "refused", 1),
        ("max_tokens", "cut off (max_tokens)", 3),
        ("half_json", "an answer that is not the JSON asked for", 3),
        ("unknown_stop", "stopped for a reason unknown here", 3),
    ],
)
def test_a_record_that_spoils_its_request_is_found_within_the_run(
    claude, kind, reason, asked_alone
):
    site = claude(faults=[{"kind": kind, "when": {"record": "333"}}])
    events(site, 700)
    result = site.run(daily_report.JOB, "--date", DAY)
    assert result.code == 3, result.log[-2000:]
    assert statuses(site) == {"dead": 1, "done": 699}
    assert list(dead(site)) == ["333"] and dead(site)["333"].startswith(reason)
    assert "333: " + reason in result.log
    report = site.report(DAY)
    assert "record 333 —" in report and "What could not be read" in report
    # The chunks, the halves down to the culprit, its further tries alone, and the merge.
    assert (
        site.standin.counts["calls"]["POST /v1/messages"]
        <= 14 + 2 * math.ceil(math.log2(50)) + asked_alone
    )
    lone = "select count(*) from requests where record_ids = '[\"333\"]'"
    assert site.ledger(lone) == [(asked_alone,)]
    assert site.run(daily_report.JOB, "--date", DAY).code == 0


@pytest.mark.parametrize("latency", [0.0, 0.03])
@pytest.mark.parametrize("kind", ["400", "half_json"])
def test_three_records_that_spoil_their_chunks_are_three_dead_letters(claude, kind, latency):
    poison = ["75", "210", "349"]
    site = claude(
        faults=[{"kind": kind, "when": {"record": record}} for record in poison], latency=latency
    )
    events(site, 700)
    result = site.run(daily_report.JOB, "--date", DAY)
    assert result.code == 3, result.log[-2000:]
    assert sorted(dead(site)) == sorted(poison)
    assert statuses(site)["done"] == 697


def test_dead_letters_are_asked_again_when_that_is_wanted(claude):
    site = claude(faults=[{"kind": "400", "when": {"record": "7"}}])
    events(site, 60)
    assert site.run(daily_report.JOB, "--date", DAY).code == 3
    site = claude()
    assert site.run(daily_report.JOB, "--date", DAY).code == 0
    assert statuses(site) == {"dead": 1, "done": 59} and not site.billed()
    result = site.run(daily_report.JOB, "--date", DAY, "--retry-dead")
    assert result.code == 0, result.log
    assert statuses(site) == {"done": 60}
    assert site.billed()[0]["records"] == ["7"]
    assert "could not be read" not in site.report(DAY)


@pytest.mark.parametrize("kind", ["400", "half_json", "max_tokens"])
def test_three_chunks_that_fail_alike_end_the_run_and_blame_no_record(claude, kind):
    """As long as one chunk was of use, with these instructions and this model."""
    site = claude()
    events(site, 700)
    assert site.run(daily_report.JOB, "--date", DAY, "--limit", "50").code == 0
    site = claude(faults=[{"kind": kind}])
    result = site.run(daily_report.JOB, "--date", DAY)
    assert result.code == 1
    assert "3 chunks in a row failed with the same message, so no record is blamed" in result.log
    assert not dead(site) and "Traceback" not in result.log
    assert site.standin.counts["calls"]["POST /v1/messages"] <= 2 * 8 + 4
    assert claude().run(daily_report.JOB, "--date", DAY).code == 0
    assert statuses(site) == {"done": 700}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("401", 77), ("402", 77), ("403", 77), ("404", 78), ("429_spend", 77), ("400_credit", 77)],
)
def test_what_is_the_accounts_fault_ends_the_run_at_once_and_blames_no_record(claude, kind, code):
    site = claude(faults=[{"kind": kind}])
    events(site, 700)
    result = site.run(daily_report.JOB, "--date", DAY)
    assert result.code == code
    assert not dead(site) and not site.billed()
    assert site.standin.counts["calls"]["POST /v1/messages"] <= 8
    assert not result.clock.waits
    assert claude().run(daily_report.JOB, "--date", DAY).code == 0


@pytest.mark.parametrize(
    ("key", "code"), [("sk-invalid-1", 77), ("sk-nobilling", 77), ("sk-forbidden", 77)]
)
def test_a_key_that_is_refused_costs_no_message(claude, key, code):
    site = claude()
    events(site, 10)
    assert site.run(daily_report.JOB, "--date", DAY, ANTHROPIC_API_KEY=key).code == code
    assert "POST /v1/messages" not in site.standin.counts["calls"]


def test_where_nobody_listens_the_run_ends_with_69(claude):
    site = claude()
    events(site, 10)
    claude(latency=0).standin.stop()
    result = site.run(
        daily_report.JOB,
        "--date",
        DAY,
        retry=Retry(attempts=3),
        ANTHROPIC_BASE_URL="http://127.0.0.1:9",
    )
    assert result.code == 69
    assert len(result.clock.waits) == 2 and "cannot be reached" in result.log


def test_where_claude_is_lost_in_the_middle_what_was_answered_is_kept(claude):
    # thinking_first harms nobody: it stands for "the first four go well".
    site = claude(
        faults=[{"kind": "thinking_first", "when": {"first": 10}, "times": 4}, {"kind": "reset"}]
    )
    events(site, 500)
    result = site.run(daily_report.JOB, "--date", DAY, retry=Retry(attempts=3))
    assert result.code == 69, result.log[-2000:]
    assert statuses(site) == {"done": 200, "waiting": 300} and "Traceback" not in result.log
    paid = len(site.billed())
    site = claude()
    assert site.run(daily_report.JOB, "--date", DAY).code == 0
    assert (paid, len(site.billed())) == (4, 6 + 1)


def test_a_wait_longer_than_a_run_may_take_is_not_begun(claude):
    site = claude(faults=[{"kind": "429", "retry_after": 3600}])
    events(site, 60)
    result = site.run(daily_report.JOB, "--date", DAY)
    assert result.code == 69
    assert not result.clock.waits and statuses(site) == {"waiting": 50}


@pytest.mark.parametrize("kind", ["529", "503", "reset", "html"])
def test_minutes_of_overload_are_sat_out(claude, kind):
    site = claude(faults=[{"kind": kind, "times": 14}])
    events(site, 1)
    result = site.run(LABELS)
    assert result.code == 0, result.log
    assert result.summary["attempts"] == "15"
    assert "attempt 14 failed" in result.log and ", given up in " in result.log
