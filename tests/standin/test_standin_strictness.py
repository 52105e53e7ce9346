"""The stand-in refuses what the API refuses: keys, parameters, content, tools."""

import json

import anthropic
import pytest

from rigs.standin_requests import MODEL, Digest, ask, client, params, post, records, refusal
from standin.standin import StandIn

COUNT = "/v1/messages/count_tokens"
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://shop.example/a.png"}}


@pytest.fixture(scope="module")
def standin():
    with StandIn() as running:
        yield running


def said(content: object, role: str = "user") -> list[dict[str, object]]:
    return [{"role": role, "content": content}]


# Keys, versions and paths.


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("sk-invalid-1", anthropic.AuthenticationError),
        ("sk-nobilling-1", anthropic.PaymentRequiredError),
        ("sk-forbidden-1", anthropic.PermissionDeniedError),
    ],
)
def test_a_key_made_to_be_refused_is_refused_everywhere(standin, key, error) -> None:
    with client(standin, key) as claude:
        for call in (
            lambda: ask(claude),
            lambda: claude.models.retrieve(MODEL),
            claude.messages.batches.list,
        ):
            with pytest.raises(error):
                call()


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer "}, {"authorization": ""}, {"x-api-key": ""}]
)
def test_no_key_is_an_authentication_error(standin, headers) -> None:
    status, _, answer = post(
        standin, params(), headers=headers | {"anthropic-version": "2026-10-21"}
    )
    assert status == 401
    assert answer["error"]["type"] == "authentication_error"


def test_older_clients_may_send_their_key_in_its_own_header(standin) -> None:
    status, _, _ = post(
        standin, params(), headers={"x-api-key": "k", "anthropic-version": "2023-06-01"}
    )
    assert status == 200


@pytest.mark.parametrize("version", [{}, {"anthropic-version": "2026-01-01"}])
def test_a_version_is_needed_and_must_be_known(standin, version) -> None:
    status, _, answer = post(standin, params(), headers={"authorization": "Bearer k"} | version)
    assert status == 400
    assert answer["error"]["message"].startswith("anthropic-version: ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/v1/complete", 404),
        ("GET", "/v1/models/claude-nobody", 404),
        ("GET", "/v1/messages/batches/msgbatch_none", 404),
        ("GET", "/v1/messages/batches/msgbatch_none/results", 404),
        ("POST", "/v1/messages/batches/msgbatch_none/cancel", 404),
        ("DELETE", "/v1/messages/batches/msgbatch_none", 404),
        ("GET", "/v1/messages", 405),
        ("DELETE", "/v1/models", 405),
    ],
)
def test_an_unknown_path_or_method_is_not_found(standin, method, path, status) -> None:
    got, _, answer = post(standin, b"", path, method)
    assert got == status
    assert status == 405 or answer["error"]["type"] == "not_found_error"


# The body.


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b"[" * 100_000,
        json.dumps(params("\ud800")).encode(),
    ],
)
def test_what_is_not_json_is_refused(standin, raw) -> None:
    assert "not valid JSON" in refusal(standin, raw)


def test_odd_but_legal_characters_are_taken(standin) -> None:
    with client(standin) as claude:
        assert ask(claude, "NUL \x00, \U0001f375, \u2028, \x7f").stop_reason == "end_turn"


def test_a_body_over_32_megabytes_gets_the_proxys_page(standin) -> None:
    status, headers, page = post(standin, params("x" * (32 << 20)))
    assert status == 413
    assert headers["content-type"].startswith("text/html")
    assert b"413" in page
    with client(standin) as claude, pytest.raises(anthropic.ContentTooLargeError) as error:
        ask(claude, "x" * (32 << 20))
    assert error.value.type is None


def test_a_prompt_longer_than_the_context_is_refused(standin) -> None:
    words = refusal(standin, params("x" * 800_004, model="claude-haiku-4-5"))
    assert words == "prompt is too long: 200001 tokens > 200000 maximum"


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k", "prompt", "fallbacks"])
def test_an_unknown_parameter_is_named(standin, name) -> None:
    words = f"{name}: Extra inputs are not permitted"
    assert refusal(standin, params() | {name: 1}) == words
    counted = {key: value for key, value in params().items() if key != "max_tokens"}
    assert refusal(standin, counted | {name: 1}, COUNT) == words


def test_count_tokens_takes_no_max_tokens(standin) -> None:
    assert refusal(standin, params(), COUNT) == "max_tokens: Extra inputs are not permitted"


def test_older_models_take_temperature_in_the_version_of_2023(standin) -> None:
    headers = {"authorization": "Bearer k", "anthropic-version": "2023-06-01"}
    for model, status in (("claude-sonnet-4-6", 200), (MODEL, 400)):
        got, _, _ = post(standin, params(model=model, temperature=0), headers=headers)
        assert got == status


