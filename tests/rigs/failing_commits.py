"""A proxy that cuts a connection to PostgreSQL at a statement, before or after it is done."""

from __future__ import annotations

import socket

from rigs.proxy import Proxy

_SIZE = 65_536


class CuttingProxy(Proxy):
    """Resets the connection that says a word: `after` what it says was done, and not answered."""

    def __init__(self, url: str, word: bytes, *, after: bool, times: int = 1) -> None:
        super().__init__(url)
        self._word = word
        self._after = after
        self.left = times

    def _pass_on(self, one: socket.socket) -> None:
        if one not in self._peers:
            return
        said = one.recv(_SIZE, socket.MSG_PEEK)
        if not (self.left and self._word in said):
            super()._pass_on(one)
            return
        self.left -= 1
        if self._after:
            other = self._peers[one]
            other.sendall(said)
            other.recv(_SIZE)  # it was done
        self._close(one, reset=True)
