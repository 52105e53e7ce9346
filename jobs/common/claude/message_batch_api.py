"""Claude's message batches over HTTP: create, look at, list, read, delete.

Each call is made once; bodies and results stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from common import times
from common.claude.faults import NotYet
from common.claude.replies import broken, get, json_object

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

MOST_REQUESTS = 100_000
MOST_BYTES = 250_000_000  # of the 256 MB allowed
_PART = 1 << 20
_STREAMED = {"X-Stainless-Raw-Response": "stream"}  # so the SDK leaves the body to us
_SECONDS_TO_REPLY = 600
_SLOWEST = 200_000  # bytes a second, of an upload
_SECONDS_FOR_A_LINE = 120
_LONGEST_LINE = 16_000_000  # bytes, as of any other reply
_OUTCOMES = ("processing", "succeeded", "errored", "canceled", "expired")
_PATH = "/v1/messages/batches"
_PAGE = 100  # message batches in one page of the list


@dataclass(frozen=True)
class Seen:
    """A message batch as Claude shows it."""

    id: str
    status: str  # in_progress, canceling, ended, or a word that is new
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None  # None also where it cannot be read
    archived: bool
    counts: dict[str, int]  # how many of its requests ended in which way, or are processing

    @property
    def size(self) -> int:
        """How many requests it holds, whatever became of them; 0 where it does not say."""
        return sum(self.counts.values())


def seconds_to_create(size: int) -> float:
    """How long creating a message batch whose body has that many bytes may take in all."""
    return _SECONDS_TO_REPLY + size / _SLOWEST


async def create(client: AsyncAnthropic, body: IO[bytes], size: int) -> Seen:
    """Ask for a message batch; `body` is read from its beginning, a part at a time.

    Raises what the SDK raises.
    """
    import httpx2

    async def parts() -> AsyncIterator[bytes]:
        body.seek(0)
        while part := body.read(_PART):
            yield part

    headers = {"Content-Type": "application/json", "Content-Length": str(size)}
    made = await client.post(
        _PATH,
        cast_to=httpx2.Response,
        content=parts(),
        options={"headers": headers, "timeout": _SECONDS_TO_REPLY},
    )
    return _seen(json_object(made))


async def look_at(client: AsyncAnthropic, message_batch_id: str) -> Seen:
    """A message batch as it stands now. Raises what the SDK raises."""
    return _seen(await get(client, _path(message_batch_id)))


async def delete(client: AsyncAnthropic, message_batch_id: str) -> None:
    """Delete a message batch that has ended, with its results. Raises what the SDK raises."""
    import httpx2

    reply = await client.delete(_path(message_batch_id), cast_to=httpx2.Response)
    if reply.status_code != 204:  # which says it without a word
        json_object(reply)


async def newest(client: AsyncAnthropic) -> str:
    """The id of the workspace's newest message batch, "" where there is none."""
    page = await _page(client, limit="1")
    return page[0][0].id if page[0] else ""


async def newest_first(client: AsyncAnthropic) -> AsyncGenerator[Seen, None]:
    """The workspace's message batches. Raises what the SDK raises."""
    after: dict[str, str] = {}
    while True:
        page, more = await _page(client, limit=str(_PAGE), **after)
        for one in page:
            yield one
        if not more or not page or page[-1].id == after.get("after_id"):
            return
        after = {"after_id": page[-1].id}


async def _page(client: AsyncAnthropic, **params: str) -> tuple[list[Seen], bool]:
    """A page of the list, and whether there is another one."""
    reply = await get(client, _PATH, params)
    entries = reply.get("data")
    if not isinstance(entries, list):
        raise broken("no list of message batches")
    return [_seen(entry) for entry in entries], reply.get("has_more") is True


async def results(client: AsyncAnthropic, message_batch_id: str) -> AsyncGenerator[bytes, None]:
    """The lines of an ended message batch's results, JSON each, in any order.

    They are read from our own address: the one that the reply names may be anybody's, and the key
    would go there. A line that is too long to be a result is cut off, and no JSON any more. Raises
    what the SDK raises, NotYet for a 404, and TimeoutError where no line comes to its end for
    minutes.
    """
    import asyncio

    import httpx2
    from anthropic import NotFoundError

    path = f"{_path(message_batch_id)}/results"
    headers = {"Accept": "application/binary", **_STREAMED}
    try:
        async with asyncio.timeout(_SECONDS_TO_REPLY):
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
                deadline = loop.time() + _SECONDS_FOR_A_LINE
            line.clear()
        if part is None:
            return
        line += begin[: _LONGEST_LINE - len(line)]


def _path(message_batch_id: str) -> str:
    return f"{_PATH}/{quote(message_batch_id, safe='')}"


def _seen(reply: Any) -> Seen:
    """What a reply says. Raises JSONDecodeError where it is no message batch."""
    if not isinstance(reply, dict):
        raise broken("no message batch")
    name, status = reply.get("id"), reply.get("processing_status")
    created_at = _instant(reply.get("created_at"))
    if not (isinstance(name, str) and name and isinstance(status, str)) or created_at is None:
        raise broken("no message batch")
    counts = reply.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    return Seen(
        name,
        status,
        created_at,
        expires_at=_instant(reply.get("expires_at")) or created_at + timedelta(days=1),
        ended_at=_instant(reply.get("ended_at")),
        archived=bool(reply.get("archived_at")),
        counts={one: n for one in _OUTCOMES if type(n := counts.get(one)) is int and n > 0},
    )


def _instant(value: object) -> datetime | None:
    try:
        return times.instant(value) if isinstance(value, str) else None
    except ValueError:
        return None
