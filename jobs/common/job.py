"""A job: which records, what to ask, what must come back, what to do with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from common import exits
from common.database import Record
from common.exits import JobExit


def _content(record: Record) -> str:
    return str(record["content"] or "")


@dataclass(frozen=True)
class Job:
    """The definition of a job: values and functions.

    With `merge` the job writes one report per day: `output` is the digest of a chunk, and `save(folder, report)` puts
    the day's report down. Without it there is one answer per record: `output` is what comes back for one record, and
    `save(db, record, output)` stores it through db.execute(…). `save` may run twice for the same: replace, never append.
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
    merge: str = ""  # what to ask for when the digests of a day become its report
    time: str = "created_at"  # the column that says when, for a report
    tables: str = ""  # SQL that creates the tables save() writes, if they are not there
    chunk_size: int = 50  # records per request at most
    output_tokens: int = 150  # what the answer about one record needs at most

    def __post_init__(self) -> None:
        if self.name in sys.stdlib_module_names or self.name in ("common", "ops"):
            raise JobExit(
                exits.SETTINGS,
                f"jobs/{self.name}.py: a module of that name exists already: call the job something else",
            )

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
