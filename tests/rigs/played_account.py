"""An account of Claude's in play: runs that share it, on a clock of their own.

Their flow is the real one, and so are the stand-in's rate limits; what is between them is played,
so that an hour takes a second: which requests there are, how long an answer takes, the waits and
the attempts (as `delivery/live.py`, `delivery/loop.py` and `claude/send.py` have them).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from common.pace.flow import Flow
from standin.account_limits import AccountLimits
from standin.problems import Refused

BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)
ON_THE_WAY = 0.01  # seconds
LINGER = 0.003
BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Work:
    """What a run has to send, and how its account answers.

    `requests` of `records` records each; `input` and `output` tokens are those of a record, and
    `prompt` tokens come with each request. No two requests are of the same size: they differ by
    `spread`. The first goes alone unless the job is `proven`.
    """

    requests: int = 200
    records: int = 50
    input: int = 70
    output: int = 36
    prompt: int = 300
    spread: float = 0.1
    proven: bool = False
    most: int | None = None  # --concurrency
    at: float = 2.0  # seconds until it begins to send


@dataclass(frozen=True)
class Server:
    """How long an answer takes, and what the server does beside answering."""

    latency: float = 1.5
    seconds_per_token: float = 1 / 150
    headers: bool = True
    overloaded: float = 0.0  # the share of requests that get a 529


@dataclass
class Played:
    """How a run went. Seconds count from the first moment of the account."""

    seconds: float = 0.0
    answered: int = 0
    flow: Flow = None  # type: ignore[assignment]  # set when it begins


@dataclass
class Account:
    """An account in play. `limits` are those of `AccountLimits`, for a minute."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    burst: float = 60.0
    server: Server = field(default_factory=Server)
    seed: int = 1
    now: float = 0.0
    in_flight: int = 0
    in_flight_max: int = 0
    input: int = 0  # tokens that were used
    output: int = 0
    answered: int = 0
    refused: list[float] = field(default_factory=list)  # when there was a 429
    came: list[float] = field(default_factory=list)  # when there was a request

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.limits = AccountLimits(
            self.requests,
            self.input_tokens,
            self.output_tokens,
            self.burst,
            clock=lambda: self.now,
            wall=lambda: BEGIN.timestamp() + self.now,
        )
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Let something happen later."""
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), do))

    def play(self, *works: Work) -> list[Played]:
        """Let these runs use the account until all are done, and say how each went."""
        runs = [Run(self, work) for work in works]
        for run in runs:
            self.after(run.work.at, run.turn)
        while self._events:
            self.now, _, do = heapq.heappop(self._events)
            do()
        return [run.played for run in runs]

    def ideal(self, full: float = 0.0) -> tuple[float, str]:
        """The seconds that the limits need for what was used, and the tightest of them.

        `full` minutes' worth of a full bucket at the start count for nothing. The seconds of one
        answer of the usual length are part of it.
        """
        needs = {
            "requests": self.answered / self.requests if self.requests else 0.0,
            "input_tokens": self.input / self.input_tokens if self.input_tokens else 0.0,
            "output_tokens": self.output / self.output_tokens if self.output_tokens else 0.0,
        }
        tightest = max(needs, key=lambda name: needs[name])
        answer = self.seconds(self.output // max(1, self.answered))
        return 60 * max(0.0, needs[tightest] - full) + answer, tightest

    def seconds(self, output: int) -> float:
        """How long an answer of so many tokens takes."""
        return self.server.latency + output * self.server.seconds_per_token

    def headers(self) -> dict[str, str]:
        return dict(self.limits.headers("key")) if self.server.headers else {}


@dataclass
class Request:
    """One request, of so many input and output tokens."""

    records: int
    input: int
    output: int
    attempts: int = 0


class Run:
    """One run."""

    def __init__(self, account: Account, work: Work) -> None:
        self.account = account
        self.work = work
        self.played = Played()
        self.flow = self.played.flow = Flow(
            lambda: account.now, lambda: BEGIN + timedelta(seconds=account.now), work.most
        )
        self._requests = self._all()
        self._next = next(self._requests, None)
        self._in_flight = 0
        self._proven = work.proven
        self._turns = 0
        self._lingers = False

    def _all(self) -> Iterator[Request]:
        work, throw = self.work, self.account.random
        for _ in range(work.requests):
            factor = 1 + throw.uniform(-work.spread, work.spread)
            sent = work.prompt + int(work.records * work.input * factor)
            yield Request(work.records, sent, max(1, int(work.records * work.output * factor)))

    def turn(self) -> None:
        """Send what there is room for."""
        self._turns += 1
        self._lingers = False
        room = self.flow.room(self._in_flight)
        while self._next and room > 0 and (self._proven or not self._in_flight):
            request, self._next = self._next, next(self._requests, None)
            room, self._in_flight = room - 1, self._in_flight + 1
            self._attempt(request)
        if self._next and room <= 0:
            wait, turn = self.flow.wait(self._in_flight), self._turns
            if wait < 1e9:
                self.account.after(max(1e-4, wait), lambda: self._look(turn))

    def _look(self, turn: int) -> None:
        if turn == self._turns:
            self.turn()

    def _attempt(self, request: Request) -> None:
        request.attempts += 1
        waiting = self.flow.waiting()
        waiting.__enter__()

        def look() -> None:
            if (left := self.flow.before(request.attempts)) > 0:
                left = min(left, 0.5)
                self.account.after(max(1e-4, left + self.account.random.uniform(0, left)), look)
                return
            waiting.__exit__(None, None, None)
            self._send(request)

        look()

    def _send(self, request: Request) -> None:
        account = self.account
        sending = self.flow.sent(request.input * BYTES_PER_TOKEN, request.records)

        def arrive() -> None:
            account.came.append(account.now)
            if account.random.random() < account.server.overloaded:
                account.after(ON_THE_WAY, lambda: fail(account.headers(), None))
                return
            try:
                account.limits.take("key", request.input)
            except Refused as refused:
                account.refused.append(account.now)
                headers = dict(refused.headers)
                wait = int(headers["retry-after"])
                account.after(
                    ON_THE_WAY, lambda: fail(headers if account.server.headers else {}, wait)
                )
                return
            account.in_flight += 1
            account.in_flight_max = max(account.in_flight_max, account.in_flight)
            account.input += request.input
            seconds = account.seconds(request.output)
            produced = account.limits.produce("key", request.output, seconds)
            account.after(seconds, lambda: answer(produced))

        def answer(produced: Callable[[], None]) -> None:
            produced()
            account.in_flight -= 1
            account.answered += 1
            account.output += request.output
            self.flow.heard(account.headers())
            self.flow.answered(sending, request.input, request.output)
            self._in_flight -= 1
            self._proven = True
            self.played.answered += 1
            self.played.seconds = account.now
            if not self._lingers:
                self._lingers = True
                account.after(LINGER, self.turn)

        def fail(headers: Mapping[str, str], retry_after: int | None) -> None:
            self.flow.heard(headers)
            self.flow.failed(sending, slow_down=True, overloaded=retry_after is None)
            late = account.random.random()
            wait = late * 2 ** (request.attempts - 1)
            if retry_after is not None:
                wait = retry_after + late
            self.flow.slow(wait)
            account.after(wait, lambda: self._attempt(request))

        account.after(ON_THE_WAY, arrive)
