"""The rate limits of an account: what it may send and get in a minute, as the API meters it.

Each API key is an account, and each of its limits a token bucket that refills all the time. A
request counts when it starts; so does its input, without what is read from the prompt cache. Output
counts while it is produced, and not by `max_tokens`. A request that finds too little is refused
with a 429, which counts as nothing. From the API's pages "Rate limits" and "Errors"; the answer's
headers `anthropic-ratelimit-*` are explained there, too. Message batches have limits of their own.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from standin.problems import Refused

MINUTE = 60.0
KINDS = ("requests", "input-tokens", "output-tokens")
Headers = tuple[tuple[str, str], ...]


@dataclass
class Bucket:
    """One limit: `limit` a minute. It holds what `burst` seconds bring."""

    limit: int
    burst: float
    at: float  # the clock's seconds at which it held `level`
    level: float = field(init=False)
    drain: float = 0.0  # what the answers that are being produced take from it in a second

    def __post_init__(self) -> None:
        self.level = self.capacity

    @property
    def rate(self) -> float:
        """What it gets in a second."""
        return self.limit / MINUTE

    @property
    def capacity(self) -> float:
        return self.rate * self.burst

    def settle(self, now: float) -> None:
        """Bring the level to the instant `now`."""
        net = (self.rate - self.drain) * (now - self.at)
        self.level, self.at = min(self.capacity, self.level + net), now

    def missing(self, amount: float) -> float:
        """The seconds until a request of this amount is let in; 0 if it is now.

        What is more than a bucket holds is let in by a full one, which it leaves below zero. What
        is more than a minute's worth is never let in.
        """
        if amount > self.limit:
            return MINUTE
        return max(0.0, (min(amount, self.capacity) - self.level) / self.rate)

    def full_in(self) -> float:
        """The seconds until it is full, if nothing more is taken."""
        return max(0.0, (self.capacity - self.level) / self.rate)


class Account:
    """The buckets of one key, by kind."""

    def __init__(self, limits: dict[str, int], burst: float, now: float) -> None:
        self.buckets = {kind: Bucket(limit, burst, now) for kind, limit in limits.items()}

    def settle(self, now: float) -> None:
        for bucket in self.buckets.values():
            bucket.settle(now)


class AccountLimits:
    """All accounts of a stand-in. A limit of 0 is none; without any, nothing is limited.

    `requests`, `input_tokens` and `output_tokens` are for a minute. `burst` says how many seconds'
    worth a bucket holds. `clock` gives monotonic seconds, `wall` those since 1970.
    """

    def __init__(
        self,
        requests: int = 0,
        input_tokens: int = 0,
        output_tokens: int = 0,
        burst: float = MINUTE,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        by_kind = zip(KINDS, (requests, input_tokens, output_tokens), strict=True)
        self.limits = {kind: limit for kind, limit in by_kind if limit}
        self.burst = burst
        self.refused = 0
        self._clock = clock
        self._wall = wall
        self._accounts: dict[str, Account] = {}

    def __bool__(self) -> bool:
        return bool(self.limits)

    def take(self, key: str, input_tokens: int) -> None:
        """Count a request that starts, with its input. Raises `Refused` (429)."""
        if not self.limits:
            return
        amounts = {"requests": 1.0, "input-tokens": float(input_tokens), "output-tokens": 1.0}
        account = self._account(key)
        waits = {kind: bucket.missing(amounts[kind]) for kind, bucket in account.buckets.items()}
        tightest = max(waits, key=lambda kind: waits[kind])
        if waits[tightest] > 0:
            self.refused += 1
            words = f"{self.limits[tightest]:,} {tightest.replace('-', ' ')} per minute"
            raise Refused(
                429,
                f"This request would exceed your organization's rate limit of {words}.",
                headers=(
                    ("retry-after", str(max(1, math.ceil(waits[tightest])))),
                    *self.headers(key),
                ),
            )
        for kind, bucket in account.buckets.items():
            bucket.level -= 0.0 if kind == "output-tokens" else amounts[kind]

    def produce(self, key: str, tokens: int, seconds: float) -> Callable[[], None]:
        """Let an answer of that many tokens be produced evenly over the seconds.

        Returns what is to be called at its end, which counts what is left to count.
        """
        bucket = self._account(key).buckets.get("output-tokens")
        if bucket is None:
            return lambda: None
        speed = tokens / seconds if seconds > 0 else 0.0
        began = bucket.at
        bucket.drain += speed

        def end() -> None:
            bucket.settle(self._clock())
            bucket.drain -= speed
            bucket.level -= tokens - speed * (bucket.at - began)

        return end

    def headers(self, key: str) -> Headers:
        """The headers with the account's state now; none without limits.

        The remaining tokens are rounded to thousands. `tokens` is the sum of input and output,
        which is what the API shows where no workspace has limits of its own.
        """
        account = self._account(key)
        shown: list[tuple[str, str]] = []
        now = self._wall()
        total, left, reset = 0, 0.0, 0.0
        for kind, bucket in account.buckets.items():
            full_in = bucket.full_in()
            shown += _lines(kind, bucket.limit, bucket.level, now + full_in)
            if kind != "requests":
                total, left = total + bucket.limit, left + max(0.0, bucket.level)
                reset = max(reset, full_in)
        if total:
            shown += _lines("tokens", total, left, now + reset)
        return tuple(shown)

    def _account(self, key: str) -> Account:
        """The account of a key, as it is now."""
        now = self._clock()
        if key not in self._accounts:
            self._accounts[key] = Account(self.limits, self.burst, now)
        self._accounts[key].settle(now)
        return self._accounts[key]


def _lines(kind: str, limit: int, left: float, full_at: float) -> Headers:
    remaining = max(0, math.floor(left))
    if kind != "requests":
        remaining = round(remaining, -3)
    reset = datetime.fromtimestamp(math.ceil(full_at), UTC)
    name = f"anthropic-ratelimit-{kind}"
    return (
        (f"{name}-limit", str(limit)),
        (f"{name}-remaining", str(remaining)),
        (f"{name}-reset", f"{reset:%Y-%m-%dT%H:%M:%SZ}"),
    )
