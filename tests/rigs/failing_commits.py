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
        self._doomed: set[socket.socket] = set()  # servers whose next word is not passed on
        self.left = times

    def _pass_on(self, one: socket.socket) -> None:
        if one not in self._peers:
            return
        if one in self._doomed:
            self._doomed.discard(one)
            self._close(one, reset=True)
            return
        if self.left and self._word in one.recv(_SIZE, socket.MSG_PEEK):
            self.left -= 1
            if not self._after:
                self._close(one, reset=True)
                return
            self._doomed.add(self._peers[one])
        super()._pass_on(one)
