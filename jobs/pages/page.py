"""Fetching one page from the public internet, for an address that a stranger has chosen.

The name is resolved once, every address it has is checked, and the connection goes to one that was
checked: a name that says something else a moment later (DNS rebinding) changes nothing. So it is
for each redirect. Proxies of the environment are not used: they would resolve the name themselves,
and reach what this machine may not.
"""

from __future__ import annotations

import codecs
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pages.addresses import is_public
from pages.html_text import text_of_html

if TYPE_CHECKING:
    from requests import Response
    from requests.adapters import HTTPAdapter

SECONDS = 10.0  # in all: the name, every redirect, the last byte
MOST_BYTES = 200_000  # unpacked; the rest of a longer page is left
MOST_REDIRECTS = 5
PORTS = frozenset({80, 443})
_HEADERS = {
    "User-Agent": "claude-batch-jobs",
    "Accept": "text/html,text/plain,application/json;q=0.9,text/*;q=0.8",
    "Accept-Encoding": "gzip",
}
# The names, as Python writes them, of codecs that pages are written in.
_CHARSET = re.compile(
    r"ascii|utf-8(-sig)?|utf-(16|32)(-[lb]e)?|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|kz1048|ptcp154|tis-620"
    r"|gb2312|gbk|gb18030|hz|big5(hkscs)?|euc_\w+|shift_jis\w*|iso2022_\w+|johab|hp-roman8"
).fullmatch
_HTML = ("text/html", "application/xhtml+xml")

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Page:
    """A page's text, or why there is none."""

    text: str = ""
    error: str = ""


class NotFetched(Exception):
    """Why there is no page, in words for the record's owner."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def fetch(
    url: str,
    *,
    seconds: float = SECONDS,
    ports: frozenset[int] = PORTS,
    allowed: Callable[[str], bool] = is_public,
    resolve: Resolve = resolve,
) -> Page:
    """A page's text, or why it could not be read. Raises nothing; takes `seconds` at most."""
    fetching = _Fetching(seconds, ports, allowed, resolve)
    try:
        return Page(text=fetching.text(url))
    except NotFetched as error:
        return Page(error=fetching.too_late() or str(error))
    except Exception as error:  # whatever a stranger's server makes of it
        return Page(error=fetching.too_late() or _in_words(error))
    finally:
        fetching.end()


class _Fetching:
    """One page on its way, with one deadline for all of it."""

    def __init__(
        self,
        seconds: float,
        ports: frozenset[int],
        allowed: Callable[[str], bool],
        resolve: Resolve,
    ) -> None:
        self._seconds = seconds
        self._ports = ports
        self._allowed = allowed
        self._resolve = resolve
        self._deadline = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        # Time-outs of a socket are for each byte: one that dribbles is cut off from outside.
        self._watch = threading.Timer(seconds, self._cut)
        self._watch.daemon = True
        self._watch.start()

    def text(self, url: str) -> str:
        """Follow the redirects, and read what stands at their end.

        Raises NotFetched, and what `requests` raises.
        """
        from requests import Session

        with Session() as session:
            session.trust_env = False
            for scheme, adapter in _adapters(self._connect).items():
                session.mount(scheme, adapter)
            for _ in range(MOST_REDIRECTS + 1):
                self._check(url)
                response = session.get(
                    url, headers=_HEADERS, timeout=self._left(), allow_redirects=False, stream=True
                )
                with closing(response):
                    if not response.is_redirect:
                        return self._read(response)
                    url = urljoin(url, response.headers["location"])
        raise NotFetched(f"more than {MOST_REDIRECTS} redirects")

    def too_late(self) -> str:
        """The words for having taken too long, "" where it did not."""
        late = time.monotonic() >= self._deadline
        return f"took longer than {self._seconds:g} s" if late else ""

    def end(self) -> None:
        """Let go of everything."""
        self._watch.cancel()
        for copy in self._sockets:
            copy.close()

    def _check(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise NotFetched("not an address") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotFetched("not an http(s) address")
        if parts.username is not None or parts.password is not None:
            raise NotFetched("an address with a password")
        self._check_port(port)

    def _check_port(self, port: int) -> None:
        if port not in self._ports:
            raise NotFetched(f"port {port}")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise NotFetched(self.too_late())
        return left

    def _connect(self, host: str, port: int) -> socket.socket:
        """A connection to an address of that name, all of which are public."""
        self._check_port(port)
        addresses = self._addresses(host.strip("[]"), port)
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise NotFetched("not a public address")
        error: OSError | None = None
        for address in dict.fromkeys(addresses):
            try:
                connected = socket.create_connection((address, port), self._left())
            except OSError as failed:
                error = failed
                continue
            # A copy of the descriptor: TLS takes the socket itself over.
            self._sockets.append(connected.dup())
            if late := self.too_late():  # and what cuts may have come by before this one was there
                connected.close()
                raise NotFetched(late)
            return connected
        raise error or OSError("no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        """Resolve a name in a thread, since nothing can end a resolver that waits."""
        found: list[list[str]] = []

        def look_up() -> None:
            try:
                found.append(self._resolve(host, port))
            except (OSError, UnicodeError):
                found.append([])

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(self._left())
        if not found:
            raise NotFetched(f"took longer than {self._seconds:g} s")
        if not found[0]:
            raise NotFetched("the name is not known")
        return found[0]

    def _cut(self) -> None:
        for copy in list(self._sockets):
            with suppress(OSError):
                copy.shutdown(socket.SHUT_RDWR)

    def _read(self, response: Response) -> str:
        if not response.ok:
            raise NotFetched(f"status {response.status_code}")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        as_json = kind == "application/json" or kind.endswith("+json")
        if not (kind.startswith("text/") or kind in _HTML or as_json):
            raise NotFetched("not a text")
        body = bytearray()
        for part in response.iter_content(16_384):
            body += part
            if len(body) >= MOST_BYTES:
                break
        if late := self.too_late():
            raise NotFetched(late)
        text = _decoded(bytes(body[:MOST_BYTES]), response.headers.get("content-type", ""))
        return text_of_html(text) if kind in _HTML else text.strip()


def _decoded(body: bytes, content_type: str) -> str:
    _, _, charset = content_type.lower().partition("charset=")
    try:
        # A server may name any codec of Python's, and some take seconds for a page, or are no
        # codecs of text at all.
        codec = codecs.lookup(charset.partition(";")[0].strip(" \"'") or "utf-8").name
        return body.decode(codec if _CHARSET(codec) else "utf-8", "replace")
    except (LookupError, ValueError):
        return body.decode("utf-8", "replace")


def _in_words(error: Exception) -> str:
    """An error in words, without the address or anything that a server wrote."""
    from requests import exceptions

    if isinstance(error, exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection"
    return f"not readable ({type(error).__name__})"


def _adapters(connect: Callable[[str, int], socket.socket]) -> dict[str, HTTPAdapter]:
    """What makes `requests` connect as it is told; names in headers and certificates are the URL's
    as ever.
    """
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self.host, self.port)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self.host, self.port)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **more: Any) -> None:
            super().init_poolmanager(*args, **more)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    return {"http://": Adapter(), "https://": Adapter()}
