"""A proxy between a client and a server on loopback: the network that fails in the middle.

Whatever speaks TCP goes through it. What it cannot do is to lose packets: a connection that it has
stopped forwarding is acknowledged by the kernel, so only time limits of the client's own notice.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_SIZE = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a RST


class Proxy:
    """As a context manager it forwards to the server of a URL; `url` is that one with our port."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname and parts.port
        self._server = (parts.hostname, parts.port)
        # This one never listens. It holds the port while the other one refuses.
        self._holder = self._bound(0)
        self.port: int = self._holder.getsockname()[1]
        login, at, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}").geturl()
        self._listener: socket.socket | None = None
        self._peers: dict[socket.socket, socket.socket] = {}
        self._silent = False
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._ended = False

    def __enter__(self) -> Self:
        self.heal()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._ended = True
        self._wake.send(b"x")
        self._thread.join()
        self.refuse()
        self.reset_all()
        for one in (self._holder, self._wake, self._woken):
            one.close()
        self._selector.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._peers) // 2

    def reset_all(self) -> None:
        """Reset every connection (RST), on both sides; new ones are welcome."""
        with self._lock:
            for one in list(self._peers):
                self._close(one, reset=True)

    def drop_silently(self) -> None:
        """Forward nothing any more, in either direction; new connections are taken, and starve."""
        with self._lock:
            self._silent = True
            for one in self._peers:
                if one in self._selector.get_map():
                    self._selector.unregister(one)

    def forget_silent(self) -> None:
        """Forward new connections again; those that have gone silent stay so."""
        with self._lock:
            self._silent = False

    def refuse(self) -> None:
        """Refuse new connections; those that are open stay."""
        with self._lock:
            if self._listener:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None

    def heal(self) -> None:
        """Forward again, and take connections; what was held back goes on."""
        with self._lock:
            if self._silent:
                self._silent = False
                for one in self._peers:
                    self._selector.register(one, selectors.EVENT_READ)
            if not self._listener:
                self._listener = self._bound(self.port)
                self._listener.listen(128)
                self._selector.register(self._listener, selectors.EVENT_READ)

    def _bound(self, port: int) -> socket.socket:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", port))
        return one

    def _forward(self) -> None:
        while True:
            ready = self._selector.select()
            with self._lock:
                if self._ended:
                    return
                for key, _ in ready:
                    if key.fileobj is self._woken:
                        self._woken.recv(_SIZE)
                    elif key.fileobj is self._listener:
                        self._welcome()
                    elif isinstance(key.fileobj, socket.socket):
                        self._pass_on(key.fileobj)

    def _welcome(self) -> None:
        assert self._listener
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self._server, timeout=5)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        client.settimeout(5)
        self._peers |= {client: server, server: client}
        if not self._silent:
            for one in (client, server):
                self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one: socket.socket) -> None:
        if one not in self._peers or self._silent:
            return  # it was ended, or the network cut, since it was ready
        try:
            if data := one.recv(_SIZE):
                self._peers[one].sendall(data)
            else:
                self._close(one)
        except OSError:
            self._close(one)

    def _close(self, one: socket.socket, *, reset: bool = False) -> None:
        """Close a connection on both sides. Called with the lock held."""
        other = self._peers.pop(one, None)
        if other is None:
            return
        self._peers.pop(other)
        for side in (one, other):
            if side in self._selector.get_map():
                self._selector.unregister(side)
            if reset:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            side.close()
