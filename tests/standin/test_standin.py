"""The stand-in over HTTP: what it answers, counts and bills, and how it is started."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anthropic
import pytest

from rigs.standin_requests import (
    MODEL,
    Digest,
    ask,
    client,
    params,
    post,
    records,
    serving,
    text_of,
)
from standin.scripted_faults import BadRule
from standin.standin import StandIn

JOBS = Path(__file__).parents[2] / "jobs"


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


@pytest.fixture
def claude(standin: StandIn) -> Iterator[anthropic.Anthropic]:
    with client(standin) as made:
        yield made


def test_an_answer_has_the_shape_the_sdk_expects(claude: anthropic.Anthropic) -> None:
    message = ask(claude, "Where is my parcel?")
    assert message.role == "assistant"
    assert message.model == MODEL
    assert message.stop_reason == "end_turn"
    assert message._request_id is not None
    assert message._request_id.startswith("req_")
    assert text_of(message)
    assert message.usage.service_tier == "standard"


def test_every_answer_names_its_request_and_the_organisation(standin: StandIn) -> None:
    for method, path in (("GET", "/v1/models"), ("GET", "/v1/nothing"), ("POST", "/v1/messages")):
        _, headers, _ = post(standin, {}, path, method)
        assert headers["request-id"].startswith("req_")
        assert headers["anthropic-organization-id"]


def test_each_answer_and_request_has_an_id_of_its_own(claude: anthropic.Anthropic) -> None:
    messages = [ask(claude) for _ in range(5)]
    assert len({message.id for message in messages}) == 5
    assert len({message._request_id for message in messages}) == 5


def test_a_stream_is_refused_since_no_job_asks_for_one(claude: anthropic.Anthropic) -> None:
    request = params(records("Where is my parcel?"), Digest)
    with pytest.raises(anthropic.BadRequestError, match="does not stream"):
        claude.messages.create(**request, stream=True)


def test_models_are_listed_and_shown(claude: anthropic.Anthropic) -> None:
    listed = {model.id: model for model in claude.models.list(limit=7)}
    assert len(listed) > 20, "all pages are followed"
    active = [model.id for model in claude.models.list(lifecycle=["active"])]
    assert "claude-sonnet-4-5" not in active
    assert MODEL in active
    haiku = claude.models.retrieve(MODEL)
    assert haiku.lifecycle == "active"
    assert haiku.max_tokens == 128_000
    assert haiku.capabilities is not None
    types = haiku.capabilities.thinking.types
    assert types.disabled.supported
    assert not types.between_tools.supported
    sonnet = claude.models.retrieve("claude-sonnet-5-5").capabilities
    assert sonnet is not None
    assert not sonnet.thinking.types.disabled.supported


def test_the_sdk_knows_no_model_that_the_stand_in_does_not(claude: anthropic.Anthropic) -> None:
    from typing import get_args

    from anthropic.types.model import Model

    known = set(get_args(get_args(Model)[0]))
    assert {model.id for model in claude.models.list()} == known


def test_tokens_are_a_quarter_of_the_bytes_rounded_up(claude: anthropic.Anthropic) -> None:
    message = ask(claude, "12345", system="äö")
    assert message.usage.input_tokens == 3  # 5 + 4 bytes
    assert message.usage.output_tokens == -(-len(text_of(message).encode()) // 4)


def test_counted_tokens_are_those_that_are_billed(
    standin: StandIn, claude: anthropic.Anthropic
) -> None:
    request = params(records("Wo bleibt mein Päckchen?"), Digest, system="Read the records.")
    counted = claude.messages.count_tokens(
        **{name: value for name, value in request.items() if name != "max_tokens"}
    )
    message = claude.messages.create(**request)
    schema = json.dumps(
        request["output_config"]["format"]["schema"], separators=(",", ":"), ensure_ascii=False
    )
    sent = request["system"] + request["messages"][0]["content"] + schema
    assert counted.input_tokens == message.usage.input_tokens == -(-len(sent.encode()) // 4)
    assert standin.billed[-1]["input_tokens"] == counted.input_tokens


def test_an_answer_longer_than_max_tokens_is_cut_there(claude: anthropic.Anthropic) -> None:
    message = ask(claude, records("Where is my parcel?"), Digest, max_tokens=20)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 20
    assert len(text_of(message)) == 80
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(message))


def marked(text: str, **more: str) -> list[dict[str, object]]:
    return [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", **more}}]


def test_a_long_marked_prefix_is_written_once_and_read_from_then_on(
    standin: StandIn, claude: anthropic.Anthropic
) -> None:
    system = marked("word" * 600)
    first = ask(claude, "one two", system=system).usage
    second = ask(claude, "three four", system=system).usage
    assert first.cache_creation_input_tokens == 600
    assert first.cache_creation is not None
    assert first.cache_creation.ephemeral_5m_input_tokens == 600
    assert first.cache_read_input_tokens == 0
    assert first.input_tokens == 2
    assert second.cache_creation_input_tokens == 0
    assert second.cache_read_input_tokens == 600
    assert second.input_tokens == 3
    assert standin.billed[0]["cache_write_tokens"] == 600
    assert standin.billed[1]["cache_read_tokens"] == 600


def test_the_prompt_cache_keeps_models_lifetimes_and_formats_apart(
    claude: anthropic.Anthropic,
) -> None:
    long_lived = ask(claude, system=marked("word" * 600, ttl="1h")).usage
    assert long_lived.cache_creation is not None
    assert long_lived.cache_creation.ephemeral_1h_input_tokens == 600
    other_model = ask(claude, system=marked("word" * 600), model="claude-opus-5-5").usage
    assert other_model.cache_creation_input_tokens == 600
    other_format = ask(claude, "Hello", Digest, system=marked("word" * 600)).usage
    assert other_format.cache_creation_input_tokens == 600


def test_a_prefix_under_the_models_minimum_is_not_cached(claude: anthropic.Anthropic) -> None:
    for _ in range(2):
        usage = ask(claude, system=marked("word" * 511)).usage
        assert usage.cache_creation_input_tokens == usage.cache_read_input_tokens == 0
    usage = ask(claude, system=marked("word" * 600), model="claude-opus-4-7").usage
    assert usage.cache_creation_input_tokens == 0


def test_each_generation_is_billed_in_memory_and_in_the_file(tmp_path: Path) -> None:
    with serving(billed=tmp_path / "billed.jsonl") as (standin, claude):
        message = ask(claude, records("One", "Two", first=7), Digest)
        ask(claude, '<findings day="2026-11-21" records="2"><finding key="1" section="a"'
            ' records="2">Tea: hot</finding></findings>')  # fmt: skip
        with pytest.raises(anthropic.BadRequestError):
            ask(claude, "")
        lines = [json.loads(line) for line in (tmp_path / "billed.jsonl").read_text().splitlines()]
        assert lines == standin.billed
    assert lines[0] == {
        "id": message.id,
        "custom_id": None,
        "model": MODEL,
        "input_tokens": message.usage.input_tokens,
        "output_tokens": message.usage.output_tokens,
        "cache_write_tokens": 0,
        "cache_write_1h_tokens": 0,
        "cache_read_tokens": 0,
        "tier": "standard",
        "records": ["7", "8"],
        "finding_keys": 0,
    }
    assert [line["finding_keys"] for line in lines] == [0, 1]


def test_requests_in_flight_are_counted_and_latency_is_shared() -> None:
    with serving(latency=0.3) as (standin, claude), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ask(claude), range(16)))
        _, _, counts = post(standin, b"", "/stand-in/counts", "GET", headers={})
    assert counts["requests"] == {"/v1/messages": 16, "/stand-in/counts": 1}
    assert counts["calls"]["POST /v1/messages"] == 16
    assert counts["billed"] == 16
    assert counts["in_flight_max"] == 8


def test_one_connection_carries_many_requests(standin: StandIn) -> None:
    import http.client

    connection = http.client.HTTPConnection(standin.url.removeprefix("http://"))
    headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    connection.connect()
    port = connection.sock.getsockname()
    for _ in range(3):
        connection.request("POST", "/v1/messages", json.dumps(params()), headers)
        assert connection.getresponse().read()
        assert connection.sock.getsockname() == port
    connection.close()


def test_the_command_prints_its_url_alone_and_ends_on_term(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"kind": "529", "times": 1}]')
    command = [sys.executable, "-m", "standin.standin", "--port", "0", "--faults", str(faults)]
    command += ["--state", str(tmp_path / "state"), "--billed", str(tmp_path / "billed.jsonl")]
    with subprocess.Popen(
        command, cwd=JOBS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        try:
            with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as claude:
                with pytest.raises(anthropic.OverloadedError):
                    ask(claude)
                assert ask(claude).stop_reason == "end_turn"
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""
    assert len((tmp_path / "billed.jsonl").read_text().splitlines()) == 1


def test_a_bad_rule_ends_the_command_with_the_reason(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"kind": "530"}]')
    done = subprocess.run(
        [sys.executable, "-m", "standin.standin", "--faults", str(faults)],
        cwd=JOBS, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert "fault rule 1: unknown kind '530'; known: 400" in done.stderr


def test_a_port_that_is_taken_is_an_error_where_it_was_asked_for(standin: StandIn) -> None:
    taken = int(standin.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"), StandIn(port=taken):
        pass


def test_a_bad_rule_is_an_error_before_anything_is_served() -> None:
    with pytest.raises(BadRule, match="unknown key 'each' in when"):
        StandIn(faults=[{"kind": "500", "when": {"each": 3}}])
