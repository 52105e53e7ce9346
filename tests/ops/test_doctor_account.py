"""doctor on key, model, price and clock: one free call, and what each answer to it means."""

from __future__ import annotations

import http.server
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from ops.examination import claude_account
from rigs.doctor_fixtures import (
    JOB,
    KEY,
    furnish,
    installation,
    levels,
    said,
    write_dotenv,
    write_job,
)
from standin.standin import StandIn

ERROR = "invalid_request_error"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn(state=None) as started:
        yield started


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return furnish(tmp_path.resolve())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "ok key, model: key …LAST is good, and claude-haiku-5-5 is in service"),
        (
            {"ANTHROPIC_API_KEY": "sk-invalid-0123456789abcd"},
            "FAIL key, model: claude-haiku-5-5: 401",
        ),
        (
            {"ANTHROPIC_API_KEY": "sk-nobilling-0123456789ab"},
            "FAIL key, model: claude-haiku-5-5: 402",
        ),
        ({"ANTHROPIC_API_KEY": ""}, "FAIL key, model: ANTHROPIC_API_KEY is not set"),
        ({"CLAUDE_MODEL": "claude-nonsense"}, "FAIL key, model: claude-nonsense: 404"),
        (
            {"CLAUDE_MODEL_MINE": "claude-mythos-preview"},
            "FAIL key, model: claude-mythos-preview is retired",
        ),
        (
            {"CLAUDE_MODEL": "claude-sonnet-4-5"},
            "warn key, model: claude-sonnet-4-5 is deprecated and",
        ),
        (
            {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"},
            "FAIL key, model: claude-haiku-5-5: connection",
        ),
        ({"ANTHROPIC_BASE_URL": "http://example.com"}, "FAIL key, model: ANTHROPIC_BASE_URL=http"),
    ],
)
def test_one_free_call_says_whether_key_and_model_will_do(
    root, standin, monkeypatch, settings, expected
):
    monkeypatch.setattr("common.times.now", lambda: datetime(2026, 11, 22, tzinfo=UTC))
    lines = said(claude_account.check(installation(root, write_dotenv(root, standin, **settings))))
    assert lines[0].startswith(expected), lines
    assert standin.billed == []


def test_each_model_is_asked_about_once_whatever_the_number_of_jobs(root, standin):
    for name in ("two", "three"):
        write_job(root, name)
    values = write_dotenv(root, standin, CLAUDE_MODEL_THREE="claude-opus-5")
    lines = list(claude_account.check(installation(root, values)))
    assert levels(lines)[:2] == ["ok", "ok"]
    assert standin.counts["requests"] == {"/v1/models/{id}": 2, "/v1/messages/count_tokens": 3}


COUNT = "/v1/messages/count_tokens"


def test_a_schema_that_claude_refuses_is_found_for_free_and_nobodys_words_travel(root):
    with sqlite3.connect(root / "records.db") as db:
        db.execute("insert into events (content) values ('a customer wrote this')")
    db.close()
    message = "output_config.format.schema: Schema is too complex for compilation."
    with StandIn(state=None, faults=[{"kind": "400", "message": message, "path": COUNT}]) as strict:
        lines = said(claude_account.check(installation(root, write_dotenv(root, strict))))
        assert strict.billed == [] and strict.counts["requests"][COUNT] == 1
    assert lines[0].startswith("ok key, model")
    refused = f"FAIL job mine: Claude refuses its requests, whatever the record: 400 {ERROR}: "
    assert lines[1] == f"{refused}{message} -> mend jobs/mine.py"


@pytest.mark.parametrize("kind", ["401", "404", "405", "429", "500", "reset", "html"])
def test_an_address_that_does_not_count_tokens_says_nothing_about_a_job(root, kind):
    with StandIn(state=None, faults=[{"kind": kind, "path": COUNT}]) as gateway:
        lines = list(claude_account.check(installation(root, write_dotenv(root, gateway))))
    assert not [line for line in lines if line.subject == "job mine"]
    assert levels(lines)[0] == "ok"


def test_a_passing_fault_is_a_warning(root):
    with StandIn(
        state=None,
        faults=[
            {
                "kind": "529",
                "when": {"every": 1},
                "method": "GET",
                "path": "/v1/models/{id}",
            }
        ],
    ) as busy:
        lines = said(claude_account.check(installation(root, write_dotenv(root, busy))))
    assert lines[0].startswith("warn key, model: claude-haiku-5-5: 529") and "again" in lines[0]


@pytest.mark.parametrize("kind", ["404", "405", "501"])
def test_an_address_that_knows_no_models_is_a_warning(root, kind):
    page = {"kind": kind, "page": "<html>none</html>", "path": "/v1/models/{id}"}
    with StandIn(state=None, faults=[page]) as gateway:
        values = write_dotenv(root, gateway, ANTHROPIC_BASE_URL=f"{gateway.url}/v1")
        lines = said(claude_account.check(installation(root, values)))
    assert lines[0].startswith("warn key, model: ANTHROPIC_BASE_URL does not know about models")
    assert "--limit 1" in lines[0]


