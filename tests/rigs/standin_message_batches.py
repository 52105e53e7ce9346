"""Message batches for the tests of the stand-in: creates them, waits for them, reads results."""

import json
import time
from typing import Any

import anthropic
from anthropic.types.messages import MessageBatch

from rigs.standin_requests import params, post, serving
from standin.standin import StandIn

PATH = "/v1/messages/batches"
FOREVER = {"kind": "stay_in_progress"}


def quick(**options: Any) -> Any:
    """A stand-in that processes a message batch at once, and the SDK as its client."""
    return serving(message_batch_seconds=0.0, **options)


def requests(number: int, **changes: Any) -> list[dict[str, Any]]:
    """That many requests, run-0, run-1, …; `changes` are parameters of each."""
    return [
        {"custom_id": f"run-{n}", "params": params(f"Message {n}", **changes)}
        for n in range(number)
    ]


def create(claude: anthropic.Anthropic, wanted: Any) -> MessageBatch:
    """Create a message batch of those requests."""
    made: MessageBatch = claude.messages.batches.create(requests=wanted)
    return made


def ended(claude: anthropic.Anthropic, message_batch_id: str) -> MessageBatch:
    """Wait for the end of a message batch, 30 seconds at most."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        message_batch: MessageBatch = claude.messages.batches.retrieve(message_batch_id)
        if message_batch.processing_status == "ended":
            return message_batch
    raise AssertionError("the message batch did not end")


def results(claude: anthropic.Anthropic, message_batch_id: str) -> dict[str, Any]:
    """The results by custom_id, read with the SDK."""
    lines = list(claude.messages.batches.results(message_batch_id))
    assert len({line.custom_id for line in lines}) == len(lines)
    return {line.custom_id: line.result for line in lines}


def results_by_hand(standin: StandIn, message_batch_id: str) -> dict[str, Any]:
    """The results by custom_id as JSON values, read without the SDK."""
    _, _, content = post(standin, b"", f"{PATH}/{message_batch_id}/results", "GET")
    lines = [json.loads(line) for line in content.decode().splitlines()]
    return {line["custom_id"]: line["result"] for line in lines}
