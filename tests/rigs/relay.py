"""Between a run and the stand-in: keeps every request as it was sent, and may put words into the
model's mouth.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The JSON value of an answer, after a look at the request and at what the stand-in would say.
Answer = Callable[[dict[str, Any], Any], Any]


class Relay:
    """Stands where the stand-in would: pass it as a site's `standin`."""

    def __init__(self, standin: Any, answer: Answer | None = None) -> None:
        self.standin = standin
        self.answer = answer
        self.sent: list[dict[str, Any]] = []  # the bodies of POST /v1/messages, in order
        self.url = ""

    @property
    def billed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.standin.billed
        return found

    @property
    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.standin.counts
        return found

    def texts(self) -> list[str]:
        """The user messages that were sent, in order."""
        return [body["messages"][0]["content"] for body in self.sent]

    def forwarded(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        """What the stand-in answers, or what this test makes of it."""
        passed = {name: value for name, value in headers.items() if name.lower() not in _HOPS}
        request = urllib.request.Request(
            self.standin.url + path, body or None, passed, method=method
        )
        try:
            with urllib.request.urlopen(request) as reply:
                status, said = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        if path == "/v1/messages":
            self.sent.append(json.loads(body))
            if self.answer:
                said = self._reworded(self.answer, said)
        return status, said

    def _reworded(self, answer: Answer, said: bytes) -> bytes:
        message = json.loads(said)
        value = answer(self.sent[-1], json.loads(message["content"][0]["text"]))
        message["content"][0]["text"] = json.dumps(value)
        return json.dumps(message).encode()


_HOPS = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}


@contextmanager
def relayed(standin: Any, answer: Answer | None = None) -> Iterator[Relay]:
    """A relay to that stand-in, on a port of its own."""
    relay = Relay(standin, answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, said = relay.forwarded(self.command, self.path, self.headers, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    relay.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
