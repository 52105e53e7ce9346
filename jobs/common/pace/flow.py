"""How many requests may be in flight now, and when the next one may go.

The flow is told what is sent, what comes back and what the headers of replies say. It is pure: it
waits for nothing and asks nobody, so that a test can play an account with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import inf

FIRST = 8  # in flight before anything is known about the account
MOST = 128  # in flight at most, where nobody has said a number


@dataclass
class Sending:
    """An attempt that is under way."""

    began: float


class Flow:
    """What holds the requests of one run to one model."""

    def __init__(
        self,
        now: Callable[[], float],
        server_now: Callable[[], datetime | None],
        most: int | None = None,
    ) -> None:
        """`most` requests in flight at most, None for as many as the account's limits carry.

        `now` gives seconds from any beginning, `server_now` the instant by Claude's clock.
        """
        self._now = now
        self._server_now = server_now
        self._most = most or MOST
        self._window = float(min(FIRST, self._most) if most is None else most)
        self._until = 0.0
        self._waiting = 0
        self.in_flight = 0  # the most that were at once

    def room(self, in_flight: int) -> int:
        """How many requests may be sent now, where so many are in flight."""
        if self._waiting or self._until > self._now():
            return 0
        return max(0, int(self._window) - in_flight)

    def wait(self, in_flight: int) -> float:
        """Seconds until there may be room again although no request ends meanwhile."""
        if self._until > self._now():
            return self._until - self._now()
        return inf

    def before(self, attempt: int) -> float:
        """Seconds that the n-th attempt of a request has to wait; 0 where it may go now."""
        return self._until - self._now()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While an attempt waits for its turn, no new request goes before it."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def slow(self, seconds: float) -> None:
        """Nothing is sent for that long from now."""
        self._until = max(self._until, self._now() + seconds)

    def took(self, in_flight: int) -> None:
        """A request was taken; so many are in flight with it."""
        self.in_flight = max(self.in_flight, in_flight)

    def sent(self, size: int, records: int) -> Sending:
        """An attempt is sent: a body of so many bytes about so many records."""
        return Sending(self._now())

    def answered(self, sending: Sending, input_tokens: int, output_tokens: int) -> None:
        """An attempt was answered. Input tokens that were read from the cache do not count."""
        self._window = min(self._most, self._window + 1)

    def failed(self, sending: Sending, *, slow_down: bool) -> None:
        """An attempt brought no answer; `slow_down`: since Claude wants fewer."""

    def heard(self, headers: Mapping[str, str]) -> None:
        """The headers of a reply to a request, be it an answer or an error."""
