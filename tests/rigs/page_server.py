"""A web server on loopback that sends exactly the bytes a test wants to have fetched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

from pages.page import Page, fetch, resolve

Answer = bytes | Callable[["Site"], object]


class Site:
    """`pages` by path; `asked` holds the head of every request.

    A page may be a function that writes to `send`.
    """

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.port = 0
        self.send: Callable[[bytes], object] = lambda _: None
        self.ending = threading.Event()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def fetch(
        self,
        path: str,
        host: str = "127.0.0.1",
        *,
        seconds: float = 20,
        allowed: Callable[[str], bool] = lambda address: address == "127.0.0.1",
        resolve: Callable[[str, int], list[str]] = resolve,
    ) -> Page:
        """Fetch a page, with this server's address taken for a public one, and its port for a usual
        one.
        """
        return fetch(
            self.url(path, host),
            seconds=seconds,
            ports=frozenset({self.port}),
            allowed=allowed,
            resolve=resolve,
        )


def page(
    body: bytes | str, kind: str = "text/plain", *headers: str, status: str = "200 OK"
) -> bytes:
    """An answer as it travels."""
    raw = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + raw


def moved(to: str) -> bytes:
    """A redirect."""
    return page("", "text/plain", f"Location: {to}", status="302 Found")


@contextmanager
def serving() -> Iterator[Site]:
    """A server for the time of a test."""
    site = Site()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n") and (line := self.rfile.readline()):
                head += line
            site.asked.append(head.decode("latin-1"))
            answer = site.pages.get(head.split(b" ")[1].decode(), page("", status="404 Not Found"))
            try:
                if isinstance(answer, bytes):
                    self.wfile.write(answer)
                else:
                    site.send = self.wfile.write
                    answer(site)
            except OSError:
                pass  # the fetcher has heard enough

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        site.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield site
        site.ending.set()
        server.shutdown()
