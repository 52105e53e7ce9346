"""Somebody else's machine on the network: notes what it is told, and answers as it is asked to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Eavesdropper:
    """Listens on a port of this machine; `heard` is all that was sent to it."""

    def __init__(self, answer: bytes) -> None:
        self.heard = b""
        self.answer = answer
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
                    self.heard += connection.recv(1 << 20)
                    connection.sendall(self.answer)


@contextmanager
def eavesdropping(answer: bytes = b"") -> Iterator[Eavesdropper]:
    """A machine that hangs up on everybody, or gives everybody this answer first."""
    somebody = Eavesdropper(answer)
    try:
        yield somebody
    finally:
        somebody.close()
