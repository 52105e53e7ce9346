"""Sends requests by the real live delivery and the real SDK, to any server."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.claude.api import Clients, connect
from common.claude.faults import Fault
from common.claude.request import Outcome, Request
from common.claude.retries import Retry
from common.claude.sdk_client import Client
from common.delivery.live import Live
from common.pace.flow import Flow
from rigs.harness import InstantClock

PARAMS = {
    "model": "claude-haiku-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}


@contextmanager
def saying(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """The URL of a server that gives the same reply to every request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def send(
    url: str,
    *,
    requests: int = 1,
    in_flight: int | None = None,
    stopped: bool = False,
    retry: Retry | None = None,
    clock: InstantClock | None = None,
    key: str = "sk-ant-test-key-000000",
    closed: bool = False,
    before_another: Callable[[Request, int, float], Fault | None] = lambda *_: None,
) -> list[Outcome]:
    """Send that many requests at the same time, and return their outcomes.

    By default each gets one attempt, and all are `in_flight` at once. With `stopped`, the run is
    told to stop when they are submitted. With `closed`, the client is closed before they are sent.
    """
    loop, shared = _shared()
    client = shared.copy(base_url=url, api_key=key)
    if closed:
        client = connect(key, url).first
        loop.run_until_complete(client.close())
    clock = clock or InstantClock()
    flow = Flow(clock.now, lambda: None, in_flight or requests)
    retry = retry or Retry(attempts=1)
    live = Live(Clients(lambda: client), loop, flow, before_another, _at_rest, retry, clock)
    if stopped:
        live.wake()
    numbers = range(requests)
    live.submit([Request(f"request-{number}", PARAMS, most_usd=0.5) for number in numbers])
    outcomes = []
    while live.in_flight:
        outcomes += live.collect()
    return outcomes


async def _at_rest() -> None:
    """No commit is under way: there is no ledger."""


@cache
def _shared() -> tuple[asyncio.AbstractEventLoop, Client]:
    # Made once, since reading the machine's certificates takes longer than any test here.
    loop = asyncio.new_event_loop()
    client = connect("", "http://127.0.0.1:1").first

    def close() -> None:
        loop.run_until_complete(client.close())
        loop.close()

    atexit.register(close)
    return loop, client
