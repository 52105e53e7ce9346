"""A relay between a run and the stand-in: it keeps each request, and can replace the answer."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# From the body of a request and the JSON value of the stand-in's answer to the value to send.
Answer = Callable[[dict[str, Any], Any], Any]


class Relay:
    """Takes the place of the stand-in: assign it to a site's `standin`."""

    def __init__(self, standin: Any, answer: Answer | None = None) -> None:
        self.standin = standin
        self.answer = answer
        self.sent: list[dict[str, Any]] = []  # the bodies of POST /v1/messages, in order
        self.url = ""

    @property
    def billed(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self.standin.billed
        return lines

    @property
    def counts(self) -> dict[str, Any]:
        counts: dict[str, Any] = self.standin.counts
        return counts

    def texts(self) -> list[str]:
        """The user messages of all requests, in order."""
        return [body["messages"][0]["content"] for body in self.sent]

    def forwarded(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        """Pass a request on; returns the status and the body to reply with."""
        kept = {name: value for name, value in headers.items() if name.lower() not in _HOPS}
        request = urllib.request.Request(self.standin.url + path, body or None, kept, method=method)
        try:
            with urllib.request.urlopen(request) as reply:
                status, raw = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        if path == "/v1/messages":
            self.sent.append(json.loads(body))
            if self.answer:
                raw = self._reworded(self.answer, raw)
        return status, raw

    def _reworded(self, answer: Answer, raw: bytes) -> bytes:
        message = json.loads(raw)
        value = answer(self.sent[-1], json.loads(message["content"][0]["text"]))
        message["content"][0]["text"] = json.dumps(value)
        return json.dumps(message).encode()


_HOPS = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}


@contextmanager
def relayed(standin: Any, answer: Answer | None = None) -> Iterator[Relay]:
    """A relay to that stand-in, on its own port."""
    relay = Relay(standin, answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, raw = relay.forwarded(self.command, self.path, self.headers, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *arguments: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    relay.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
