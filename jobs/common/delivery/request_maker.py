"""Makes a run's requests, each with an id of its own, and uses the prompt cache where that pays."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from common.claude.caching import lifetime
from common.claude.request import Request, ask_about, system_prompt
from common.context import Context
from common.delivery.triage import AskAgain
from common.ledger.states import Intent
from common.records.chunks import Chunk

if TYPE_CHECKING:
    from common.claude.models_api import Model


class RequestMaker:
    """Numbers requests, and decides once for the run whether its system prompt is to be cached."""

    def __init__(self, context: Context, model: Callable[[], Model]) -> None:
        self._context = context
        self._model = model
        # Our ids are custom_ids too: two machines that share a workspace must never make the same.
        self._mark = secrets.token_hex(3)
        self._numbers = count(context.ledger.requests_of_run() + 1)
        self._chunks = count(1)
        self._lifetime = ""  # of the system prompt in the prompt cache

    def of_chunk(self, chunk: Chunk) -> Request:
        """The request about a chunk. The first one that the prompt cache pays for warms it."""
        cold = not self._lifetime
        if cold:
            self._lifetime = lifetime(
                self._model().id,
                system_prompt(self._context.job),
                chunk.total,
                message_batch=self._context.delivery == "message_batch",
            )
        again = AskAgain(chunk.records, chunk.label, whole=not chunk.failed)
        request = self.about(again, next(self._chunks), wave=chunk.wave)
        request.new_records = chunk.new_records
        request.warms = cold and bool(self._lifetime)
        return request

    def about(self, again: AskAgain, number: int, *, wave: int) -> Request:
        """A request about these records, which belong to the chunk of that number."""
        params = ask_about(
            self._context.job,
            self._model(),
            again.records,
            room=again.room,
            lifetime=self._lifetime,
        )
        return Request(
            f"{self._context.run_id}-{next(self._numbers):06d}{self._mark}",
            params,
            again.records,
            again.label,
            run_id=self._context.run_id,
            whole=again.whole,
            full_room=again.full_room or not again.whole,
            number=number,
            wave=wave,
        )


def intent_of(request: Request, model: str, message_batch_id: str | None = None) -> Intent:
    """What the ledger notes of a request before it is sent."""
    return Intent(
        request_id=request.request_id,
        record_ids=request.record_ids,
        delivery=request.delivery,
        model=model,
        most_usd=request.most_usd,
        message_batch_id=message_batch_id,
    )
