"""Reaching Claude (or, in a demo, its stand-in): made when the first request is about to be sent, never before."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from common.claude import pricing
from common.claude.api import connect, look_up, must_be_fault
from common.claude.faults import Fault, Whose
from common.claude.pricing import Tokens
from common.claude.request import Model, Request
from common.context import Context
from common.delivery.live import Live
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log
from common.process.words import duration
from common.settings import DEMO_KEY

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

T = TypeVar("T")


class Connection:
    """A client, what its model takes, and the delivery that uses it."""

    def __init__(
        self, context: Context, may_send_again: Callable[[Request, int, float], bool]
    ) -> None:
        """Raises JobExit: 77 or 78 for a key or a model that is refused, 69 where nobody answers, 75 when stopped."""
        _check_price(context)
        self._context = context
        self._closing = ExitStack()
        self._delivery_is_there = False
        self._loop = asyncio.new_event_loop()
        self._closing.callback(self._loop.close)
        try:
            clients = self._clients()
            self._stopped = asyncio.Event()
            context.stop.waking(self._wake)
            self._client = clients[0]
            self.model = self._look_up()
            self.delivery = Live(
                clients,
                self._loop,
                context.options.concurrency,
                may_send_again,
                context.retry,
                context.clock,
            )
            self._delivery_is_there = True
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close what was opened."""
        self._context.stop.waking(lambda: None)
        self._closing.close()

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        if self._delivery_is_there:
            self.delivery.wake()

    def _clients(self) -> list[AsyncAnthropic]:
        settings, concurrency = self._context.settings, self._context.options.concurrency
        if self._context.options.demo:
            clients = connect(DEMO_KEY, self._demo_url(), concurrency)
        else:
            clients = connect(settings.api_key(), settings.base_url(), concurrency)
        self._closing.callback(lambda: self._loop.run_until_complete(_close_all(clients)))
        return clients

    def _demo_url(self) -> str:
        from standin.standin import StandIn

        # A proxy that the machine uses for the internet cannot reach this machine's own loopback.
        os.environ["NO_PROXY"] = "127.0.0.1,localhost"
        standin = StandIn(state=self._context.settings.state / "standin")
        return self._closing.enter_context(standin).url

    def call(self, call: Callable[[AsyncAnthropic], Coroutine[Any, Any, T]]) -> T | Fault:
        """What a free call gives, made again while it is nobody's fault; or the fault that it is of somebody's.

        Raises JobExit: 69 where nobody answers within the limits of Retry, 75 when stopped.
        """
        return self._loop.run_until_complete(self._persistently(call))

    def call_once(self, call: Callable[[AsyncAnthropic], Coroutine[Any, Any, T]]) -> T | Fault:
        """What a call gives that must not be made twice, or the fault it met."""

        async def once() -> T | Fault:
            try:
                return await call(self._client)
            except Exception as error:
                return must_be_fault(error)

        return self._loop.run_until_complete(once())

    def sleep(self, seconds: float) -> None:
        """Wait, or less long if the run is stopped."""
        self._loop.run_until_complete(self._context.clock.sleep(seconds, self._stopped))

    async def _persistently(
        self, call: Callable[[AsyncAnthropic], Coroutine[Any, Any, T]]
    ) -> T | Fault:
        context, attempts = self._context, 0
        began = context.clock.now()
        while True:
            attempts += 1
            try:
                return await call(self._client)
            except Exception as error:
                fault = must_be_fault(error)
            if fault.whose is not Whose.NOBODY:
                return fault
            wait = context.retry.wait(attempts, fault)
            spent = context.clock.now() - began
            if attempts >= context.retry.attempts or spent + wait > context.retry.seconds:
                raise JobExit(exits.UNREACHABLE, f"Claude cannot be reached: {fault.reason}")
            log.warning("Claude: %s: trying again in %s", fault.reason, duration(wait))
            await context.clock.sleep(wait, self._stopped)
            if context.stop.by:
                waits = "what is left waits for the next run"
                raise JobExit(exits.NOT_NOW, f"stopped by {context.stop.by}: {waits}")

    def _look_up(self) -> Model:
        model = self.call(lambda client: look_up(client, self._context.model))
        if isinstance(model, Fault):
            remedy = "set CLAUDE_MODEL or --model" if model.code == exits.SETTINGS else "see .env"
            raise JobExit(model.code, f"{model.reason} ({self._context.model}; {remedy})")
        if model.retires_at:
            day = model.retires_at[:10]
            log.warning("model %s is retired on %s: choose another in time", model.id, day)
        return model


async def _close_all(clients: list[AsyncAnthropic]) -> None:
    for client in clients:
        await client.close()


def _check_price(context: Context) -> None:
    today = datetime.now(UTC).date()
    if pricing.usd(context.model, Tokens(), today) is not None:
        return
    if context.budget.capped:
        raise JobExit(
            exits.SETTINGS,
            f"{pricing.PRICES} has no price for {context.model}, so the cost cap cannot be kept: add one",
        )
    log.warning("%s has no price for %s: its cost is unknown", pricing.PRICES, context.model)
