"""Claude's message batches over HTTP: create, look at, list, read, delete.

Each call is made once; bodies and results stream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from common.claude.faults import NotYet

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types.messages import MessageBatch

MOST_REQUESTS = 100_000
MOST_BYTES = 250_000_000  # of the 256 MB allowed
_PART = 1 << 20
_STREAMED = {"X-Stainless-Raw-Response": "stream"}  # so the SDK leaves the body to us
_SECONDS_TO_REPLY = 600
_SLOWEST = 200_000  # bytes a second, of an upload
_SECONDS_FOR_A_LINE = 120
_LONGEST_LINE = 16_000_000  # bytes, as of any other reply
_OUTCOMES = ("processing", "succeeded", "errored", "canceled", "expired")


def seconds_to_create(size: int) -> float:
    """How long creating a message batch whose body has that many bytes may take in all."""
    return _SECONDS_TO_REPLY + size / _SLOWEST


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
        options={"headers": headers, "timeout": _SECONDS_TO_REPLY},
    )
    return _checked(made)


async def look_at(client: AsyncAnthropic, message_batch_id: str) -> MessageBatch:
    """A message batch as it stands now. Raises what the SDK raises."""
    return _checked(await client.messages.batches.retrieve(message_batch_id))


async def delete(client: AsyncAnthropic, message_batch_id: str) -> bool:
    """Delete a message batch that has ended, with its results. Raises what the SDK raises."""
    reply = await client.messages.batches.delete(message_batch_id)
    if isinstance(reply, str):
        raise json.JSONDecodeError("not a deletion", "", 0)
    return True


async def newest(client: AsyncAnthropic) -> str:
    """The id of the workspace's newest message batch, "" where there is none."""
    page = await client.messages.batches.list(limit=1)
    return page.data[0].id if page.data else ""


async def results(client: AsyncAnthropic, message_batch_id: str) -> AsyncGenerator[bytes, None]:
    """The lines of an ended message batch's results, JSON each, in any order.

    They are read from our own address: the one that the reply names may be anybody's, and the key
    would go there. A line that is too long to be a result is cut off, and no JSON any more. Raises
    what the SDK raises, NotYet for a 404, and TimeoutError where no line comes to its end for
    minutes.
    """
    import httpx2
    from anthropic import NotFoundError

    path = f"/v1/messages/batches/{quote(message_batch_id, safe='')}/results"
    headers = {"Accept": "application/binary", **_STREAMED}
    try:
        reply = await client.get(path, cast_to=httpx2.Response, options={"headers": headers})
    except NotFoundError as error:
        # The message batch has ended, and not every machine of Claude's has heard of it.
        raise NotYet(f"404: the results of {message_batch_id} are not there yet") from error
    async with aclosing(reply), aclosing(reply.aiter_bytes()) as parts:
        async for line in _lines(parts):
            yield line


async def _lines(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Lines that end at a line feed, and at nothing else.

    Where str.splitlines() sees an end, at U+2028, U+2029, U+0085 or a carriage return, is the
    middle of a text.
    """
    import asyncio

    line = bytearray()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SECONDS_FOR_A_LINE
    while True:
        async with asyncio.timeout_at(deadline):
            part = await anext(parts, None)
        *ends, begin = (part if part is not None else b"\n").split(b"\n")
        for end in ends:
            line += end[: _LONGEST_LINE - len(line)]
            if line.strip():
                yield bytes(line)
            line.clear()
            deadline = loop.time() + _SECONDS_FOR_A_LINE
        if part is None:
            return
        line += begin[: _LONGEST_LINE - len(line)]


def _checked(reply: MessageBatch) -> MessageBatch:
    """The reply, unless it is some proxy's page, which the SDK gives as it came."""
    if isinstance(reply, str) or not reply.id or not reply.created_at or not reply.expires_at:
        raise json.JSONDecodeError("not a message batch", "", 0)
    return reply


def outcomes(message_batch: MessageBatch) -> dict[str, int]:
    """How many of its requests ended in which way, or are processing; what is no number is left
    out.
    """
    counts = getattr(message_batch, "request_counts", None)
    named = {name: getattr(counts, name, None) for name in _OUTCOMES}
    return {name: number for name, number in named.items() if isinstance(number, int)}


def size_of(message_batch: MessageBatch) -> int:
    """How many requests it holds, whatever became of them."""
    return sum(outcomes(message_batch).values())
