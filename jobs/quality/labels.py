"""What --eval compares answers with: a CSV file of expected values, or what people corrected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from common.context import Context
from common.ledger.corrections import corrected_fields
from common.process import exits
from common.process.command_line import quoted
from common.process.exits import JobExit
from common.process.log import brief, log, shortened
from common.process.words import counted
from quality.fields import Field, comparable, fields_of
from quality.spreadsheet import KEY, Table, read

CORRECTIONS = "corrections"  # in the place of a file

# How columns of a file of `review` begin that stand beside Claude's own answers.
CORRECT = "correct_"


@dataclass
class Labels:
    """The expected values, as JSON, by record id and name of the field; and where they are from."""

    name: str
    fields: list[Field]  # those that are expected anywhere, in the order of the output model
    expected: dict[str, dict[str, Any]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)  # columns that are no field of the output
    empty: int = 0  # rows without a label


def labels(context: Context) -> Labels:
    """What the run's --eval names. Columns that are no field are ignored, and named once.

    Raises JobExit: 2 where there is no such file, 78 for one that cannot be read, or with a value
    that the output can never have; always with the line.
    """
    if context.options.labels == CORRECTIONS:
        return _of_corrections(context)
    found = of_table(read(Path(context.options.labels)), context.job.output)
    if found.ignored:
        columns = ", ".join(shortened(name, 40) for name in found.ignored[:20])
        log.info("%s: columns that are no field of the output are ignored: %s", found.name, columns)
    if found.empty and found.expected:
        log.info("%s: %s without a label left out", found.name, counted(found.empty, "row"))
    return found


def of_table(table: Table, model: type[BaseModel]) -> Labels:
    """The expected values in a table: a column for each field, by its name or alias in any case.

    An empty cell is no label. Of a table that `review` wrote, the columns correct_FIELD count,
    since those without `correct_` are Claude's own answers. Raises JobExit (78) as `labels` does.
    """
    fields = fields_of(model)
    by_name = {name.casefold(): one for one in fields for name in one.names}
    columns = [name for name in table.columns if name != KEY]
    corrected = {
        name: by_name[of]
        for name in columns
        if name.casefold().startswith(CORRECT)
        and (of := name.casefold().removeprefix(CORRECT)) in by_name
        and name.casefold() not in by_name
    }
    chosen = corrected or {
        name: by_name[name.casefold()] for name in columns if name.casefold() in by_name
    }
    _check_columns(table, chosen, columns, fields)
    found = Labels(
        table.path.name,
        [one for one in fields if one in chosen.values()],
        ignored=[name for name in columns if name not in chosen],
    )
    lines: dict[tuple[str, str], int] = {}
    for row in table.rows:
        record_id = row.cells[KEY].strip()
        given = {name: cell for name in chosen if (cell := row.cells[name].strip())}
        if not record_id:
            raise table.wrong(row.line, f"it has no {KEY}: fill it in, or delete the row")
        found.empty += not given
        for name, cell in given.items():
            one = chosen[name]
            try:
                value = one.read(cell)
            except ValueError as error:
                raise table.wrong(row.line, f"{error}") from None
            values = found.expected.setdefault(record_id, {})
            before = lines.setdefault((record_id, one.name), row.line)
            if values.setdefault(one.name, value) != value:
                twice = f"{KEY} {quoted(record_id)} was there in line {before}, with another"
                raise table.wrong(row.line, f"{twice} {one.name}: keep one")
    return found


def _check_columns(
    table: Table, chosen: dict[str, Field], columns: list[str], fields: list[Field]
) -> None:
    names = ", ".join(one.name for one in fields)
    if not chosen:
        there = ", ".join(quoted(name) for name in columns[:12]) or "none"
        reason = f"no column is a field of the output: its columns are {there}; fields are {names}"
        raise JobExit(exits.SETTINGS, f"{table.path}: {reason}")
    for one, times in Counter(one.name for one in chosen.values()).items():
        if times > 1:
            twice = " and ".join(name for name, other in chosen.items() if other.name == one)
            reason = f"the columns {twice} are both the field {one}: keep one"
            raise JobExit(exits.SETTINGS, f"{table.path}: {reason}")


def _of_corrections(context: Context) -> Labels:
    """What people filled in; what no output can be any more is left out, and told of."""
    fields = {one.name: one for one in fields_of(context.job.output)}
    found = Labels("corrections", [])
    outdated: list[str] = []
    for record_id, values in corrected_fields(context.ledger.database, context.job.name).items():
        for name, value in values.items():
            try:
                expected = comparable(fields[name].taken(value))
            except (KeyError, ValueError):
                outdated.append(record_id)
            else:
                found.expected.setdefault(record_id, {})[name] = expected
    if outdated:
        what = "1 corrected value" if len(outdated) == 1 else f"{len(outdated):,} corrected values"
        log.warning(
            "%s left out, since the output cannot be so any more, such as that of record %s",
            what,
            brief(outdated[0]),
        )
    named = {name for values in found.expected.values() for name in values}
    found.fields = [one for one in fields.values() if one.name in named]
    return found


def in_words(found: Labels) -> str:
    """How many records have a label: `500 records of labels.csv`."""
    return f"{counted(len(found.expected), 'record')} of {found.name}"
