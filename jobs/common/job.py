"""A job: which records, what to ask, what must come back, what to do with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from inspect import Parameter, signature
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel

from common.answer_schema import ID
from common.function_text import text_of

# One row of a job's SELECT: its columns by name, with `record_id` as text.
Record = Mapping[str, Any]


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


# What every job needs but one that is made from another's reports: it asks about no record.
ABOUT_RECORDS = ("select", "instructions")

_Class = TypeVar("_Class")


def _told_when_run(job_class: type[_Class]) -> type[_Class]:
    """Let the class take arguments that it does not have, and do without some that it needs.

    A TypeError while a script is imported would be a traceback. The names are kept instead, and
    told of on one line by a run, --dry-run, doctor and --list alike.
    """
    known = {field.name: field for field in fields(job_class)}  # type: ignore[arg-type]
    plain = job_class.__init__

    def __init__(self: _Class, *by_place: object, **by_name: object) -> None:  # noqa: N807
        given = {**dict(zip(known, by_place, strict=False)), **by_name}
        about_records = () if given.get("reports_of") else ABOUT_RECORDS
        needed = ("name", *about_records, "output", "save")
        missing = [name for name in needed if name not in given]
        taken = {name: value for name, value in given.items() if name in known}
        plain(self, **dict.fromkeys(missing), **taken)
        object.__setattr__(self, "unknown", tuple(name for name in given if name not in known))
        object.__setattr__(self, "missing", tuple(missing))

    job_class.__init__ = __init__  # type: ignore[assignment, method-assign]
    return job_class


@_told_when_run
@dataclass(frozen=True)
class Job:
    """The definition of a job: values and functions.

    With `merge` the job writes one report per day: `output` is the digest of a chunk, and
    `save(folder, report)` puts the day's report down. With `reports_of` besides, it writes one
    report per week, from what that other job has reported of its days: it has neither `select` nor
    `instructions`, and the fields of `output` are the sections. Without `merge` there is one answer
    per record: `output` is what comes back for one record, and `save(db, record, output)` stores it
    through db.execute(…). `save` may run twice for the same record: replace, never append. A
    `save(db, record, output, origin)` is also told which model and which run the output comes from.
    """

    # Arguments that Job(…) was given and does not have, and those that it needs and was not given.
    unknown: ClassVar[tuple[str, ...]] = ()
    missing: ClassVar[tuple[str, ...]] = ()

    # The first five arguments are needed: without `reports_of`, all of them.
    # The script's name: Path(__file__).resolve().stem, so that a copy has a ledger of its own.
    name: str
    # Must give record_id. It may use :start and :end, with within(created_at, :start, :end).
    select: str = ""
    # The system prompt.
    instructions: str = ""
    output: type[BaseModel] = None  # type: ignore[assignment]
    save: Callable[..., object] = None  # type: ignore[assignment]
    # A record's text, as Claude reads it.
    show: Callable[[Record], str] = _content
    # What a record without a text is worth: an output that save() gets without Claude being asked,
    # from the model ""; or a text for the first field of one, with "" for the others that it needs.
    # Without it nothing is saved for such a record; it is counted and told of.
    empty: BaseModel | str | None = None
    # Columns that travel beside the text, such as created_at.
    attributes: tuple[str, ...] = ()
    # The same for long columns, which a record may be without.
    elements: tuple[str, ...] = ()
    # Adds what records bring along besides their columns: gets some that are about to be sent, and
    # gives them back with more in them …
    prepare: Callable[[list[Record]], list[Record]] | None = None
    # … of which note(db, record) can keep something through db.execute(…), before they are sent.
    note: Callable[[Any, Record], object] | None = None
    # What to ask when the digests of a day become its report, or the reports of a week become one.
    merge: str = ""
    # The job whose stored reports of days a report of each week is made from: "daily_report".
    reports_of: str = ""
    # The column that says when, for a report.
    time: str = "created_at"
    # Where a record of a report can be looked at: "https://shop.example.com/messages/{id}".
    link: str = ""
    # SQL that creates the tables save() writes, if they are not there.
    tables: str = ""
    # Records per request, at most.
    chunk_size: int = 50
    # "live"; or "message_batch": half price, done within a day.
    delivery: str = "live"
    # Tokens that the answer about one record needs at most.
    output_tokens: int = 150
    # A model that is asked again about records whose output has a runner_up, and about 2 % of the
    # others, by message batch. Both answers are kept; the second one is saved.
    second_opinion: str = ""

    @cached_property
    def save_wants_origin(self) -> bool:
        """Whether save() asks for a fourth argument, an Origin."""
        asked = signature(self.save).parameters.values()
        positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        return sum(one.kind in positional and one.default is Parameter.empty for one in asked) == 4

    @cached_property
    def empty_output(self) -> BaseModel | None:
        """What `empty` stands for. Raises pydantic.ValidationError for a text that fills none."""
        if not isinstance(self.empty, str):
            return self.empty
        fields = self.output.model_fields.items()
        needed = {field.alias or name: "" for name, field in fields if field.is_required()}
        first = next((field.alias or name for name, field in fields), "")
        return self.output.model_validate({**needed, first: self.empty})

    def version(self, model: str) -> str:
        """Twelve hex digits that change with what is asked: instructions, schema, show(), model."""
        shows = text_of(self.show)
        asked = json.dumps([self.instructions, self.schema, shows, model], sort_keys=True)
        return sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    @property
    def per_day(self) -> bool:
        """Whether it writes a report per day or week; else it has an answer per record."""
        return bool(self.merge)

    @property
    def has_window(self) -> bool:
        """Whether it works on a window of time."""
        return bool(self.reports_of) or ":start" in self.select or ":end" in self.select

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of an answer, in pydantic's form."""
        one = self.output.model_json_schema()
        if self.per_day:
            return one
        definitions = one.pop("$defs", {})
        one["properties"] = {
            "id": {"type": "string", "description": ID},
            **one.get("properties", {}),
        }
        one["required"] = ["id", *one.get("required", [])]
        return {
            "type": "object",
            "properties": {"results": {"type": "array", "items": one}},
            "required": ["results"],
            "$defs": definitions,
        }
