"""Claude's message batches over HTTP: create, look at, list, read.

Each call is made once; bodies and results stream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types.messages import MessageBatch

MOST_REQUESTS = 100_000
MOST_BYTES = 250_000_000  # of the 256 MB allowed
_SECONDS_TO_CREATE = 600
_PART = 1 << 20


async def create(client: AsyncAnthropic, body: IO[bytes], size: int) -> MessageBatch:
    """Ask for a message batch; `body` is read from its beginning, a part at a time.

    Raises what the SDK raises.
    """
    from anthropic.types.messages import MessageBatch

    async def parts() -> AsyncIterator[bytes]:
        body.seek(0)
        while part := body.read(_PART):
            yield part

    headers = {"Content-Type": "application/json", "Content-Length": str(size)}
    made = await client.post(
        "/v1/messages/batches",
        cast_to=MessageBatch,
        content=parts(),
        options={"headers": headers, "timeout": _SECONDS_TO_CREATE},
    )
    return _checked(made)


async def look_at(client: AsyncAnthropic, message_batch_id: str) -> MessageBatch:
    """A message batch as it stands now. Raises what the SDK raises."""
    return _checked(await client.messages.batches.retrieve(message_batch_id))


async def newest(client: AsyncAnthropic) -> str:
    """The id of the workspace's newest message batch, "" where there is none."""
    page = await client.messages.batches.list(limit=1)
    return page.data[0].id if page.data else ""


async def results(client: AsyncAnthropic, message_batch_id: str) -> AsyncGenerator[str, None]:
    """The lines of an ended message batch's results, JSON each, in any order.

    Raises what the SDK raises.
    """
    async with client.messages.batches.with_streaming_response.results(message_batch_id) as reply:
        async for line in reply.iter_lines():
            if line.strip():
                yield line


def _checked(reply: MessageBatch) -> MessageBatch:
    """The reply, unless it is some proxy's page, which the SDK gives as it came."""
    if isinstance(reply, str) or not reply.id or not reply.expires_at:
        raise json.JSONDecodeError("not a message batch", "", 0)
    return reply


def size_of(message_batch: MessageBatch) -> int:
    """How many requests it holds, whatever became of them."""
    counts = message_batch.request_counts
    return counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