@pytest.mark.parametrize("name", ["model", "max_tokens", "messages"])
def test_a_missing_parameter_is_named(standin, name) -> None:
    body = {key: value for key, value in params().items() if key != name}
    assert refusal(standin, body) == f"{name}: Field required"


@pytest.mark.parametrize("model", ["claude-nobody-1", "claude-mythos-preview", ""])
def test_an_unknown_or_retired_model_is_not_found(standin, model) -> None:
    assert model in refusal(standin, params(model=model), status=404, kind="not_found_error")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": 128_001}, "max_tokens: 128001 > 128000"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"messages": []}, "at least one message"),
        ({"messages": "hi"}, "messages: Input should be a valid list"),
        ({"messages": said("")}, "messages: text content blocks must be non-empty"),
        ({"messages": said(" \n")}, "messages: text content blocks must contain non-whitespace"),
        ({"messages": said([])}, "must have non-empty content"),
        ({"messages": said([{"type": "text", "text": ""}])}, "must be non-empty"),
        ({"messages": said([{"type": "song"}])}, "Input tag 'song'"),
        ({"messages": said("hi", "robot")}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "a", "name": "b"}]}, "messages.0.name: Extra"),
        ({"messages": [*said("a", "assistant"), *said("b")]}, "first message"),
        ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-"),
        ({"system": 3}, "system: Input should be"),
        ({"metadata": {"user": "x"}}, "metadata.user: Extra inputs"),
        ({"service_tier": "batch"}, "service_tier: Input should be"),
        ({"stop_sequences": [" "]}, "stop_sequences"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort: Input should be one of"),
        ({"output_config": {"style": "x"}}, "output_config.style: Extra inputs"),
        ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
        ({"output_format": {}}, "output_format: Extra inputs"),
        ({"thinking": {"type": "off"}}, "thinking: Input tag 'off'"),
        ({"thinking": {"type": "disabled", "budget_tokens": 1}}, "Extra inputs"),
        ({"thinking": {"type": "adaptive", "display": "loud"}}, "thinking.adaptive.display"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id: Input should be a valid string"),
        ({"system": None}, "system: Input should not be null"),
        ({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}, "tools.0.name"),
        ({"tools": [{"name": "a", "input_schema": {}}]}, "tools.0.custom.input_schema.type"),
    ],
)
def test_a_value_the_api_does_not_take_is_refused(standin, changed, words) -> None:
    assert words in refusal(standin, params(**changed))


def test_prefill_is_refused_by_4_6_and_later_and_with_a_format(standin) -> None:
    turns = [*said("hi"), *said("Sure, {", "assistant")]
    assert "prefill" in refusal(standin, params(messages=turns))
    assert "prefill" in refusal(standin, params(messages=turns, model="claude-opus-4-6"))
    old = params(messages=turns, model="claude-haiku-4-5")
    assert post(standin, old)[0] == 200
    wanted = {"format": params(output=Digest)["output_config"]["format"]}
    assert "Prefilling" in refusal(standin, old | {"output_config": wanted})


# Caching, tools, documents.


def block(**more: object) -> dict[str, object]:
    return {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"} | more}


def test_more_than_four_breakpoints_are_refused(standin) -> None:
    four = params(system=[block(), block()], messages=said([block(), block()]))
    assert post(standin, four)[0] == 200
    words = refusal(standin, four | {"cache_control": {"type": "ephemeral"}})
    assert words == "A maximum of 4 blocks with cache_control may be provided. Found 5."


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ([block(type="forever")], "cache_control.type"),
        ([block(ttl="2h")], "cache_control.ephemeral.ttl"),
        ([block(ttl="5m"), block(ttl="1h")], "must not come after"),
    ],
)
def test_a_malformed_cache_control_is_refused(standin, system, words) -> None:
    assert words in refusal(standin, params(system=system))


def test_forcing_a_tool_depends_on_the_model(standin) -> None:
    tools = [{"name": "note", "input_schema": {"type": "object"}}]
    forced = params(tools=tools, tool_choice={"type": "any"})
    assert post(standin, forced)[0] == 200
    for model in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"):
        assert "tool_choice" in refusal(standin, forced | {"model": model})


def test_documents_have_their_place(standin) -> None:
    document = {"type": "document", "source": {"type": "text", "data": "x"}}
    assert post(standin, params(messages=said([document, IMAGE])))[0] == 200
    turns = [*said("a"), *said([document], "assistant"), *said("b")]
    assert "document" in refusal(standin, params(messages=turns))
    cited = said([{"type": "text", "text": "x", "citations": [{"type": "page_location"}]}])
    assert "citations" in refusal(standin, params(messages=cited))


def test_what_is_refused_is_not_billed(standin) -> None:
    before = len(standin.billed)
    refusal(standin, params(records("One"), temperature=0))
    assert len(standin.billed) == before
