"""A small HTTP/1.1 server on one event loop, so fast that benchmarks measure the jobs."""

import asyncio
from collections.abc import Callable

from standin.problems import TOO_LARGE_PAGE
from standin.wire import HTML, BadHead, Reply, Request, head_of, parse_head

Handler = Callable[[Request], Reply]
PIECE = 1 << 18
MOST_HEAD = 1 << 16


class Connection(asyncio.Protocol):
    """One client's connection. It answers a request before it reads the next one."""

    def __init__(self, listener: "Listener") -> None:
        self.listener = listener
        self.transport: asyncio.Transport
        self.buffer = bytearray()
        self.head: tuple[str, str, str, dict[str, str]] | None = None
        self.length = 0
        self.keep_alive = True
        self.to_discard = 0
        self.busy = False
        self.writable = asyncio.Event()
        self.streaming: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.listener.connections.add(self)
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.listener.connections.discard(self)
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        if self.to_discard:
            data = self.discard(data)
        self.buffer += data
        if not self.busy:
            self.advance()

    def discard(self, data: bytes) -> bytes:
        """Read a body over the limit and forget it, so that its sender gets to read the answer."""
        dropped = min(self.to_discard, len(data))
        self.to_discard -= dropped
        if not self.to_discard:
            self.refuse(413, TOO_LARGE_PAGE)
        return data[dropped:]

    def advance(self) -> None:
        """Handle the request in the buffer, once it is complete."""
        if self.head is None and not self.begin():
            return
        if self.head is None or len(self.buffer) < self.length:
            return
        body = bytes(self.buffer[: self.length])
        del self.buffer[: self.length]
        method, path, query, headers = self.head
        self.busy = True
        reply = self.listener.handler(Request(method, path, query, headers, body))
        if reply.delay > 0:
            asyncio.get_running_loop().call_later(reply.delay, self.send, reply)
        else:
            self.send(reply)

    def begin(self) -> bool:
        """Take the head of a request from the buffer. False if it is incomplete or refused."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > MOST_HEAD:
                self.refuse(431, b"")
            return False
        try:
            self.head = parse_head(bytes(self.buffer[:end]))
            headers = self.head[3]
            self.length = int(headers.get("content-length", "0"))
            if self.length < 0 or "transfer-encoding" in headers:
                raise BadHead("a body needs a content-length")
            self.keep_alive = headers.get("connection", "").lower() != "close"
        except ValueError:
            self.refuse(400, b"")
            return False
        del self.buffer[: end + 4]
        if self.length > self.listener.limit_of(self.head[1]):
            self.head = None
            self.to_discard = self.length
            already = bytes(self.buffer)
            self.buffer.clear()
            self.buffer += self.discard(already)
            return False
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def refuse(self, status: int, page: bytes) -> None:
        """Answer bytes that are no request, and close."""
        reply = Reply(status, page, "req_none", HTML)
        self.transport.write(head_of(reply, False) + page)
        self.transport.close()

    def send(self, reply: Reply) -> None:
        """Send a reply, and get ready for the next request."""
        if self.transport.is_closing():
            self.finished(reply)
            return
        if reply.reset:
            self.transport.abort()
            self.finished(reply)
            return
        if reply.before:
            reply.before(reply)
        keep = self.keep_alive and not reply.cut
        if reply.pieces is not None:
            self.streaming = asyncio.get_running_loop().create_task(self.stream(reply, keep))
            return
        body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
        self.transport.write(head_of(reply, keep) + body)
        self.next(reply, keep)

    async def stream(self, reply: Reply, keep: bool) -> None:
        """Send a long body piece by piece, no faster than it is read."""
        assert reply.pieces is not None
        self.transport.write(head_of(reply, keep))
        left = reply.length // 2 if reply.cut else reply.length
        for piece in reply.pieces:
            await self.writable.wait()
            if self.transport.is_closing():
                break
            self.transport.write(piece[:left])
            left -= min(left, len(piece))
            if not left:
                break
            if reply.pause:
                await asyncio.sleep(reply.pause)
        self.next(reply, keep)

    def next(self, reply: Reply, keep: bool) -> None:
        self.finished(reply)
        if not keep:
            self.transport.close()
        elif self.buffer:
            asyncio.get_running_loop().call_soon(self.advance_again)

    def advance_again(self) -> None:
        if not self.busy and not self.transport.is_closing():
            self.advance()

    def finished(self, reply: Reply) -> None:
        self.busy = False
        self.head = None
        if reply.done:
            reply.done()


class Listener:
    """A listening socket on 127.0.0.1, and its connections."""

    def __init__(self, handler: Handler, limit_of: Callable[[str], int]) -> None:
        self.handler = handler
        self.limit_of = limit_of
        self.connections: set[Connection] = set()
        self.server: asyncio.Server

    async def listen(self, port: int) -> int:
        """Take connections on a port, or on any free one for port 0. Returns the port."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", port, backlog=1024
        )
        taken: int = self.server.sockets[0].getsockname()[1]
        return taken

    async def stop(self) -> None:
        """Take no more connections, and drop the open ones."""
        self.server.close()
        dropped = list(self.connections)
        for connection in dropped:
            connection.transport.abort()
        streaming = [c.streaming for c in dropped if c.streaming]
        await asyncio.gather(*streaming, return_exceptions=True)
