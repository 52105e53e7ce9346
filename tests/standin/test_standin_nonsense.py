"""The stand-in answers nonsense as the API would, and never breaks."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from rigs.standin_requests import Digest, params, post, records
from standin.standin import StandIn

NONSENSE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    [],
    [[]],
    [1],
    [{}],
    {},
    {"type": []},
    {"a": {"b": []}},
)


def full() -> dict[str, Any]:
    """A request that uses every parameter."""
    cached = {"type": "text", "text": "Read.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    said = {"type": "text", "text": records("One"), "cache_control": {"type": "ephemeral"}}
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#/$defs/A"}, "minItems": 1},
            "b": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "c": {"enum": ["x", 1]},
            "d": {"allOf": [{"type": "string", "pattern": "x"}]},
        },
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"A": {"type": ["string", "null"]}},
    }
    return params(
        system=[cached],
        messages=[
            {"role": "user", "content": [said]},
            {"role": "assistant", "content": "So?"},
            {"role": "user", "content": "Well"},
        ],
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": schema}},
        thinking={"type": "adaptive", "display": "omitted"},
        tools=[{"name": "t", "input_schema": {"type": "object"}}],
        tool_choice={"type": "auto"},
        metadata={"user_id": "u"},
        stop_sequences=["."],
        service_tier="auto",
        speed="standard",
        stream=False,
        cache_control={"type": "ephemeral"},
    )


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value inside a JSON value."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def put(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return changed


@pytest.fixture(scope="module")
def standin():
    with StandIn(message_batch_seconds=0.0) as running:
        yield running


def test_the_request_without_nonsense_is_taken(standin) -> None:
    assert post(standin, full())[0] == 200
    assert post(standin, params(output=Digest))[0] == 200


@pytest.mark.parametrize("path", list(places(full())), ids=lambda path: ".".join(map(str, path)))
def test_nonsense_in_a_request_is_answered(standin, path) -> None:
    for value in NONSENSE:
        status, headers, _ = post(standin, put(full(), path, value))
        assert status in (200, 400, 404), value
        assert headers["request-id"]


@pytest.mark.parametrize("path", [("requests",), ("requests", 0), ("requests", 0, "params")])
def test_nonsense_in_a_message_batch_is_answered(standin, path) -> None:
    body = {"requests": [{"custom_id": "a", "params": full()}]}
    for value in NONSENSE:
        assert post(standin, put(body, path, value), "/v1/messages/batches")[0] in (200, 400)


def test_nonsense_in_params_ends_as_an_outcome(standin) -> None:
    nonsense = [put(full(), path, value) for path in places(full()) for value in NONSENSE]
    wanted = [{"custom_id": f"n{n}", "params": made} for n, made in enumerate(nonsense)]
    _, _, made = post(standin, {"requests": wanted}, "/v1/messages/batches")
    while made["processing_status"] != "ended":
        _, _, made = post(standin, b"", f"/v1/messages/batches/{made['id']}", "GET")
    counts = made["request_counts"]
    assert counts["succeeded"] + counts["errored"] == len(wanted)
