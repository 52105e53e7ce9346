"""Records to chunks: filled by count and by tokens, each record in its envelope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.claude.envelope import CHUNK_TOKENS
from common.job import Record


@dataclass(frozen=True)
class Chunk:
    """The records that travel in one request."""

    records: list[Record]
    # How the log calls it, "chunk 3/10".
    label: str
    # Of how many chunks it is one, about.
    total: int = 1
    # How many of its records this run had not sent before.
    new_records: int = 0
    # Of suspects: the chunks of one wave go out together, with nothing else in flight beside them.
    # 0 for all others.
    wave: int = 0
    # Its records have failed before: that they do again says nothing about others.
    failed: bool = False


def packed(records: Iterable[tuple[Record, int]], size: int) -> Iterator[list[Record]]:
    """Group records, in order: at most `size` records and CHUNK_TOKENS estimated tokens a group.

    Each record comes with its estimated tokens.

    A record that is over CHUNK_TOKENS all by itself travels alone. Reads no further ahead than the
    list it makes.
    """
    held: list[Record] = []
    tokens = 0
    for record, weight in records:
        if held and (len(held) >= size or tokens + weight > CHUNK_TOKENS):
            yield held
            held, tokens = [], 0
        held.append(record)
        tokens += weight
        if len(held) >= size:
            yield held
            held, tokens = [], 0
    if held:
        yield held
