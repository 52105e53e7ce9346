"""How many requests may be in flight: what holds us where no header tells the account's limits."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 8  # in flight before anything is known about the account
MOST = 128  # in flight at most, where nobody has said a number
_A_SECOND = 128.0  # more in flight, once headers say that there is room: quickly, but no burst
_SLOWER, _SLOWER_BY = 1.5, 0.1  # times, and seconds: more in flight would only wait longer
_BEGINNING = 225  # tokens that take as long as it takes an answer to begin, about


class Window:
    """Requests that may be in flight. Answers make it grow; errors halve it, once a round trip."""

    def __init__(self, now: Callable[[], float], most: int | None) -> None:
        """`most`: the number that was asked for, where it also starts; None: as many as go well."""
        self._now = now
        self._most = float(most or MOST)
        self._size = float(most or FIRST)
        self._ceiling = self._most  # up to here it grows fast
        self._halved_at: float | None = None
        self._probes = False  # it grows slowly, since nobody knows what it was that refused us
        self._told_at: float | None = None
        self._usual = 0.0  # seconds for a token, while few were in flight
        self._lately = 0.0

    @property
    def size(self) -> int:
        """Requests that may be in flight now."""
        if self._told_at is not None and self._size < self._ceiling:
            now = self._now()
            self._size = min(self._ceiling, self._size + _A_SECOND * (now - self._told_at))
            self._told_at = now
        return int(self._size)

    @property
    def grows(self) -> bool:
        """Whether it grows by itself, without an answer."""
        return self._told_at is not None and self._size < self._ceiling

    @property
    def held_by(self) -> str:
        """Why it is no larger."""
        if self._size >= self._most:
            return "concurrency"
        if self._halved_at is not None:
            return "errors"
        return "latency" if self._is_slower(_BEGINNING) else "start"

    def told(self, known: bool) -> None:
        """Whether replies tell what the account has left."""
        if known != (self._told_at is not None):
            self._told_at = self._now() if known else None

    def answered(self, seconds: float, output_tokens: int) -> None:
        """An answer came after so many seconds."""
        tokens = output_tokens + _BEGINNING
        self._lately += (seconds / tokens - self._lately) * (0.2 if self._lately else 1.0)
        # What is usual now may not be so for ever.
        self._usual = min(self._usual * 1.002, self._lately) or self._lately
        if self._is_slower(tokens):
            return
        more = 1.0
        if self._probes and self._halved_at is not None:
            # In a round trip: half the way to where it was refused, and past that the more, the
            # longer it has not been refused.
            rounds = (self._now() - self._halved_at) / max(seconds, 1e-3)
            more = min(1.0, max(1.0, rounds, (self._ceiling - self._size) / 2) / self._size)
        self._size = min(self._most, self._size + more)
        self._ceiling = max(self._ceiling, self._size)

    def refused(self, began: float, in_flight: int, *, foreseen: bool) -> None:
        """What was sent then, as one of so many, met a 429 or an overloaded server.

        `foreseen`: it says nothing about how many are too many; the account's limits do.
        """
        if self._halved_at is not None and began < self._halved_at:
            return  # it says nothing new
        self._halved_at = self._now()
        self._probes = not foreseen
        reached = max(1.0, min(self._size, float(in_flight)))
        self._size = max(1.0, reached / 2)
        # One that is on its way to the ceiling is not to stay far below it.
        self._ceiling = max(reached, self._ceiling / 2) if foreseen else reached
        if self._told_at is not None:
            self._told_at = self._now()

    def _is_slower(self, tokens: int) -> bool:
        slower = (self._lately - self._usual) * tokens
        return self._lately > self._usual * _SLOWER and slower > _SLOWER_BY
