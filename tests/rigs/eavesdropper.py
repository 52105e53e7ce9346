"""Somebody else's machine on the network: notes what it is told, and answers as it is asked to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Eavesdropper:
    """Listens on a port of this machine; `heard` is all that was sent to it."""

    def __init__(self, answer: bytes, tls: ssl.SSLContext | None) -> None:
        self.heard = b""
        self.answer = answer
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    connection.settimeout(2)
                    if self._tls:
                        connection = self._tls.wrap_socket(connection, server_side=True)
                    self.heard += connection.recv(1 << 20)
                    connection.sendall(self.answer)
                    connection.close()


@contextmanager
def eavesdropping(answer: bytes = b"", tls: ssl.SSLContext | None = None) -> Iterator[Eavesdropper]:
    """A machine that hangs up on everybody, or gives everybody this answer first; with TLS."""
    somebody = Eavesdropper(answer, tls)
    try:
        yield somebody
    finally:
        somebody.close()