def test_a_page_of_some_proxy_in_place_of_a_model_is_a_fault_and_no_bug(root):
    page = {"kind": "html", "path": "/v1/models/{id}"}
    with StandIn(state=None, faults=[page]) as portal:
        lines = said(claude_account.check(installation(root, write_dotenv(root, portal))))
    assert lines[0].startswith("FAIL key, model: claude-haiku-5-5: an answer that is not JSON")


@pytest.mark.parametrize(
    ("capped", "level"), [("", "warn"), ("MAX_COST_USD", "FAIL"), ("MAX_COST_USD_MONTH", "FAIL")]
)
def test_a_model_without_a_price_is_a_warning_and_a_failure_under_a_cost_cap(capped, level):
    now = datetime(2026, 11, 22, tzinfo=UTC)
    said_of = claude_account.Said({"lifecycle": "active"})
    lines = list(claude_account.about("claude-new", said_of, now, key=KEY, capped=capped))
    assert levels(lines) == ["ok", level] and lines[1].subject == "price"
    assert f"so {capped} cannot be kept" in lines[1].text or not capped


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ({"lifecycle": "active"}, "ok"),
        ({"lifecycle": "active", "retires_at": "2026-12-01T00:00:00Z"}, "warn"),
        ({"lifecycle": "active", "retires_at": "2026-12-22T00:00:00Z"}, "warn"),
        ({"lifecycle": "active", "retires_at": "2026-12-23T00:00:00Z"}, "ok"),
        ({"lifecycle": "active", "retires_at": "some day"}, "ok"),
        ({"capabilities": {"structured_outputs": {"supported": False}}}, "FAIL"),
        ({"capabilities": {"structured_outputs": {"supported": True}}}, "ok"),
        ({"capabilities": "all", "retires_at": 5}, "ok"),
        ({"lifecycle": "deprecated"}, "warn"),
        ({"lifecycle": "retired"}, "FAIL"),
        ({"lifecycle": "deprecated", "retires_at": "2026-11-21T00:00:00Z"}, "FAIL"),
    ],
)
def test_a_model_is_judged_by_its_life_and_by_the_date(answer, level):
    now = datetime(2026, 11, 22, tzinfo=UTC)
    given = claude_account.Said(answer)
    lines = claude_account.about("claude-haiku-5-5", given, now, key=KEY, capped="")
    assert levels(lines) == [level]


class Dated(http.server.BaseHTTPRequestHandler):
    """Answers with 401, and with the time of a clock ten minutes ahead of ours."""

    def do_GET(self):
        self.send_response_only(401)
        at = datetime.now(UTC) + timedelta(minutes=10)
        self.send_header("date", format_datetime(at, usegmt=True))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_clock_is_compared_with_the_date_of_the_answer_whatever_it_says(root, standin):
    with http.server.HTTPServer(("127.0.0.1", 0), Dated) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        values = write_dotenv(root, standin, ANTHROPIC_BASE_URL=url)
        lines = said(claude_account.check(installation(root, values)))
        server.shutdown()
    assert lines[1].startswith("warn clock: ") and "behind Claude's" in lines[1]


@pytest.mark.parametrize(
    ("year", "ahead", "level"),
    [
        (2026, 0, "ok"),
        (2026, 121, "warn"),
        (2026, -121, "warn"),
        (2026, None, "ok"),
        (2025, 0, "FAIL"),
    ],
)
def test_a_clock_that_is_minutes_off_is_a_warning_and_one_of_years_a_failure(year, ahead, level):
    assert claude_account.clock(datetime(year, 11, 22, tzinfo=UTC), ahead).level == level


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "socks5://proxy.example:1080"), ("SSL_CERT_FILE", "/nowhere")],
)
def test_a_variable_that_bars_the_way_to_claude_is_named(root, standin, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert levels(claude_account.check(installation(root, write_dotenv(root, standin))))[0] == "ok"
    values = write_dotenv(root, standin, ANTHROPIC_BASE_URL="https://claude.invalid")
    lines = said(claude_account.check(installation(root, values)))
    assert lines[0].startswith(f"FAIL key, model: claude-haiku-5-5: {name}={value}: "), lines


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-sonnet-5-5", "ok key, model: key …LAST is good, and claude-sonnet-5-5 is in"),
        ("claude-nonsense-9", "FAIL key, model: claude-nonsense-9: 404"),
        ("claude-mythos-preview", "FAIL key, model: claude-mythos-preview is retired"),
    ],
)
def test_the_model_of_second_opinions_is_tried_too_and_the_remedy_names_the_job(
    root, standin, model, expected
):
    code = JOB.replace("Job(", f'Job(second_opinion="{model}", ', 1)
    write_job(root, "opined", code)
    lines = said(claude_account.check(installation(root, write_dotenv(root, standin))))
    of_second = [line for line in lines if model in line]
    assert of_second[0].startswith(expected), lines
    assert ("set second_opinion in jobs/opined.py" in of_second[0]) == ("FAIL" in expected)
    assert "CLAUDE_MODEL" not in "".join(of_second)
