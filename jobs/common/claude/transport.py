"""What comes back over the wire, before anybody reads it: as long as it may be, and no redirects.

Every reply passes through here, those that say what went wrong included.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx2

MOST_BYTES = 16_000_000  # of one reply, decompressed: the longest answer has a tenth of it
_MOST_OF_AN_ERROR = 1_000_000  # its status says whose fault it is; what is longer is cut off


class TooLong(httpx2.TransportError):
    """A reply is longer than any that Claude gives."""


class Guarded(httpx2.AsyncBaseTransport):
    """Another transport, whose replies are decompressed and counted while they come.

    The results of a message batch may have any length: whoever reads them limits each line.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the body of its reply raises TooLong while it is read."""
        reply = await self._inner.handle_async_request(request)
        headers = httpx2.Headers(reply.headers)
        headers.pop("content-encoding", None)
        headers.pop("content-length", None)
        # JSON is UTF-8, whatever a gateway says; and there are charsets that take minutes to read.
        if "content-type" in headers:
            headers["content-type"] = headers["content-type"].partition(";")[0]
        return httpx2.Response(
            reply.status_code,
            headers=headers,
            stream=_Counted(reply, endless=request.url.path.endswith("/results")),
            extensions=reply.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, reply: httpx2.Response, *, endless: bool) -> None:
        self._reply = reply
        self._endless = endless

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        # A piece is a megabyte at most, however little it was when it was compressed.
        async with aclosing(self._reply.aiter_bytes()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if not self._reply.is_success and size > _MOST_OF_AN_ERROR:
                    return
                if size > MOST_BYTES and not self._endless:
                    raise TooLong(f"a reply of more than {MOST_BYTES / 1e6:g} MB")
                yield piece

    async def aclose(self) -> None:
        await self._reply.aclose()
