"""Claude: the client that sends a request once, and the free questions.

`import anthropic` costs a second, so it happens in here, in the functions that send.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from common.claude.models_api import Model, knows_no_models, model_of
from common.claude.replies import broken, get, json_object
from common.process.imports import for_good, write_out_in_the_end

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic._types import RequestOptions

    from common.claude.sdk_client import Client

CONNECTIONS_PER_CLIENT = 10
_JSON: RequestOptions = {"headers": {"Content-Type": "application/json"}}
SECONDS_TO_CONNECT = 10
SECONDS_BETWEEN_BYTES = 300
SECONDS_TO_ANSWER = 600  # in total, even while bytes keep arriving
# A connection that nothing comes through for minutes is not forgotten by the routers on its way,
# and the death of the other side is noticed. As the SDK's own transport has it.
_KEEP_ALIVE = [
    (level, getattr(socket, name), value)
    for level, name, value in (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 60),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 60),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", 5),
    )
    if hasattr(socket, name)
]


class Clients:
    """As many clients as the requests in flight need, each made when it is first needed.

    There are several, since the bookkeeping of a client's pool grows with its connections: fifty
    requests at a time through one pool cost a third more than through five.
    """

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self.made = [make()]
        self._turns = 0

    @property
    def first(self) -> Client:
        """The one for what is asked alone."""
        return self.made[0]

    def next(self, in_flight: int) -> Client:
        """The one whose turn it is, where so many requests are in flight."""
        if len(self.made) * CONNECTIONS_PER_CLIENT < in_flight:
            self.made.append(self._make())
        self._turns += 1
        return self.made[self._turns % len(self.made)]

    async def close(self) -> None:
        """Close all connections."""
        for client in self.made:
            await client.close()


def connect(
    api_key: str,
    base_url: str,
    heard: Callable[[Mapping[str, str], str], None] = lambda headers, path: None,
) -> Clients:
    """Clients for any number of requests in flight. None retries by itself: send.py does.

    `heard` is called with the headers of every reply, and the path that was asked.

    The key and the records go to this address and to no other: no redirect is followed. Raises
    JobExit (78) where the environment names certificates or a proxy that cannot be used.
    """
    # Spans that nobody collects are made for every request otherwise.
    os.environ.setdefault("ANTHROPIC_OPEN_TELEMETRY", "false")
    with for_good():
        import httpx2
        from anthropic import DEFAULT_CONNECTION_LIMITS
    write_out_in_the_end()  # what the job's script holds went out of sight, too

    from common.claude.network import proxy_for, trusted
    from common.claude.sdk_client import Client
    from common.claude.transport import Guarded

    async def hear(response: httpx2.Response) -> None:
        heard(response.headers, response.request.url.path)

    # Made once, since reading the machine's certificates takes longer than everything else here.
    context = trusted(base_url)
    proxy = proxy_for(base_url, context)
    timeout = httpx2.Timeout(SECONDS_BETWEEN_BYTES, connect=SECONDS_TO_CONNECT)

    def client() -> Client:
        # The SDK's own transport goes through the proxies of the environment whatever it is told.
        way = httpx2.AsyncHTTPTransport(
            verify=context,
            proxy=proxy,
            limits=DEFAULT_CONNECTION_LIMITS,
            socket_options=_KEEP_ALIVE,
        )
        http = httpx2.AsyncClient(
            transport=Guarded(way),
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            event_hooks={"response": [hear]},
        )
        return Client(
            api_key=api_key, base_url=base_url, max_retries=0, timeout=timeout, http_client=http
        )

    return Clients(client)


async def post(client: Client, body: bytes) -> tuple[str, str]:
    """Send a request once: (the answer as it came, the API's request id).

    Raises what the SDK raises.

    The body is made already, and the answer is kept as it comes: building the SDK's models of both
    would take a quarter of the time that a request costs this machine.
    """
    async with asyncio.timeout(SECONDS_TO_ANSWER):
        response = await client.post_message(body)
        answer = response.content.decode("utf-8-sig", "replace")
        return answer, response.headers.get("request-id", "")


async def look_up(client: AsyncAnthropic, model: str) -> Model:
    """Ask, for free, what a model takes, which also tries the key. Raises what the SDK raises.

    An address that has no Models API describes no model.
    """
    from anthropic import APIStatusError

    try:
        reply = await get(client, f"/v1/models/{quote(model, safe='')}")
    except APIStatusError as error:
        if knows_no_models(error):
            return Model(model)
        raise
    if not isinstance(reply.get("id"), str) or not reply["id"]:
        raise broken("no model")
    return model_of(reply, model)


async def count_tokens(client: AsyncAnthropic, params: dict[str, Any]) -> int:
    """Ask, for free, how many input tokens a request has. Raises what the SDK raises."""
    import httpx2

    counted = {name: value for name, value in params.items() if name != "max_tokens"}
    # The SDK would stumble over half an emoji, which travels as ? in a request.
    body = json.dumps(counted, ensure_ascii=False).encode("utf-8", "replace")
    path = "/v1/messages/count_tokens"
    reply = json_object(
        await client.post(path, cast_to=httpx2.Response, content=body, options=_JSON)
    )
    tokens = reply.get("input_tokens")
    if type(tokens) is not int or tokens <= 0:
        raise broken("no number of tokens")
    return tokens
