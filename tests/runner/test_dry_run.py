"""--dry-run: what it says before anything is spent, and where its figures come from."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

import bulk_classifier
import data_enrichment
from common.claude import pricing
from common.claude.pricing import Tokens
from rigs.harness import json_of
from rigs.installation import snapshot
from rigs.record_jobs import JOBS, events, run

NOBODY = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}


@JOBS
def test_with_a_key_the_tokens_are_counted_on_a_sample_and_nothing_is_paid_or_changed(claude, job):
    site = claude(message_batch_seconds=0.0)
    events(site)
    before = snapshot(site.root)
    result = run(site, job, "--dry-run")
    assert (result.code, result.log) == (0, "")
    assert (
        "Input tokens are those that count_tokens says of 5 records, for all of them."
        in result.stdout
    )
    assert site.standin.counts["requests"] == {"/v1/messages/count_tokens": 1, "/v1/models/{id}": 1}
    assert site.billed() == [] and snapshot(site.root) == before


@JOBS
def test_the_counted_estimate_is_within_a_twentieth_of_what_is_then_sent(claude, job):
    site = claude(message_batch_seconds=0.0)
    events(site)
    counted = json_of(run(site, job, "--dry-run", "--json"))
    real = json_of(run(site, job, "--json"))
    assert (counted["records"], counted["requests"]) == (real["records"], real["requests"])
    assert counted["input_tokens"] == pytest.approx(real["input_tokens"], rel=0.05)
    assert counted["counted_on"] == 5 and counted["note"] == ""


def test_both_deliveries_stand_side_by_side_priced_from_the_tokens_above_them(claude):
    site = claude()
    events(site)
    found = json_of(run(site, bulk_classifier.JOB, "--dry-run", "--json"))
    whole = Tokens(input=found["input_tokens"], output=found["output_tokens"])
    live = pricing.usd(found["model"], whole, datetime.now(UTC).date())
    assert live is not None
    assert found["usd_live"] == pytest.approx(live)
    assert found["usd_message_batch"] == pytest.approx(live / 2)
    words = run(site, bulk_classifier.JOB, "--dry-run").stdout
    assert re.search(
        rf"^  live +\${live:.4f}\n  message batch +\${live / 2:.4f}$", words, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({**NOBODY}, "Claude cannot be reached: connection: ConnectError)."),
        ({**NOBODY, "ANTHROPIC_API_KEY": ""}, "ANTHROPIC_API_KEY is not set: put it into .env"),
        (
            {"ANTHROPIC_BASE_URL": "http://example.com"},
            "ANTHROPIC_BASE_URL=http://example.com: must begin with https://",
        ),
    ],
)
def test_without_a_key_or_a_network_it_estimates_and_says_why(site, environ, why):
    events(site)
    result = site.run(bulk_classifier.JOB, "--dry-run", **environ)
    assert (result.code, result.log) == (0, "")
    assert f"Input tokens are estimated from the texts' length ({why}" in result.stdout
    assert "records                  40" in result.stdout
    assert not (site.root / "state").exists()


@pytest.mark.parametrize("kind", ["401", "404", "429", "500", "reset", "html", "cut"])
@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/models/{id}"])
def test_a_call_that_fails_is_not_made_again_and_stops_nothing(claude, kind, path):
    method = {"method": "GET"} if path.startswith("/v1/models") else {}
    site = claude(faults=[{"kind": kind, "path": path, **method}])
    events(site)
    result = site.run(bulk_classifier.JOB, "--dry-run", "--json")
    assert (result.code, result.log) == (0, ""), result.log
    found = json_of(result)
    assert found["counted_on"] == 0 and found["note"]
    assert found["records"] == 40 and found["usd_live"] > 0
    assert site.standin.counts["requests"][path] == 1


def test_a_model_without_a_price_is_unknown_and_never_free(claude):
    site = claude()
    events(site)
    result = run(site, data_enrichment.JOB, "--dry-run", "--model", "some-model-of-the-future")
    assert result.code == 0, result.log
    assert len(re.findall(r"unknown \(no price in prices.json\)", result.stdout)) == 2


def test_with_nothing_to_send_nobody_is_asked(claude):
    site = claude()
    site.events([])
    found = json_of(run(site, bulk_classifier.JOB, "--dry-run", "--json"))
    assert (found["records"], found["requests"], found["usd_live"]) == (0, 0, 0)
    assert site.standin.counts["requests"] == {}


def test_a_demo_counts_with_its_stand_in_and_needs_no_key(site):
    result = site.run(bulk_classifier.JOB, "--demo", "--dry-run", ANTHROPIC_API_KEY="", **NOBODY)
    assert (result.code, result.log) == (0, "")
    assert "count_tokens says of 50 records" in result.stdout
    assert [path.name for path in (site.root / "state/demo").iterdir()] == ["_records.db"]
