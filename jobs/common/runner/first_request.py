"""--dry-run --show: the first request of a run to be, as it would travel. It is really made.

What show() gives, the envelope and the schema are those of a run. prepare() is called for the
records of this one request; note(), which writes, is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unicodedata import category

from common.claude.faults import Fault
from common.claude.models_api import Model
from common.claude.travel_ids import travel_ids
from common.context import Context
from common.delivery.deliver import DEFERRED
from common.delivery.request_maker import RequestMaker
from common.job import Record
from common.job_code import JobCode
from common.process import exits
from common.process.exits import JobExit
from common.process.log import brief, log, shortened
from common.process.mark import Mark
from common.process.words import counted
from common.records.chunks import Chunk, packed
from common.records.preparing import SHOW, ready
from common.records.selection import Selected, chunks, has_failed
from common.tally import Tally

# Marks that turn the direction of writing: a terminal obeys them, as it does control characters.
_TURNING = {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))}


def first_of(
    context: Context, selected: Selected, model: Model, unsure: str
) -> dict[str, Any] | None:
    """The first request about these records; None where none of them has a text.

    `unsure` says why it is not known what the model takes, "" where it is. Raises JobExit: 78 where
    the job's functions fail for three records in a row, or its schema cannot be made.
    """
    apart = _only_told(context)
    with ExitStack() as closing:
        for part, failed in _parts(apart, selected, closing):
            if chunk := next(chunks(apart, part, failed=failed), None):
                return _request(context, chunk, model, "", unsure)
    return None


def about_one(
    context: Context, records: Iterable[Record], model: Model, unsure: str
) -> dict[str, Any] | None:
    """The request about the first of these records alone: it is done, and nothing else waits."""
    found = ready(_only_told(context), records, lambda record: None)
    chunk = next(packed(found, 1), None)
    if not chunk:
        return None
    states = context.ledger.states([chunk[0]["record_id"]])
    status = "".join(state.status for state in states.values()) or "left out"
    return _request(context, Chunk(chunk, "chunk 1/1"), model, status, unsure)


class _OnlyTold(JobCode):
    """The job's functions, which a dry run calls: it gives no record up."""

    def bury(self, function: str, record_id: str, fault: Fault) -> None:
        self.failed(function, record_id, fault)
        if function != SHOW:  # of which the estimate has told already
            log.warning("record %s would be a dead letter: %s", brief(record_id), fault.reason)


def _only_told(context: Context) -> Context:
    """The same run, which notes nothing: neither in its ledger nor by note()."""
    job = context.job
    code = _OnlyTold(job.name, context.dead_letters, Tally(), Mark(None))
    return replace(context, code=code, job=replace(job, note=None))


def _parts(
    context: Context, selected: Selected, closing: ExitStack
) -> Iterator[tuple[Selected, bool]]:
    """What is sent first, and what then: whether it has failed before, where that matters."""
    if context.delivery not in DEFERRED:
        yield selected, False
        return
    failed, others = Selected(context), Selected(context)
    for part in (failed, others):
        closing.callback(part.close)
    for record, state in selected:
        (failed if has_failed(state) else others).add((record, state))
    yield failed, True
    yield others, False


def _request(
    context: Context, chunk: Chunk, model: Model, status: str, unsure: str
) -> dict[str, Any]:
    """A request as --json shows it. `status` is "" where its records wait, else its record's."""
    try:
        request = RequestMaker(context, lambda: model).of_chunk(chunk)
    except (TypeError, ValueError, KeyError) as error:
        what = f"the schema of {context.job.output.__name__} cannot be made"
        raise JobExit(exits.SETTINGS, f"{what}: {shortened(str(error))}") from error
    return {
        "label": chunk.label,
        "delivery": context.delivery,
        "record_ids": request.record_ids,
        "status": status,
        "note": unsure,
        "params": request.params,
    }


def in_words(first: dict[str, Any]) -> Iterator[str]:
    """The request, whole, for a person. What a terminal would obey is made visible."""
    params, record_ids = first["params"], first["record_ids"]
    about = f"{first['label']}, {counted(len(record_ids), 'record')}, {first['delivery']}"
    yield f"The first request, as it would travel ({about}):"
    if first["status"]:
        record = shortened(record_ids[0], 60)
        yield f"  Nothing waits: it is about record {record}, which is {first['status']}."
    if first["note"]:
        yield f"  What {params['model']} takes is not known ({first['note']}):"
        yield "  max_tokens, thinking and effort are as for any model."
    own = zip(travel_ids(record_ids), record_ids, strict=True)
    if aliased := [f"{name} is {_visible(shortened(one, 60))}" for name, one in own if name != one]:
        yield "  Long or odd ids travel as aliases, and are put back when the answer is read:"
        yield f"  {' … '.join(dict.fromkeys((aliased[0], aliased[-1])))}."
    output = params["output_config"]
    settings = {
        "model": params["model"],
        "max_tokens": f"{params['max_tokens']:,}",
        "thinking": json.dumps(params["thinking"]) if "thinking" in params else "",
        "effort": output.get("effort", ""),
    }
    yield from (f"  {name:<12} {value}" for name, value in settings.items() if value)
    system = params["system"]
    blocks = [{"text": system}] if isinstance(system, str) else system
    for block in blocks:
        cached = block.get("cache_control")
        yield f"--- system prompt{f' (cached: {json.dumps(cached)})' if cached else ''} ---"
        yield _visible(block["text"])
    for message in params["messages"]:
        yield f"--- {message['role']} message ---"
        yield _visible(message["content"])
    yield "--- schema of the answer ---"
    yield _visible(json.dumps(output["format"]["schema"], indent=2, ensure_ascii=False))
    yield "--- end of the request ---"


def _visible(text: str) -> str:
    return "".join(
        char.encode("unicode_escape").decode()
        if char in _TURNING or (category(char) == "Cc" and char not in "\n\t")
        else char
        for char in text
    )
