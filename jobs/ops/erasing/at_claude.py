"""Deletes message batches at Anthropic, with the records that travelled in them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from common.claude.client import Access, Claude
from common.claude.faults import Fault, Kind
from common.claude.message_batch_api import delete
from common.claude.retries import Clock, Retry
from common.process import exits
from common.process.signals import Stop
from common.settings import Settings

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic


async def _deleted(client: AsyncAnthropic, message_batch_id: str) -> None:
    await delete(client, message_batch_id)


def delete_at_claude(found: Settings, ids: Sequence[str]) -> tuple[int, list[str]]:
    """Delete each of them: an exit code, and what became of each in words.

    One that is not there any more counts as deleted. Raises JobExit (78) without a key.
    """
    access = Access(found.api_key(), found.base_url())
    code, lines = exits.DONE, []
    with closing(Claude("", lambda _: access, 1, Retry(), Clock(), Stop())) as claude:
        for one in ids:
            name = f"message batch {one}"
            said = claude.once(partial(_deleted, message_batch_id=one), name)
            if not isinstance(said, Fault):
                lines.append(f"{name}: deleted at Anthropic")
            elif said.kind is Kind.NOT_FOUND:
                lines.append(f"{name}: no longer at Anthropic")
            else:
                code = code or said.code or exits.UNREACHABLE
                lines.append(f"{name}: NOT deleted at Anthropic ({said.reason}): run this again")
    return code, lines
