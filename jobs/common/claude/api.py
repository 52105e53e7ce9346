"""Claude: the client that sends a request once, and what a model says it takes.

`import anthropic` costs a second, so it happens in here, in the functions that send.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

from common.claude.faults import Fault, fault_of
from common.claude.request import Model

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic._types import RequestOptions

CONNECTIONS_PER_CLIENT = 10
_JSON: RequestOptions = {"headers": {"Content-Type": "application/json"}}
SECONDS_TO_CONNECT = 10
SECONDS_BETWEEN_BYTES = 300
SECONDS_TO_ANSWER = 600  # in all, whatever dribbles in


def connect(api_key: str, base_url: str, concurrency: int) -> list[AsyncAnthropic]:
    """Clients for that many requests in flight. None retries by itself: retries are ours, seen, counted and limited.

    Several, since the bookkeeping of a client's pool grows with its connections, at each request: fifty requests a
    time through one pool cost a third more than through five.
    """
    # Spans that nobody collects are made for every request otherwise.
    os.environ.setdefault("ANTHROPIC_OPEN_TELEMETRY", "false")
    import httpx2
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

    # Made once, since reading the machine's certificates takes longer than everything else here.
    context = httpx2.create_ssl_context()
    return [
        AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=httpx2.Timeout(SECONDS_BETWEEN_BYTES, connect=SECONDS_TO_CONNECT),
            http_client=DefaultAsyncHttpxClient(verify=context),
        )
        for _ in range(-(-concurrency // CONNECTIONS_PER_CLIENT))
    ]


async def post(client: AsyncAnthropic, body: bytes) -> tuple[str, str]:
    """Send a request once: (the answer as it came, the API's request id). Raises what the SDK raises.

    The body is made already, and the answer is kept as it comes: no model of the SDK's is built on either way, which
    takes a quarter of the time that a request costs this machine.
    """
    import httpx2

    async with asyncio.timeout(SECONDS_TO_ANSWER):
        response = await client.post(
            "/v1/messages", cast_to=httpx2.Response, content=body, options=_JSON
        )
        return response.text, response.headers.get("request-id", "")


async def look_up(client: AsyncAnthropic, model: str) -> Model:
    """Ask, for free, what a model takes, which also tries the key. Raises what the SDK raises."""
    reply = await client.models.retrieve(model)
    if isinstance(reply, str) or not reply.id:
        # Some proxy's page, which the SDK gives as it came.
        raise json.JSONDecodeError("not a model", "", 0)
    found = reply.model_dump()
    capabilities = found.get("capabilities") or {}
    types = (capabilities.get("thinking") or {}).get("types") or {}
    effort = capabilities.get("effort") or {}

    def takes(kind: str) -> bool:
        return bool((types.get(kind) or {}).get("supported"))

    off = next((kind for kind in ("disabled", "between_tools") if takes(kind)), None)
    return Model(
        id=found["id"],
        thinking={"type": off} if off else None,
        low_effort=bool((effort.get("low") or {}).get("supported")),
        thinks=takes("adaptive") and off is None,
        max_tokens=found.get("max_tokens") or 32_000,
        retires_at=str(found.get("retires_at") or ""),
    )


def must_be_fault(error: Exception) -> Fault:
    """The fault that an exception of the SDK is; a bug of ours is raised again."""
    fault = fault_of(error)
    if fault is None:
        raise error
    return fault
