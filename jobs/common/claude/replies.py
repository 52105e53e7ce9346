"""The JSON of a reply. A gateway or a proxy may have written it: it has any shape, or none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic
    from anthropic._types import RequestOptions


async def get(
    client: AsyncAnthropic, path: str, params: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Ask for free. Raises what the SDK raises, and JSONDecodeError as `json_object` does."""
    import httpx2

    options: RequestOptions = {"params": dict(params or {})}
    return json_object(await client.get(path, cast_to=httpx2.Response, options=options))


def json_object(reply: httpx2.Response) -> dict[str, Any]:
    """The object that a reply is. Raises JSONDecodeError for everything else.

    The SDK's own models take a reply as it comes, and fail wherever they are read.
    """
    try:
        value = json.loads(reply.content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise broken("not JSON") from error
    if not isinstance(value, dict):
        raise broken("no object")
    return value


def broken(reason: str) -> json.JSONDecodeError:
    """The error of a reply that is not what was asked for: nobody's fault, and asked for again."""
    return json.JSONDecodeError(reason, "", 0)
