"""Whether a job is one that can run: its arguments, its output model, its columns.

The same check stands before a run and a --dry-run, in doctor and in --list. It costs nothing and
sends nothing, so that no record pays for a mistake in the job.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from common.definition.names import taken
from common.definition.output_model import misfits
from common.definition.own_tables import faults_of_tables
from common.definition.reports_of import faults_of_reports
from common.delivery.deliver import DEFERRED
from common.job import ABOUT_RECORDS, Job
from common.process import exits
from common.process.conflicts import conflict_in
from common.process.exits import JobExit
from common.process.words import close_to, nearest
from common.report.digests import misfits_of_digest
from common.settings import ROOT

_SHOWN = 3  # mistakes that one line names


def check(job: object) -> None:
    """Raises JobExit (78) for a job that cannot run, with the reasons and the remedies."""
    script = script_of_run()
    if script and (reason := conflict_in(script)):  # within a text, where Python is content with it
        raise JobExit(exits.SETTINGS, f"jobs/{script.name} {reason}")
    if found := list(faults(job, script)):
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        name = script.name if script else f"{getattr(job, 'name', None) or 'JOB'}.py"
        raise JobExit(exits.SETTINGS, f"jobs/{name}: {'; '.join(found[:_SHOWN])}{more}")


def script_of_run() -> Path | None:
    """The script in jobs/ that this process runs; None where it is none of them, as in a test."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(file).resolve() if file else None
    return path if path and path.parent == ROOT / "jobs" else None


def faults(job: object, script: Path | None = None) -> Iterator[str]:
    """What is wrong with a job that stands in `script`: a sentence each, with the remedy."""
    if not isinstance(job, Job):
        yield f"run() was given {_shown(job)}: write JOB = Job(…), then run(JOB)"
        return
    known = [field.name for field in fields(job)]
    yield from (f"Job({name}=…) does not exist: {nearest(name, known)}" for name in job.unknown)
    yield from (f"Job(…) lacks {name}=…, which every job needs" for name in job.missing)
    yield from _faults_of_arguments(job)
    if isinstance(job.name, str):
        if reason := taken(job.name):
            yield reason
        elif script and job.name != script.stem:
            so = "name=Path(__file__).resolve().stem"
            yield f"its JOB is called {job.name}, and so would be its ledger: write {so}"
    if "output" not in job.missing:
        yield from misfits(job.output, own_id=not job.merge)
        if job.merge:
            yield from misfits_of_digest(job.output)
    if isinstance(job.tables, str):
        yield from faults_of_tables(job.tables)
    yield from _faults_of_empty(job)
    if job.merge and job.second_opinion:
        yield "second_opinion=… is for a job with an answer per record: leave it out of a report"
    if isinstance(job.link, str) and job.link:
        yield from _faults_of_link(job)
    yield from faults_of_reports(job, script)
    yield from _function_faults(job)


def _faults_of_arguments(job: Job) -> Iterator[str]:
    """Arguments whose values cannot be."""
    given = {*_ARGUMENTS} - {*job.missing} - {*(ABOUT_RECORDS if job.reports_of else ())}
    for name, (fits, right) in _ARGUMENTS.items():
        value = getattr(job, name)
        if name in given and not fits(value):
            hint = (
                f": {nearest(value, _DELIVERIES)}"
                if name == "delivery" and _is_filled(value)
                else ""
            )
            yield f"{name}={_shown(value)} must be {right}{hint}"


def _faults_of_link(job: Job) -> Iterator[str]:
    """What is wrong with the address that a report's ids are links to."""
    from urllib.parse import SplitResult, urlsplit  # of no use to a job without one

    right = "write one such as link='https://shop.example.com/messages/{id}'"
    try:
        address = urlsplit(job.link)
    except ValueError:  # such as a bracket that is left open
        address = SplitResult("", "", "", "", "")
    if not job.merge:
        yield "link=… is for the ids in a report: leave it out of a job with answers per record"
    elif address.scheme not in ("http", "https") or not address.netloc:
        yield f"link={_shown(job.link)} is no http:// or https:// address: {right}"
    elif "{id}" in address.netloc:
        yield f"link={_shown(job.link)} has {{id}} in its host, which would be another's: {right}"
    elif "{id}" not in job.link:
        yield f"link={_shown(job.link)} has no {{id}}, so all records would have the same: {right}"
    elif not _ADDRESS(job.link):
        yield f"link={_shown(job.link)} has a character that no address has: {right}"


def _faults_of_empty(job: Job) -> Iterator[str]:
    """What is wrong with the worth of a record without a text."""
    if isinstance(job.empty, BaseModel):
        if job.merge:
            yield "empty=… is for a job with an answer per record: leave it out of a report"
        elif isinstance(job.output, type) and not isinstance(job.empty, job.output):
            yield f"empty={_shown(job.empty)} must be a {job.output.__name__}, like every output"
    elif isinstance(job.empty, str) and isinstance(job.output, type):
        try:
            _ = job.empty_output
        except ValidationError:
            output = job.output.__name__
            yield f"empty={job.empty!r} fills no {output}: write one, empty={output}(…)"


