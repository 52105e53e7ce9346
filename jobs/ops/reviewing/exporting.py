"""Writes the review file of a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from common.context import Context
from common.ledger.corrections import corrected_fields
from common.process import exits, sheet
from common.process.exits import JobExit
from common.process.files import check_ours, write_whole
from common.process.words import counted
from common.runner.start import make_folder
from common.settings import Settings
from ops.reviewing import saved_cells
from ops.reviewing.choice import ONE_IN, Choice, Chosen, Group
from ops.reviewing.columns import (
    TEXT,
    WHY,
    answer_columns,
    correct_column,
    corrections_of,
    is_correct_column,
)
from quality import spreadsheet
from quality.fields import Field, comparable
from quality.spreadsheet import KEY

_IN_WORDS = {
    Group.DEAD: "given up on (dead letters)",
    Group.RUNNER_UP: "with a runner-up",
    Group.DIFFERS: "whose answers differ between versions or models",
    Group.RANDOM: f"at random, one in {ONE_IN} of the others",
}


def file_of(found: Settings) -> Path:
    """Where the review file of a job stands."""
    return found.reports.parent / "review" / f"{found.job}.csv"


def export(context: Context, rows: int) -> Iterator[str]:
    """Write the file, with that many rows at most, and say in lines what is in it.

    Raises JobExit: 2 where the file that is there holds corrections that were not imported.
    """
    path, job = file_of(context.settings), context.job.name
    choice = Choice(context, rows)
    chosen = choice.choose()
    if not chosen.rows:
        yield _nothing(job, chosen)
        return
    _keep_what_is_filled_in(path, context, choice)
    fields = choice.fields
    columns = [KEY, TEXT, *answer_columns(fields), WHY, *map(correct_column, fields)]
    rows_of_table = (
        [one.record_id, one.text, *(each.written_in(one.output) for each in fields), one.why]
        for _, one in chosen.rows
    )
    text = sheet.table(columns, rows_of_table)
    make_folder(path.parent)
    write_whole(path, text)
    yield f"{path}: {counted(len(chosen.rows), 'record')} to review"
    for group, words in _IN_WORDS.items():
        if count := chosen.count(group):
            more = chosen.of[group] - count
            rest = f" ({more:,} more: --rows N takes more)" if more else ""
            yield f"  {count:,} {words}{rest}"
    yield "Where an answer is wrong, write into its column correct_… what is right, (empty) for"
    yield "nothing; save it as CSV UTF-8, and then:"
    yield f"  {_command(context, path)}"


def _command(context: Context, path: Path) -> str:
    """The command that takes a table back."""
    demo = " --demo" if context.options.demo else ""
    return f"./run_job.sh review {context.job.name} --import {quote(str(path))}{demo}"


def _nothing(job: str, chosen: Chosen) -> str:
    forgotten = ""
    if chosen.forgotten:
        forgotten = (
            f" Of {counted(chosen.forgotten, 'record')} that are done the ledger has no output:"
            " prune forgets old ones."
        )
    if not chosen.done:
        what = "has an output to look at" if forgotten else "is done"
        return f"Nothing to review: no record of {job} {what}.{forgotten}"
    corrected = f", {chosen.corrected:,} of them by a person" if chosen.corrected else ""
    return (
        f"Nothing to review: {counted(chosen.done, 'record')} of {job} done{corrected}; none has a"
        f" runner-up or answers that differ, and none is in the sample.{forgotten}"
    )


def _keep_what_is_filled_in(path: Path, context: Context, choice: Choice) -> None:
    """Raises JobExit (2) where a new file would take somebody's work away."""
    check_ours(path)
    if not path.exists():
        return
    remedy = "move it away first"
    try:
        before = spreadsheet.read(path)
        if _is_as_written(before):
            return  # also where the job has other fields by now
        columns = corrections_of(before, choice.fields)
    except JobExit as error:
        reason = f"{error.message}; {remedy}"
        raise JobExit(exits.USAGE, reason) from error
    stands = corrected_fields(context.ledger.database, context.job.name)
    left = [
        row
        for row in before.rows
        if any(
            cell.strip()
            and not _stands(field, cell, stands.get(saved_cells.unmarked(row.cells[KEY])))
            for name, field in columns.items()
            if (cell := row.cells[name])
        )
    ]
    if left:
        what = f"{counted(len(left), 'row')} filled in and not imported"
        command = _command(context, path)
        remedy = f"import it ({command}), or {remedy}"
        raise JobExit(exits.USAGE, f"{path} has {what}: {remedy}")


def _is_as_written(table: spreadsheet.Table) -> bool:
    """Whether it has columns to fill in, and nothing in any of them."""
    columns = [name for name in table.columns if is_correct_column(name)]
    return bool(columns) and not any(
        row.cells[name].strip() for row in table.rows for name in columns
    )


def _stands(field: Field, cell: str, corrected: Mapping[str, Any] | None) -> bool:
    """Whether a cell says what a person has corrected already."""
    if corrected is None or field.name not in corrected:
        return False
    try:
        return bool(
            field.read(saved_cells.unmarked(cell.strip())) == comparable(corrected[field.name])
        )
    except ValueError:
        return False
