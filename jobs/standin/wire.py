"""HTTP requests and replies, with no more of HTTP than the stand-in needs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, unquote

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
ORGANISATION = "00000000-0000-4000-8000-0000000000de"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request with its complete body."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter, None if it is missing or empty."""
        values = parse_qs(self.query).get(name)
        return values[-1] if values else None

    def parameters(self, name: str) -> list[str]:
        return parse_qs(self.query).get(name, [])


@dataclass(slots=True)
class Reply:
    """One HTTP reply, and the faults that happen to it on the way."""

    status: int
    body: bytes
    request_id: str
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    # The server sends half of the body, then closes the connection.
    cut: bool = False
    # The server closes the connection without sending a byte.
    reset: bool = False
    # A long body in pieces, in place of `body`; `length` is the sum of their lengths.
    pieces: Iterator[bytes] | None = None
    length: int = 0
    # The server waits that many seconds after each piece.
    pause: float = 0.0
    # Called just before the reply is sent: it may add headers that say how things are then.
    before: Callable[["Reply"], None] | None = None
    # Called when the reply is sent, or when the client has closed the connection.
    done: Callable[[], None] | None = None


def head_of(reply: Reply, keep_alive: bool) -> bytes:
    """The status line and headers of a reply."""
    length = reply.length if reply.pieces is not None else len(reply.body)
    lines = [
        f"HTTP/1.1 {reply.status} {reason(reply.status)}",
        f"content-type: {reply.content_type}",
        f"content-length: {length}",
        f"request-id: {reply.request_id}",
        f"anthropic-organization-id: {ORGANISATION}",
        "connection: keep-alive" if keep_alive else "connection: close",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown"


class BadHead(ValueError):
    """The bytes that came in are no head of an HTTP request that this server takes."""


def parse_head(raw: bytes) -> tuple[str, str, str, dict[str, str]]:
    """Method, path, query and headers (names in lower case). Raises `BadHead`."""
    lines = raw.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadHead("malformed request line")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadHead("malformed header")
        headers[name.lower()] = value.strip()
    path, _, query = parts[1].partition("?")
    return parts[0], unquote(path), query, headers