def check_columns(job: Job, columns: Iterable[str]) -> None:
    """Raises JobExit (78) for a column that the job needs and its SELECT does not give."""
    gives = [*columns]
    if lacking := lacking_columns(job, gives):
        raise JobExit(exits.SETTINGS, lacking)


def lacking_columns(job: Job, columns: Iterable[str]) -> str:
    """Which column the SELECT lacks, who needs it, and the remedy; "" where all are there."""
    gives = {column.casefold(): column for column in columns}
    needed = {"record_id": "every job has"}
    if job.prepare is None:  # it may bring along what the SELECT does not give
        needed |= dict.fromkeys(job.attributes, "attributes=… names")
        # A record may be without an element: one that is nearly a column is a slip of the pen.
        for name in job.elements:
            if close_to(name, gives, likeness=0.8):
                needed[name] = "elements=… names"
    if job.per_day:
        needed[job.time] = "time=… names"
    if job.show is Job.show:
        needed["content"] = "a job without show=… sends"
    for name, who in needed.items():
        if name.casefold() not in gives:
            meant = close_to(name, gives.values())
            remedy = f"did you mean {meant}?" if meant else "add it to the SELECT"
            if name == "record_id":
                remedy = "write `id as record_id` into it"
            there = ", ".join(gives.values())
            return f"the SELECT gives no {name}, which {who}: it gives {there}: {remedy}"
    return ""


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and "".join(value.split()) == value


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_filled, value))


def _is_function(value: object) -> bool:
    return callable(value)


def _is_function_or_none(value: object) -> bool:
    return value is None or callable(value)


# Not what an address has to escape; nor a bracket that Markdown takes for the end of one.
_ADDRESS = re.compile(r"(?:[!-~](?<![<>\\\"^`|{}])|\{id\})+").fullmatch
_DELIVERIES = ("live", *DEFERRED)
_NAMES = 'names of columns, such as ("created_at",)'
_COUNT = "a whole number of 1 or more"
_FUNCTION = "a function"
_OUTPUT = "one of the job's outputs, such as Labelled(label='other')"
# What each argument must be. The output model has a check of its own.
_ARGUMENTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "the script's name, Path(__file__).resolve().stem"),
    "select": (_is_filled, "the text of a SELECT"),
    "instructions": (_is_filled, "the text of the system prompt"),
    "save": (_is_function, _FUNCTION),
    "show": (_is_function, _FUNCTION),
    "attributes": (_are_names, _NAMES),
    "elements": (_are_names, _NAMES),
    "empty": (lambda value: value is None or isinstance(value, BaseModel | str), _OUTPUT),
    "prepare": (_is_function_or_none, _FUNCTION),
    "note": (_is_function_or_none, _FUNCTION),
    "merge": (_is_text, "the text of a prompt, or left out"),
    "time": (_is_filled, "the name of a column"),
    "reports_of": (_is_text, "the name of a job that writes a report per day, or left out"),
    "link": (_is_text, "an address with {id} in it, or left out"),
    "tables": (_is_text, "SQL that creates tables, or left out"),
    "chunk_size": (_is_count, _COUNT),
    "delivery": (lambda value: value in _DELIVERIES, " or ".join(map(repr, _DELIVERIES))),
    "output_tokens": (_is_count, _COUNT),
    "second_opinion": (_is_id, "the id of a model, such as 'claude-sonnet-5-5', or left out"),
}


def _function_faults(job: Job) -> Iterator[str]:
    """Functions that cannot be called as the run will call them."""
    save = (
        ("folder, report",) if job.merge else ("db, record, output", "db, record, output, origin")
    )
    functions: dict[str, tuple[object, tuple[str, ...]]] = {
        "save": (job.save, save),
        "show": (job.show, ("record",)),
        "prepare": (job.prepare, ("records",)),
        "note": (job.note, ("db, record",)),
    }
    for name, (function, ways) in functions.items():
        if not callable(function):
            continue
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            yield f"{name}() is async or has a yield, and would never run: make it a plain one"
        elif not any(_takes(function, len(way.split(","))) for way in ways):
            called = " or ".join(f"{name}({way})" for way in ways)
            yield f"{name}() is called as {called}: give it these parameters"
    if job.note is not None and job.merge:
        yield "note=… is for a job with an answer per record: a report only reads RECORDS_DB"
    elif job.note is not None and job.prepare is None:
        yield "note() is only called for what prepare() gives back: give prepare=…, too"


def _takes(function: Callable[..., object], count: int) -> bool:
    """Whether a function can be called with that many arguments; yes where nobody can say."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # written in C
        return True
    return True
