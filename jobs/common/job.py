"""A job: which records, what to ask, what must come back, what to do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, signature
from typing import Any

from pydantic import BaseModel

from common.source.sqlite_source import Record


def _content(record: Record) -> str:
    content = record["content"]
    if isinstance(content, bytes):
        return content.decode("utf-8", "replace")
    return "" if content is None else str(content)


@dataclass(frozen=True)
class Origin:
    """Where an output comes from: the model that wrote it, and the run that asked for it."""

    model: str
    run_id: str


@dataclass(frozen=True)
class Job:
    """The definition of a job: values and functions.

    With `merge` the job writes one report per day: `output` is the digest of a chunk, and `save(folder, report)` puts
    the day's report down. Without it there is one answer per record: `output` is what comes back for one record, and
    `save(db, record, output)` stores it through db.execute(…). `save` may run twice for the same: replace, never append.
    A `save(db, record, output, origin)` is also told which model and which run the output comes from.
    """

    name: str  # the script's: Path(__file__).resolve().stem, so that a copy has a ledger of its own
    select: (
        str  # must give record_id; may use :start and :end, with within(created_at, :start, :end)
    )
    instructions: str  # the system prompt
    output: type[BaseModel]
    save: Callable[..., object]
    show: Callable[[Record], str] = _content  # a record's text, as Claude reads it
    attributes: tuple[str, ...] = ()  # columns that travel beside the text, such as created_at
    elements: tuple[str, ...] = ()  # the same for long ones, which a record may be without
    # What records bring along besides their columns: called with some that are about to be sent, gives them back with more …
    prepare: Callable[[list[Record]], list[Record]] | None = None
    # … of which note(db, record) can keep something through db.execute(…), before they are sent.
    note: Callable[[Any, Record], object] | None = None
    merge: str = ""  # what to ask for when the digests of a day become its report
    time: str = "created_at"  # the column that says when, for a report
    tables: str = ""  # SQL that creates the tables save() writes, if they are not there
    chunk_size: int = 50  # records per request at most
    delivery: str = "live"  # or "message_batch": half price, done within a day
    output_tokens: int = 150  # what the answer about one record needs at most

    @cached_property
    def save_wants_origin(self) -> bool:
        """Whether save() asks for a fourth argument, an Origin."""
        asked = signature(self.save).parameters.values()
        positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        return sum(one.kind in positional and one.default is Parameter.empty for one in asked) == 4

    @property
    def per_day(self) -> bool:
        """Whether it writes a report per day; else it has an answer per record."""
        return bool(self.merge)

    @property
    def has_window(self) -> bool:
        """Whether its SELECT works on a window of time."""
        return ":start" in self.select or ":end" in self.select

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of an answer, in pydantic's form."""
        one = self.output.model_json_schema()
        if self.per_day:
            return one
        definitions = one.pop("$defs", {})
        one["properties"] = {
            "id": {"type": "string", "description": "the record's id, exactly as given"},
            **one.get("properties", {}),
        }
        one["required"] = ["id", *one.get("required", [])]
        return {
            "type": "object",
            "properties": {"results": {"type": "array", "items": one}},
            "required": ["results"],
            "$defs": definitions,
        }
