"""Claude's own count of what requests hold: free, and a third of their bytes.

Claude calls it an estimate, from which the bill may differ by a small amount. So some is added; and
where a live answer of this run was billed, twice what its bill was over its own count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from common.claude.faults import Fault, Kind, Whose
from common.claude.request import Request
from common.claude.send import judged
from common.context import Context
from common.delivery.spending import UNSEEN_TOKENS, Spending
from common.process import exits
from common.process.exits import JobExit
from common.process.log import log

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

TOGETHER = 16  # calls at a time
_MARGIN = 0.03  # of a count
_KNOWN = 8  # tokens more, where a bill says what is not counted; UNSEEN_TOKENS where none does
_WORTH = 0.12  # of what is reserved: less is not worth a call


class TokenCounter:
    """Counts the tokens of a run's requests."""

    def __init__(self, context: Context, spending: Spending) -> None:
        self._claude = context.claude
        self._spending = spending
        self._heads: dict[str, int] = {}  # tokens of what comes before the records
        self._over: int | None = None  # tokens that a bill can be over a count; None: nobody looked
        self._off = False

    def count(self, requests: Sequence[Request]) -> None:
        """Note in each request how many tokens it has at most, where that is worth a call.

        What all requests begin with is counted once. Where Claude does not count, nothing is noted.
        """
        if self._over is None:
            self._over = self._compared()
        for request in requests:
            self._note_head(request)
        worth = [request for request in requests if self._is_worth(request)]
        for request, tokens in zip(worth, self._asked([one.params for one in worth]), strict=True):
            if tokens and request.counted:
                request.counted = request.counted[0], self._at_most(tokens)

    def _at_most(self, tokens: int) -> int:
        return ceil(tokens * (1 + _MARGIN)) + (self._over or 0)

    def _compared(self) -> int:
        """What has to be added to a count, by what this run's last live answer was billed for."""
        if (last_live := self._spending.last_live) is None:
            return UNSEEN_TOKENS
        request, billed, _ = last_live
        (tokens,) = self._asked([request.params])
        return _KNOWN + 2 * max(0, billed.prompt - tokens) if tokens else UNSEEN_TOKENS

    def _note_head(self, request: Request) -> None:
        """Note the tokens of its beginning, and a token a byte for its records."""
        (message,) = request.params["messages"]
        head = {**request.params, "max_tokens": 1, "messages": [{**message, "content": "."}]}
        key = json.dumps(head)
        if key not in self._heads:
            (tokens,) = self._asked([head])
            self._heads[key] = self._at_most(tokens) if tokens else 0
        if tokens := self._heads[key]:
            size = len(message["content"].encode("utf-8", "replace"))
            request.counted = tokens, tokens + size

    def _is_worth(self, request: Request) -> bool:
        if request.counted is None or self._off:
            return False
        head, in_all = request.counted
        before = self._spending.most_usd(request)
        request.counted = head, head + (in_all - head) // 4  # bytes of a token
        after = self._spending.most_usd(request)
        request.counted = head, in_all
        return before - after > _WORTH * before

    def _asked(self, bodies: Sequence[dict[str, Any]]) -> list[int]:
        """The tokens of each, 0 where Claude does not say so. Raises JobExit (75) when stopped."""
        if not self._off and bodies:
            try:
                counts = self._claude.call(lambda client: _counts(client, bodies), "count_tokens")
            except JobExit as end:
                if end.code == exits.NOT_NOW:
                    raise
                counts = Fault(Kind.UNREACHABLE, end.message)
            if not isinstance(counts, Fault):
                return counts
            self._off = True
            why = f"tokens cannot be counted ({counts.reason})"
            log.info("%s: what requests can cost is reckoned by their bytes", why)
        return [0] * len(bodies)


async def _counts(client: AsyncAnthropic, bodies: Sequence[dict[str, Any]]) -> list[int] | Fault:
    """The tokens of each, 0 where Claude refuses that one; a fault where it is none of theirs."""
    import asyncio

    from common.claude.api import count_tokens

    counts = await asyncio.gather(*(judged(count_tokens(client, params)) for params in bodies))
    faults = [count for count in counts if isinstance(count, Fault)]
    if len(faults) < len(bodies):
        faults = [fault for fault in faults if fault.whose is not Whose.RECORD]
    return faults[0] if faults else [0 if isinstance(count, Fault) else count for count in counts]
