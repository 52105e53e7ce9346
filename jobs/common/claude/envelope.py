"""A record as it travels to Claude: escaped, in an envelope that only we can open or close."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from html import escape
from typing import Any
from unicodedata import category

from common.claude.code_faults import CodeError, gave
from common.job import Job, Record
from common.process import exits
from common.process.exits import JobExit
from common.row import Row

CHUNK_TOKENS = 60_000  # estimated: no request comes near the 100,000-token price band
# Fillers, the empty pattern of Braille and variation selectors: letters and marks to Unicode, and
# yet nothing is seen of them.
_UNSEEN = {
    *"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0",
    *map(chr, (*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))),
}
_BYTES_PER_TOKEN = 3  # on the safe side of the usual four


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is, rather more than fewer."""
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


def envelope(job: Job, record: Record, travel_id: str = "") -> str:
    """A record as it travels, under `travel_id` (default: its own id).

    Escaped, so that no record can close its envelope or open another's. A Shown record is not shown
    again.

    Raises JobExit (78) for a column that the SELECT does not give, CodeError where show() gives no
    text, and what show() raises.
    """
    content = record.content if isinstance(record, Shown) else _content(job, record)
    return f'<record id="{_attribute(travel_id or record["record_id"])}"{content}'


class Shown(Row):
    """A record that show() was called for: once, however often the record is sent."""

    def __init__(self, job: Job, record: Record) -> None:
        super().__init__(record)
        self.content = _content(job, record)


def _content(job: Job, record: Record) -> str:
    """All of a record's envelope but its id."""
    try:
        attributes = "".join(f' {name}="{_attribute(record[name])}"' for name in job.attributes)
        shown = job.show(copy(record))  # what it does to its record stays there
    except KeyError as error:
        if column := _lacking(job, record):
            what = f"the SELECT gives no {column!r}, which the job shows to Claude"
            raise JobExit(exits.SETTINGS, what) from error
        raise
    if not isinstance(shown, str):
        raise CodeError(gave("show()", shown, "text"))
    text = escape(_sendable(shown), quote=False)
    elements = "".join(
        f"<{name}>{escape(_sendable(str(value)), quote=False)}</{name}>"
        for name in job.elements
        if (value := record.get(name))
    )
    return f"{attributes}>{text}{elements}</record>"


def is_blank(enveloped: str) -> bool:
    """Whether nothing can be seen between the tags of a record's envelope."""
    # The first ">" ends the start tag, whose attributes are escaped.
    content = enveloped.partition(">")[2].removesuffix("</record>")
    return all(
        char.isspace() or char in _UNSEEN or category(char) in ("Cc", "Cf") for char in content
    )


class _Watched(dict[str, Any]):
    """A record that notes which column was asked for in vain."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self._record = record
        self.lacking = ""

    def __missing__(self, column: str) -> Any:
        try:
            return self._record[column]  # it may know the column by a name in another case
        except KeyError:
            self.lacking = str(column)
            raise


def _lacking(job: Job, record: Record) -> str:
    """The column that the job shows and a record lacks: it is so for every record. "" for none."""
    watched = _Watched(record)
    with suppress(Exception):
        [watched[name] for name in job.attributes]
        job.show(watched)
    return watched.lacking


def _attribute(value: object) -> str:
    return escape(_sendable(str(value)), quote=True).replace("\n", "&#10;").replace("\r", "&#13;")


def _sendable(text: str) -> str:
    # Half a surrogate pair has no UTF-8 form: the whole request would fail for it.
    return text.encode("utf-8", "replace").decode("utf-8")
