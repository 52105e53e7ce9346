"""What a model takes: by the Models API, by a gateway that has none, and for how long yet."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.claude.models_api import Model, model_of
from rigs.message_batch_site import fill, go
from rigs.own_jobs import labels
from rigs.report_site import events, requests_sent
from standin.fault_kinds import MODEL
from standin.models import MODELS, shown

DAY = "2026-11-21"
NO = {"supported": False}
CAPABILITIES = shown(MODELS["claude-haiku-5-5"])["capabilities"]
UNKNOWN_ROUTES = [
    {"kind": "404", "page": "<html>404 page not found</html>"},
    {"kind": "404", "page": '{"detail":"Not Found"}'},
    {"kind": "404", "page": '{"error":{"type":"invalid_request_error","message":"no model"}}'},
    {"kind": "404", "page": ""},
    {"kind": "405"},
    {"kind": "405", "page": "Method Not Allowed"},
    {"kind": "501"},
    {"kind": "501", "page": "<html>Not Implemented</html>"},
]
ODD_MODELS = [
    {"without": ["capabilities"]},
    {"fields": {"capabilities": "all"}},
    {"fields": {"capabilities": {"thinking": "yes", "effort": [], "structured_outputs": None}}},
    {"fields": {"max_tokens": "many", "retires_at": "some day"}},
    {"fields": {"max_tokens": -1, "retires_at": 5, "id": ""}},
    {"fields": {"object": "model", "owned_by": "gateway"}, "without": ["capabilities", "type"]},
]


def warnings(log: str) -> list[str]:
    return [line for line in log.splitlines() if " WARN " in line]


@pytest.mark.parametrize("rule", UNKNOWN_ROUTES, ids=str)
def test_a_gateway_that_knows_no_models_is_used_with_one_warning(claude, rule):
    site = claude(faults=[{**rule, "path": MODEL}])
    site.events(events(DAY, 5))
    result = site.run(labels(), "--chunk-size", "1")
    assert result.code == 0, result.log
    (warning,) = warnings(result.log)
    assert "ANTHROPIC_BASE_URL does not say what claude-haiku-5-5 takes" in warning
    assert site.standin.counts["requests"][MODEL] == 1
    assert float(result.summary["usd"]) > 0
    assert requests_sent(site) == 5


@pytest.mark.parametrize("change", ODD_MODELS, ids=str)
def test_a_gateway_may_say_of_a_model_what_it_likes(claude, change):
    site = claude(faults=[{"kind": "changed", **change, "path": MODEL}])
    site.events(events(DAY, 5))
    result = site.run(labels())
    assert "Traceback" not in result.log
    if "id" not in change.get("fields", {}):
        assert result.code == 0, result.log


@pytest.mark.parametrize("kind", ["500", "502", "503", "529"])
def test_a_gateway_that_is_down_is_asked_again(claude, kind):
    site = claude(faults=[{"kind": kind, "path": MODEL, "times": 3}])
    site.events(events(DAY, 5))
    result = site.run(labels())
    assert result.code == 0, result.log
    assert site.standin.counts["requests"][MODEL] == 4


def test_claudes_own_404_still_blames_the_model(claude):
    site = claude()
    site.events(events(DAY, 5))
    result = site.run(labels(), "--model", "claude-nonsense")
    assert result.code == 78
    assert "claude-nonsense; set CLAUDE_MODEL or --model" in result.log
    assert requests_sent(site) == 0


def test_an_address_that_knows_no_message_either_is_a_wrong_setting_and_blames_no_record(claude):
    page = {"kind": "404", "page": "<html>404 page not found</html>"}
    site = claude(faults=[page, {**page, "path": MODEL}])
    site.events(events(DAY, 5))
    result = site.run(labels())
    assert result.code == 78, result.log
    assert "(check ANTHROPIC_BASE_URL)" in result.log
    assert requests_sent(site) == 1
    assert site.ledger("select status, count(*) from records", "labels") == [("waiting", 5)]


@pytest.mark.parametrize("ending", ["/v1", "/v1/", "/", "//", "/v1/messages", "/v1/messages/"])
def test_the_version_at_the_end_of_a_base_url_is_taken_off(claude, ending):
    site = claude()
    site.events(events(DAY, 2))
    result = site.run(labels(), ANTHROPIC_BASE_URL=site.standin.url + ending)
    assert result.code == 0, result.log
    assert set(site.standin.counts["requests"]) == {MODEL, "/v1/messages"}


def test_a_model_without_structured_outputs_is_refused_before_anything_is_sent(claude):
    without = {"capabilities": {**CAPABILITIES, "structured_outputs": NO}}
    site = claude(faults=[{"kind": "changed", "fields": without, "path": MODEL}])
    site.events(events(DAY, 20))
    for arguments in ((), ("--message-batch",), ("--dry-run",)):
        result = site.run(labels(), *arguments)
        assert result.code == 78, result.log
        assert (
            "claude-haiku-5-5 has no structured outputs, which every job needs: set CLAUDE_MODEL or"
            " --model"
        ) in result.log
    assert requests_sent(site) == 0
    assert site.ledger("select count(*) from records", "labels") == [(0,)]


def test_a_model_that_takes_no_message_batches_is_refused_with_the_way_on(claude):
    without = {"capabilities": {**CAPABILITIES, "batch": NO}}
    site = claude(faults=[{"kind": "changed", "fields": without, "path": MODEL}])
    fill(site, 14)
    result = go(site)
    assert result.code == 78, result.log
    assert "claude-haiku-5-5 takes no message batches: run with --live" in result.log
    assert requests_sent(site) == 0
    assert go(site, by="--live").code == 0


@pytest.mark.parametrize("said", [{}, {"id": 5}, {"capabilities": []}, {"capabilities": {}}])
def test_what_is_not_said_of_a_model_is_assumed_so_that_a_request_passes(said):
    model = model_of(said, "claude-any")
    assert (model.id, model.max_tokens, model.thinking) == ("claude-any", 32_000, None)
    assert model.structured_outputs and model.message_batches
    assert Model("claude-any").thinks and not Model("claude-any").described


@pytest.mark.parametrize(
    ("today", "told"),
    [
        (datetime(2026, 10, 30, 2, tzinfo=UTC), False),
        (datetime(2026, 10, 31, 2, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 2, tzinfo=UTC), True),
        (datetime(2026, 12, 2, 2, tzinfo=UTC), True),
    ],
)
def test_a_model_that_is_retired_within_a_month_is_warned_of_once_a_day(claude, today, told):
    site = claude()
    site.today = today
    line = "model claude-sonnet-4-5 is retired on 2026-11-30: set CLAUDE_MODEL to another in time"
    for run in range(3):
        site.events(events(DAY, 2, first=1 + 2 * run))
        result = site.run(labels(), "--model", "claude-sonnet-4-5")
        assert result.code == 0, result.log
        assert (line in result.log) is (told and run == 0)


def test_the_warning_comes_again_the_next_day_and_for_another_model(claude, monkeypatch):
    site = claude()
    site.today = datetime(2026, 11, 29, 2, tzinfo=UTC)
    words = "is retired on 2026-11-30"
    for first, day, told in ((1, "2026-11-28", True), (3, "2026-11-28", False), (5, DAY, True)):
        monkeypatch.setattr(
            "common.times.now", lambda day=day: datetime.fromisoformat(f"{day}T02:00:00+00:00")
        )
        site.events(events(DAY, 2, first=first))
        result = site.run(labels(), "--model", "claude-sonnet-4-5")
        assert (words in result.log) is told, result.log
    site.events(events(DAY, 2, first=7))
    assert words in site.run(labels(), "--model", "claude-sonnet-4-5-20250929").log
