"""How many requests may be in flight now, and when the next one may go.

The flow is told what is sent, what comes back and what the headers of replies say. It is pure: it
waits for nothing and asks nobody, so that a test can play an account with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from math import inf

from common.pace.bucket import Bucket
from common.pace.costs import Costs
from common.pace.rate_limits import limits_in
from common.pace.window import Window
from common.process.log import log

_LOOKS_AGAIN = 2.0  # seconds that a wait lasts at most, since others may leave more than thought
_SHORTEST = 0.01  # seconds that a wait lasts at least
_PATIENCE = 300.0  # seconds that limits keep us from sending: who sends nothing hears nothing new
_FORGETS = 120.0  # seconds without headers, after which what they said of the limits is forgotten
_HELD_FOR = 5.0  # seconds that a limit has to hold us before the log says so …
_SAYS_AGAIN = 600.0  # … and between two such lines


@dataclass(eq=False)
class Sending:
    """An attempt that is under way."""

    began: float
    size: int  # bytes of its body
    records: int
    cost: dict[str, float]  # what it is expected to take, by the names of the limits


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
        self._window = Window(now, most)
        self._costs = Costs()
        self._buckets: dict[str, Bucket] = {}
        self._told_at = -inf
        # In the order they were sent, so that a sum of their costs is the same to the last bit.
        self._under_way: dict[Sending, None] = {}
        self._until = -inf  # nothing is sent before …
        self._next_at = -inf  # … and after that, one by one
        self._waiting = 0
        self._said_at = -inf
        self._held: defaultdict[str, float] = defaultdict(float)  # seconds, by what held us
        self._held_by = ""
        self._held_at = self._sent_at = now()
        self._in_flight = 0  # the most that were at once

    def room(self, in_flight: int) -> int:
        """How many requests may be sent now, where so many are in flight."""
        if self._waiting or self._told_to_wait() > 0:
            return 0
        room = self._window.size - in_flight
        if self._apart() > 0:
            room = min(room, 1)
        if room > 0 and self._buckets:
            usual = self._costs.usual
            lets = min(bucket.room(usual[bucket.name]) for bucket in self._turned())
            room = min(room, lets or int(self._now() >= self._sent_at + _PATIENCE))
        return max(0, room)

    def wait(self, in_flight: int) -> float:
        """Seconds until there may be room although no request ends meanwhile."""
        if (left := self._told_to_wait()) > 0:
            self.held_by("errors")
            return left
        if self._window.size <= in_flight:
            self.held_by("errors" if self._waiting else self._window.held_by)
            return self._until_it_is_larger()
        if self._waiting:
            self.held_by("errors")
            return 0.1
        wait, bucket = self._longest_wait()
        if bucket:
            self.held_by(bucket.name)
            self._say(bucket, in_flight)
        return min(max(wait, _SHORTEST), _LOOKS_AGAIN)

    def before(self, attempt: int) -> float:
        """Seconds that the n-th attempt of a request has to wait; 0 where it may go now.

        inf where another attempt has to end first.
        """
        if (left := self._told_to_wait()) > 0:
            return left
        if attempt == 1:
            return 0.0  # there was room for it when it was taken
        if len(self._under_way) >= self._window.size:
            return self._until_it_is_larger()
        wait, _ = self._longest_wait()
        return min(max(wait, _SHORTEST), _LOOKS_AGAIN) if wait else 0.0

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

    def sent(self, size: int, records: int) -> Sending:
        """An attempt is sent: a body of so many bytes about so many records."""
        self._costs.sent(size, records)
        sending = Sending(self._now(), size, records, self._costs.of(size, records))
        for name, bucket in self._buckets.items():
            bucket.draw(sending.cost[name], later=name == "output_tokens")
        self._under_way[sending] = None
        self._in_flight = max(self._in_flight, len(self._under_way))
        self._sent_at, self._next_at = sending.began, sending.began + self._apart()
        return sending

    def answered(self, sending: Sending, input_tokens: int, output_tokens: int) -> None:
        """An attempt was answered. Input tokens that were read from the cache do not count."""
        self._under_way.pop(sending, None)
        seconds = self._now() - sending.began
        self._costs.answered(sending.size, sending.records, input_tokens, output_tokens, seconds)
        self._window.answered(seconds, output_tokens)

    def failed(self, sending: Sending, *, slow_down: bool, overloaded: bool) -> None:
        """An attempt brought no answer.

        `slow_down`: since Claude wants fewer, be it that it is `overloaded` or that a limit of the
        account was passed.
        """
        if slow_down:
            short = any(bucket.short(sending.cost[bucket.name]) for bucket in self._turned())
            in_flight = len(self._under_way)
            self._window.refused(sending.began, in_flight, foreseen=short or overloaded)
        self._under_way.pop(sending, None)

    def heard(self, headers: Mapping[str, str]) -> None:
        """The headers of a reply to a request, be it an answer or an error."""
        found = limits_in(headers, self._server_now())
        if found:
            self._told_at = self._now()
        elif self._now() - self._told_at > _FORGETS:
            self._buckets.clear()
        for name, told in found.items():
            if name in self._buckets:
                self._buckets[name].heard(told)
            else:
                self._buckets[name] = Bucket(name, told, self._now)
        self._window.told(bool(self._buckets))

    def held_by(self, what: str) -> None:
        """What keeps more from being sent from now on; "" for nothing that is to be told."""
        now = self._now()
        self._held[self._held_by] += now - self._held_at
        self._held_by, self._held_at = what, now

    def summary(self) -> dict[str, int | str]:
        """How many requests were in flight at most, and what held them for the longest time."""
        if not self._in_flight:
            return {}
        self.held_by("")
        held = {"records": 0.0} | {what: time for what, time in self._held.items() if what}
        # At its end, every run has no more records to send: that says nothing about the rest of it.
        held["records"] /= 10
        by = max(held, key=lambda what: held[what])
        return {"in_flight": self._in_flight, "limited_by": by}

    def _told_to_wait(self) -> float:
        """Seconds until something may be sent again, 0 for now."""
        left = max(self._until, self._next_at) - self._now()
        return left if left > 1e-6 else 0.0  # so little that a clock may not go on by it

    def _apart(self) -> float:
        """Seconds between two attempts, since what had to wait must not go in one instant."""
        seconds = self._costs.seconds
        return seconds / self._window.size if self._now() < self._until + seconds else 0.0

    def _until_it_is_larger(self) -> float:
        """Seconds until another look at the window, which is full."""
        return 0.1 if self._window.grows else inf

    def _longest_wait(self) -> tuple[float, Bucket | None]:
        usual, longest, by = self._costs.usual, 0.0, None
        for bucket in self._turned():
            wait = bucket.wait(usual[bucket.name])
            if by is None or wait > longest:
                longest, by = wait, bucket
        return min(longest, max(0.0, self._sent_at + _PATIENCE - self._now())), by

    def _turned(self) -> list[Bucket]:
        """Each limit, brought to now."""
        seconds, now = self._costs.seconds, self._now()
        pending = drain = 0.0
        for one in self._under_way if self._buckets else ():
            if (part := 1 - (now - one.began) / seconds) > 0:
                pending += one.cost["output_tokens"] * part
                drain += one.cost["output_tokens"] / seconds
        for name, bucket in self._buckets.items():
            if name == "output_tokens":
                # Output counts while it is produced.
                bucket.turn(pending, drain, delay=seconds / 2)
            else:
                bucket.turn(0.0, 0.0, delay=1.0)
        return [*self._buckets.values()]

    def _say(self, bucket: Bucket, in_flight: int) -> None:
        """Log that a limit holds us, where it does so for a while; and not again for a while."""
        if self._held[bucket.name] < _HELD_FOR or self._now() - self._said_at < _SAYS_AGAIN:
            return
        self._said_at = self._now()
        log.info(
            "the account's limit of %s %s a minute is what holds this run: %d in flight",
            f"{bucket.limit:,.0f}",
            bucket.name.replace("_", " "),
            in_flight,
        )
