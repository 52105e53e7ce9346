"""The way to Claude (in a demo, to its stand-in), opened when the first call is made, not before.

A run with nothing to do never loads the SDK or asyncio, which would double its time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from common.claude.faults import Fault, Kind, Whose
from common.claude.retries import Clock, Retry
from common.claude.send import SECONDS_TO_DRAIN, in_time, judged, send
from common.claude.server_clock import ServerClock
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.meanwhile import Aside
from common.process.signals import Stop

if TYPE_CHECKING:
    import asyncio

    from anthropic import AsyncAnthropic

    from common.claude.api import Clients
    from common.claude.models_api import Model
    from common.pace.flow import Flow

SECONDS_FOR_A_FREE_CALL = 60.0  # in all, even while bytes keep arriving

T = TypeVar("T")
Call = Callable[["AsyncAnthropic"], Awaitable[T]]


@dataclass(frozen=True)
class Access:
    """A key, and the address that it is for."""

    api_key: str
    base_url: str


class Claude:
    """Clients for one run, the event loop that they live in, and what the run's model takes."""

    def __init__(
        self,
        model_id: str,
        access: Callable[[ExitStack], Access],
        concurrency: int | None,
        retry: Retry,
        clock: Clock,
        stop: Stop,
        seconds: float | None = None,
    ) -> None:
        """`access` is asked once, at the first call; what it puts on the stack ends with us.

        `concurrency`: the most requests in flight, None for as many as the account's limits carry.
        `seconds`: how long a free call may take in all (default: SECONDS_FOR_A_FREE_CALL).
        """
        self.model_id = model_id
        self.setting = "CLAUDE_MODEL or --model"  # what says which model is asked
        self.concurrency = concurrency
        self._reach = access
        self._retry = retry
        self._clock = clock
        self.server_clock = ServerClock(clock)
        self._stop = stop
        self._seconds = SECONDS_FOR_A_FREE_CALL if seconds is None else seconds
        self._closing = ExitStack()
        self.meanwhile = Aside(self._closing)

    def close(self) -> None:
        """Close what was opened."""
        self._closing.close()

    def asking(self, model_id: str, setting: str = "") -> Claude:
        """The way to another model, by the same key and address. It ends with this one.

        `setting` is what says which model that is, where it is no setting of the run's.
        """
        other = Claude(
            model_id,
            lambda _: self._access,
            self.concurrency,
            self._retry,
            self._clock,
            self._stop,
            self._seconds,
        )
        other.setting = setting or self.setting
        self._closing.callback(other.close)
        return other

    @cached_property
    def _access(self) -> Access:
        return self._reach(self._closing)

    @cached_property
    def flow(self) -> Flow:
        """How many requests may be in flight, and when the next one may go."""
        from common.pace.flow import Flow

        return Flow(self._clock.now, self.server_clock.now, self.concurrency)

    def pace(self) -> dict[str, int | str]:
        """What a summary adds where requests were sent live: how many at once, and why no more."""
        return self.flow.summary() if "flow" in self.__dict__ else {}

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, which runs only while somebody waits in it."""
        from common.process.event_loop import PatientLoop

        self.meanwhile.loop = loop = PatientLoop()
        self._closing.callback(loop.close)
        return loop

    @cached_property
    def clients(self) -> Clients:
        """Clients for the requests in flight. Raises JobExit (78) without a key."""
        from common.claude.api import connect

        access = self._access
        loop = self.loop

        def heard(headers: Mapping[str, str], path: str) -> None:
            self.server_clock.heard(headers)
            if path.endswith("/v1/messages"):  # free calls have limits of their own
                self.flow.heard(headers)

        clients = connect(access.api_key, access.base_url, heard)
        self._closing.callback(lambda: loop.run_until_complete(clients.close()))
        return clients

    @cached_property
    def model(self) -> Model:
        """What the model takes, asked once, which also tries the key.

        Raises JobExit: 77 or 78 for a key or a model that is refused, and as `call` does.
        """
        from common.claude.api import look_up

        model = self.call(lambda client: look_up(client, self.model_id))
        if isinstance(model, Fault):
            remedy = f"set {self.setting}" if model.code == exits.SETTINGS else "see .env"
            raise JobExit(model.code, f"{model.reason} ({self.model_id}; {remedy})")
        if not model.described:
            log.warning(
                "ANTHROPIC_BASE_URL does not say what %s takes: it is asked as any model may be,"
                " and may think longer than it would have to",
                model.id,
            )
        return model

    def input_tokens(self, params: dict[str, Any]) -> int | Fault:
        """How many input tokens a request has, by Claude's own count, which is free."""
        from common.claude.api import count_tokens

        return self.call(lambda client: count_tokens(client, params))

    def call(self, call: Call[T], name: str = "Claude", *, streams: bool = False) -> T | Fault:
        """What a free call gives, made again while it is nobody's fault; or somebody's fault.

        `name` is how the log calls it. One that `streams` limits its time itself, since how long it
        takes depends on how much comes. Raises JobExit: 69 where nobody answers within the limits
        of Retry, 75 when stopped.
        """
        reply = self._send(
            lambda client: in_time(call(client), inf if streams else self._seconds, self._stopped),
            name,
            lambda fault: fault.kind is Kind.UNREACHABLE,
        )
        if isinstance(reply, Fault) and reply.whose is Whose.NOBODY:
            if by := self._stop.by:
                waits = "what is left waits for the next run"
                raise JobExit(exits.NOT_NOW, f"stopped by {by}: {waits}")
            raise JobExit(exits.UNREACHABLE, f"Claude cannot be reached: {reply.reason}")
        return reply

    def once(self, call: Call[T], name: str) -> T | Fault:
        """What a free call gives that may as well fail, or its fault. It is not made again."""
        return self._send(
            lambda client: in_time(call(client), self._seconds, self._stopped),
            name,
            lambda fault: False,
        )

    def order(self, call: Call[T], name: str, seconds: float) -> T | Fault:
        """What a call gives that costs money, or its fault; again only where it had no effect.

        When the run is stopped, its reply has some seconds to come.
        """
        return self._send(
            lambda client: in_time(call(client), seconds, self._stopped, grace=SECONDS_TO_DRAIN),
            name,
            lambda fault: fault.no_effect,
        )

    def _send(self, call: Call[T], name: str, again: Callable[[Fault], bool]) -> T | Fault:
        client = self.clients.first
        return self.loop.run_until_complete(
            send(
                lambda: judged(call(client)),
                name,
                self._retry,
                self._clock,
                self._stopped,
                again=again,
            )
        )

    def sleep(self, seconds: float) -> None:
        """Wait, or less long if the run is stopped."""
        self.loop.run_until_complete(self._clock.sleep(seconds, self._stopped))

    @cached_property
    def _stopped(self) -> asyncio.Event:
        """Set once a signal has stopped the run."""
        import asyncio

        stopped, loop = asyncio.Event(), self.loop

        def wake() -> None:
            loop.call_soon_threadsafe(stopped.set)

        self._closing.callback(self._stop.waking(wake))
        if self._stop.by:  # already: nothing is attempted, not even before the loop's next turn
            stopped.set()
        return stopped
