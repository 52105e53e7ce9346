"""The prompt cache: used where it pays, written by the first request, and in the ledger's costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from common import Record
from common.claude import pricing
from common.claude.caching import lifetime
from common.claude.models_api import Model
from common.claude.pricing import Tokens
from common.claude.request import Request, ask_about, system_prompt
from rigs.own_jobs import labels
from rigs.record_jobs import events, run, usd
from standin.models import MODELS

LONG = "You label what a small company gets to read, mostly messages from its customers. " * 40
JOB = replace(labels(), instructions=LONG)
MODEL = Model("claude-haiku-5-5", {"type": "disabled"}, True, False, 64_000, "")
COLUMNS = "cache_write_tokens, cache_read_tokens"


def tokens(site) -> list[tuple[int, int]]:
    return list(site.ledger(f"select {COLUMNS} from requests order by request_id", JOB.name))


def test_the_first_request_writes_the_cache_and_all_others_read_it(claude):
    # With a latency, a request that starts beside the first one finds no cache to read.
    site = claude(latency=0.2)
    events(site)
    assert run(site, JOB).code == 0
    (written, nothing), *others = tokens(site)
    assert written > 512 and nothing == 0
    assert others == [(0, written)] * 7
    assert [bill["cache_write_1h_tokens"] for bill in site.billed()] == [0] * 8, (
        "five minutes will do"
    )
    in_ledger, billed = usd(site, JOB.name)
    assert in_ledger == pytest.approx(billed, rel=1e-9)


def test_for_a_message_batch_the_live_first_chunk_writes_it_for_an_hour(claude):
    site = claude(message_batch_seconds=0.0)
    events(site)
    assert run(site, JOB, "--message-batch").code == 0
    (written, nothing), *others = tokens(site)
    assert written > 512 and nothing == 0
    assert others == [(0, written)] * 7
    first, *rest = sorted(site.billed(), key=lambda bill: bill["tier"] != "standard")
    assert first["cache_write_1h_tokens"] == written
    assert {bill["tier"] for bill in rest} == {"batch"}
    in_ledger, billed = usd(site, JOB.name)
    assert in_ledger == pytest.approx(billed, rel=1e-9)


def test_it_is_cheaper_than_sending_the_same_tokens_without(claude):
    site = claude()
    events(site)
    assert run(site, JOB).code == 0
    prompt = "input_tokens + cache_write_tokens + cache_read_tokens"
    sums = f"select sum({prompt}), sum(output_tokens), sum(usd) from requests"
    prompts, outputs, paid = site.ledger(sums, JOB.name)[0]
    without = pricing.usd(MODEL.id, Tokens(prompts // 8, outputs // 8), datetime.now(UTC).date())
    assert without is not None and paid < 0.7 * 8 * without


def test_a_model_whose_minimum_is_higher_than_the_instructions_is_not_asked_to_cache(claude):
    site = claude()
    events(site)
    assert run(site, JOB, "--model", "claude-haiku-4-5").code == 0
    assert set(tokens(site)) == {(0, 0)}


@pytest.mark.parametrize("delivery", ["--live", "--message-batch"])
def test_what_must_be_asked_again_reads_the_cache_too(claude, delivery):
    faults = [{"kind": "half_json", "when": {"record": "3"}, "times": 2}]
    site = claude(faults=faults, message_batch_seconds=0.0)
    events(site)
    assert run(site, JOB, delivery).code == 0
    (written, _), *others = tokens(site)
    assert len(others) > 8 and others == [(0, written)] * len(others)


def test_short_instructions_and_lone_requests_are_not_marked(claude):
    site = claude()
    events(site)
    assert run(site, labels(name="short")).code == 0
    assert run(site, JOB, "--limit", "5").code == 0
    for job in ("short", JOB.name):
        assert set(site.ledger(f"select {COLUMNS} from requests", job)) == {(0, 0)}


@pytest.mark.parametrize(
    ("model", "characters", "requests", "message_batch", "expected"),
    [
        ("claude-haiku-5-5", 2_000, 2, False, "5m"),
        ("claude-haiku-5-5", 2_000, 1, False, ""),
        ("claude-haiku-5-5", 1_000, 9, False, ""),
        ("claude-haiku-5-5", 2_000, 3, True, "1h"),
        ("claude-haiku-5-5", 2_000, 2, True, ""),
        ("claude-haiku-4-5-20251001", 12_000, 9, False, ""),
        ("claude-haiku-4-5-20251001", 13_000, 9, False, "5m"),
        ("claude-sonnet-5", 3_000, 9, False, ""),
        ("claude-sonnet-5-5", 3_000, 9, False, "5m"),
        ("claude-opus-4-7", 6_200, 9, True, "1h"),
        ("some-model-of-the-future", 99_000, 9, True, ""),
    ],
)
def test_when_it_pays(model, characters, requests, message_batch, expected):
    assert lifetime(model, "x" * characters, requests, message_batch=message_batch) == expected


def test_what_requests_begin_with_is_the_same_to_the_byte_whatever_their_records_are():
    records: list[list[Record]] = [
        [{"record_id": str(n), "content": f"text {n}"}] * n for n in range(1, 4)
    ]
    requests = [ask_about(JOB, MODEL, chunk, lifetime="1h") for chunk in records]
    (system,) = {str(params["system"]) for params in requests}
    assert requests[0]["system"] == [
        {
            "type": "text",
            "text": system_prompt(JOB),
            "cache_control": {"type": "ephemeral", "ttl": "1h"},
        }
    ], system
    assert len({str((params["output_config"], params["thinking"])) for params in requests}) == 1
    assert ask_about(JOB, MODEL, records[0])["system"] == system_prompt(JOB)
    assert not Request("r", {}).warms


@pytest.mark.parametrize("model", [m for m in MODELS.values() if m.lifecycle != "retired"])
def test_the_table_of_minimums_holds_every_model_in_service(model):
    assert lifetime(model.id, "x" * 3 * model.cache_minimum, 9, message_batch=False) == "5m"
    assert lifetime(model.id, "x" * (3 * model.cache_minimum - 4), 9, message_batch=False) == ""
