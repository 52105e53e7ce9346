"""Records to chunks: filled by count and by tokens, each record in its envelope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from common.job import Job
from common.process import exits
from common.process.exits import JobExit
from common.source.sqlite_source import Record

CHUNK_TOKENS = 60_000  # estimated: no request comes near the 100,000-token price band
_BYTES_PER_TOKEN = 3  # on the safe side of the usual four


@dataclass(frozen=True)
class Chunk:
    """The records that travel in one request."""

    records: list[Record]
    label: str  # how the log calls it, "chunk 3/10"
    total: int = 1  # of how many chunks it is one, about
    alone: bool = False  # was in flight in a run that died: to be sent with nothing beside it
    failed: bool = (
        False  # its records have failed before: that they do again says nothing about others
    )


def packed(job: Job, records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Group records, in order, into lists of at most `size` records and CHUNK_TOKENS estimated tokens.

    A record that is over CHUNK_TOKENS all by itself travels alone. Reads no further ahead than the list it makes.
    """
    held: list[Record] = []
    tokens = 0
    for record in records:
        weight = estimated_tokens(envelope(job, record))
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


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is, rather more than fewer."""
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


def envelope(job: Job, record: Record) -> str:
    """A record as it travels. Escaped, so that no record can close its envelope or open another's.

    Raises JobExit (78) for a column that the SELECT does not give.
    """
    try:
        attributes = "".join(f' {name}="{_attribute(record[name])}"' for name in job.attributes)
        text = escape(_sendable(str(job.show(record))), quote=False)
    except KeyError as error:
        raise JobExit(
            exits.SETTINGS, f"the SELECT gives no {error}, which the job shows to Claude"
        ) from error
    elements = "".join(
        f"<{name}>{escape(_sendable(str(value)), quote=False)}</{name}>"
        for name in job.elements
        if (value := record.get(name))
    )
    return f'<record id="{_attribute(record["record_id"])}"{attributes}>{text}{elements}</record>'


def _attribute(value: object) -> str:
    return escape(_sendable(str(value)), quote=True).replace("\n", "&#10;").replace("\r", "&#13;")


def _sendable(text: str) -> str:
    # Half a surrogate pair has no UTF-8 form: the whole request would fail for it.
    return text.encode("utf-8", "replace").decode("utf-8")
