"""One rate limit of the account: a bucket that refills all the time, and how fast we draw from it.

Every job on the account reads the same level, and draws the faster the fuller the bucket is: so one
that runs alone gets all of the limit, several get equal parts, and nobody has to know of another.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp

from common.pace.rate_limits import RateLimit

# The pace is exp((fullness - _EVEN) / width), in parts of the limit: a run alone holds the bucket
# at _EVEN. With this form, several runs react together as strongly as one, so they do not swing.
_EVEN = 0.6
_WIDTH = 0.2
_SLOWEST, _FASTEST = 1e-3, 8.0  # also where requests in flight take many times what it holds
_ALIKE = 2.0  # jobs that begin at the same time, and find the same full bucket
_OTHERS = 20.0  # seconds after which what others took counts little
_ROUNDED = 1_000.0  # what is left is told in thousands of tokens, and in whole requests
_TOGETHER = 0.05  # seconds: what may go within that time may go at once


class Bucket:
    """What is left of a limit, and how fast we draw from it. All amounts in the limit's own unit.

    `now` gives seconds from any beginning.
    """

    def __init__(self, name: str, told: RateLimit, now: Callable[[], float]) -> None:
        self.name = name
        self.limit = told.limit  # a minute
        self._capacity = 0.0
        self._pace = 1.0  # how fast we draw from it, in parts of the limit
        self._debt = 0.0  # of what was drawn, the part whose time has not come
        self._rounded = 1.0 if name == "requests" else _ROUNDED
        self._drain = 0.0  # what our requests in flight take in a second …
        self._others = 0.0  # … and what others do
        self._level = told.remaining
        self._now = now
        self._at = self._heard_at = now()
        self.heard(told)

    @property
    def _rate(self) -> float:
        """What it gets in a second."""
        return self.limit / 60

    def heard(self, told: RateLimit) -> None:
        """Learn from a reply, which tells the level of this moment."""
        self._settle()
        if told.limit != self.limit:
            self.limit, self._capacity = told.limit, 0.0
        known = self._capacity
        if told.capacity is None:
            self._capacity = known or self.limit
        else:
            holds = min(max(told.capacity, self._rate), self.limit)
            # The reset is told in whole seconds: the mean of several is nearer.
            self._capacity += (holds - known) * (0.2 if known else 1.0)
        self._capacity = max(self._capacity, told.remaining)
        level = told.remaining
        # Rounded down it is half of that too low on average, rounded to the nearest it is right.
        if level % self._rounded == 0:
            level = min(self._capacity, level + self._rounded / 4)
        if (passed := self._now() - self._heard_at) > 0:
            taken = (self._level - level) / passed - self._others
            self._others += taken * (1 - exp(-passed / _OTHERS))
            self._others = min(max(0.0, self._others), self._rate)
            self._heard_at = self._now()
        self._level = level

    def draw(self, amount: float, *, later: bool) -> None:
        """Count what a request takes; `later`: while it is answered, not now."""
        self._debt += amount
        if not later:
            self._level -= amount

    def turn(self, pending: float, drain: float, delay: float) -> None:
        """Find how fast it may be drawn from now on.

        `pending` is what our requests in flight will still take, `drain` what they take in a
        second; `delay`: seconds between the sending of a request and its effect on the level.
        """
        self._settle()
        self._drain = drain
        left = max(0.0, self._rate - self._others)
        excess = pending * (1 - left / drain) if drain > left else 0.0
        fullness = min(1.0, (self._level - _ALIKE * excess) / self._capacity)
        # A bucket that empties within that delay tells too late, and one that is as small as the
        # rounding tells nothing: the pace then depends less on it.
        width = max(_WIDTH, (delay * self._rate + self._rounded) / self._capacity)
        self._pace = max(_SLOWEST, min(_FASTEST, exp((fullness - _EVEN) / width)))

    def room(self, cost: float) -> int:
        """How many requests of that cost may go now."""
        if self.wait(cost) > 0:
            return 0
        at_once = min(_TOGETHER * self._pace * self._rate, self._level - cost)
        return 1 + max(0, int(at_once / cost))

    def wait(self, cost: float) -> float:
        """Seconds until a request of that cost may go."""
        # One that is larger than the bucket goes when the bucket is full.
        lack = min(cost, 0.95 * self._capacity) - self._level
        return max(0.0, self._debt / (self._pace * self._rate), lack / self._rate)

    def short(self, cost: float) -> bool:
        """Whether it has too little for a request of that cost, as far as is known."""
        return self._level < max(min(cost, self._capacity), self._rounded)

    def _settle(self) -> None:
        """Bring the level and the debt to now."""
        passed = self._now() - self._at
        self._at += passed
        net = self._rate - self._drain - self._others
        self._level = min(self._capacity, self._level + net * passed)
        # They are not known to go on, and whoever sends nothing hears nothing.
        self._others *= exp(-passed / _OTHERS)
        self._debt = max(0.0, self._debt - self._pace * self._rate * passed)
