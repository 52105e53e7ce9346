"""A record as it travels to Claude: escaped, in an envelope that only we can open or close."""

from __future__ import annotations

from html import escape

from common.job import Job, Record
from common.process import exits
from common.process.exits import JobExit

CHUNK_TOKENS = 60_000  # estimated: no request comes near the 100,000-token price band
_BYTES_PER_TOKEN = 3  # on the safe side of the usual four


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
