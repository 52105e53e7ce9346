"""The SDK's client, with a short way for the one request that is sent by the thousand.

To make options, headers and an address for each takes the SDK a third of what sending it takes.
What begins with _ here is the SDK's own, as of the version that requirements.txt pins: mypy and
tests/claude/ fail where a newer one has changed it.
"""

from __future__ import annotations

from functools import cached_property

import httpx2
from anthropic import APIConnectionError, AsyncAnthropic
from anthropic._models import FinalRequestOptions


class Client(AsyncAnthropic):
    """All that it sends, and all that it raises, is the SDK's."""

    async def post_message(self, body: bytes) -> httpx2.Response:
        """Send the parameters of a message once: the reply. Raises what the SDK raises."""
        like = self._like_all
        request = httpx2.Request(
            "POST", like.url, headers=like.headers, content=body, extensions=like.extensions
        )
        try:
            reply = await self._client.send(request)
        except Exception as error:  # the SDK calls all of them so
            raise APIConnectionError(request=request) from error
        if not reply.is_success:
            raise self._make_status_error_from_response(reply)
        return reply

    @cached_property
    def _like_all(self) -> httpx2.Request:
        """The request that all of them are like, but for the body, as the SDK makes it."""
        request = self._build_request(
            FinalRequestOptions.construct(
                method="post",
                url="/v1/messages",
                headers={"Content-Type": "application/json"},
                content=b"",
            )
        )
        del request.headers["Content-Length"]
        return request
