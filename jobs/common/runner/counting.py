"""What a request weighs, asked of Claude itself: count_tokens is free, and knows the model's own tokens."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from common.claude.api import connect, look_up, must_be_fault
from common.claude.faults import Fault
from common.claude.request import ask_about
from common.context import Context
from common.settings import DEMO_KEY
from common.source.sqlite_source import Record

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

SECONDS = 20  # for both calls together: an estimate is at hand where this takes longer


def input_tokens(context: Context, records: list[Record]) -> int | Fault:
    """The input tokens of the request about these records, or why they could not be counted. Asks once, and changes nothing.

    Raises JobExit (78) where there is no key.
    """
    with ExitStack() as closing:
        if context.options.demo:
            key, url = DEMO_KEY, _demo_url(closing)
        else:
            key, url = context.settings.api_key(), context.settings.base_url()
        import asyncio

        return asyncio.run(_count(context, records, key, url))


async def _count(context: Context, records: list[Record], key: str, url: str) -> int | Fault:
    from asyncio import timeout

    (client,) = connect(key, url, 1)
    try:
        async with client, timeout(SECONDS):
            return await _counted(client, context, records)
    except Exception as error:  # every exception is judged; a bug is raised again
        return must_be_fault(error)


async def _counted(client: AsyncAnthropic, context: Context, records: list[Record]) -> int:
    model = await look_up(client, context.model)
    params = ask_about(context.job, model, records)
    del params["max_tokens"]
    reply = await client.messages.count_tokens(**params)
    if isinstance(reply, str) or not reply.input_tokens:
        # Some proxy's page, which the SDK gives as it came.
        raise json.JSONDecodeError("not a number of tokens", "", 0)
    return reply.input_tokens


def _demo_url(closing: ExitStack) -> str:
    from standin.standin import StandIn

    # A proxy that the machine uses for the internet cannot reach this machine's own loopback.
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    return closing.enter_context(StandIn()).url
