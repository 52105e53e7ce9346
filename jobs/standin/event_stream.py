"""A message as a stream of events, for a job that asks for one."""

import json
from collections.abc import Iterator
from typing import Any

EVENT_STREAM = "text/event-stream; charset=utf-8"
DELTA = 2_000


def events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events that build up `message`, in the API's order."""
    usage = message["usage"]
    yield {
        "type": "message_start",
        "message": message
        | {"content": [], "stop_reason": None, "stop_details": None}
        | {"usage": usage | {"output_tokens": 1}},
    }
    for index, block in enumerate(message["content"]):
        text = block.get("text", "")
        empty = block | {"text": ""} if "text" in block else block
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for begin in range(0, len(text), DELTA):
            delta = {"type": "text_delta", "text": text[begin : begin + DELTA]}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield {
        "type": "message_delta",
        "delta": stop,
        "usage": {"output_tokens": usage["output_tokens"]},
    }
    yield {"type": "message_stop"}


def encoded(message: dict[str, Any]) -> bytes:
    """The whole stream as it travels."""
    frames = (f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events(message))
    return "".join(frames).encode()
