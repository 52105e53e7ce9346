"""What a person filled in, judged row by row: each becomes an output of the job's own model, or a
line that says why it cannot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.claude.answers import validated
from common.claude.code_faults import CodeError
from common.claude.faults import Fault
from common.context import Context
from common.job import Record
from common.job_code import DUMP, VALIDATOR
from common.ledger.corrections import corrected_fields
from common.ledger.erasure.other_parts import ERASED
from common.ledger.states import ENDED, RecordStatus
from common.ledger.tries import AnsweredRecord, Tries
from common.process.command_line import quoted
from common.process.log import brief
from ops.reviewing import saved_cells
from ops.reviewing.columns import TEXT, WHY, answer_columns, correct_column, corrections_of
from ops.reviewing.differences import compared, differ
from quality.cell_values import ABSENT
from quality.fields import RUNNER_UP, Field, fields_of
from quality.record_text import text_of
from quality.sample import everything
from quality.spreadsheet import KEY, Row, Table

# What spreadsheets make of ids that look like something else.
_DAMAGES = (
    (r"\d+(?:[.,]\d+)?E[+-]?\d+", "a long number, which it shortened"),
    (r"[+-]?\d+[.,]0+", "a number, to which it gave decimals"),
    (r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?: .*)?", "a date"),
    (r"\d{1,2}[-. ]+[^\W\d]{3}\.?(?:[- ]\d{2,4})?|[^\W\d]{3}[-. ]+\d{2,4}", "a date"),
    (r"[1-9]\d*", "a number, whose leading zeros it dropped"),
)
_AS_TEXT = "open the file with the column record_id as text, and fill it in again"


@dataclass(frozen=True)
class Correction:
    """The output that a person gives a record."""

    line: int
    record: Record
    data: dict[str, Any]  # as an answer has it
    filled_in: dict[str, Any]  # fields by name, with those that an earlier correction filled in

    @property
    def record_id(self) -> str:
        """The record's id."""
        record_id: str = self.record["record_id"]
        return record_id


@dataclass
class Judged:
    """A table, judged: what it corrects, and what is wrong with it, by line."""

    path: Path
    corrections: list[Correction] = field(default_factory=list)
    wrong: dict[int, str] = field(default_factory=dict)
    cells: int = 0  # that are filled in
    skipped: int = 0  # rows without any
    repeated: int = 0  # rows that say the same as one before

    def by_line(self, faults: Mapping[str, Fault]) -> dict[int, str]:
        """Why records failed, by the lines of the table that correct these."""
        return {
            one.line: f"record {brief(one.record_id)}: {faults[one.record_id].reason}"
            for one in self.corrections
            if one.record_id in faults
        }


@dataclass(frozen=True)
class _Filled:
    """A row in which something is filled in."""

    row: Row
    cells: dict[str, str]  # by the name of the field

    @property
    def possible_ids(self) -> list[str]:
        """The ids that its first cell may stand for, the likeliest first."""
        cell = self.row.cells[KEY]
        return [
            *dict.fromkeys([saved_cells.unmarked(cell), cell, saved_cells.unmarked(cell.strip())])
        ]


def _filled_rows(table: Table, columns: Mapping[str, Field]) -> tuple[list[_Filled], int]:
    """The rows in which something is filled in, and how many there are without."""
    rows = []
    for row in table.rows:
        cells = {columns[name].name: row.cells[name] for name in columns if row.cells[name].strip()}
        if cells:
            rows.append(_Filled(row, cells))
    return rows, len(table.rows) - len(rows)


class Judge:
    """Judges the rows of one table about one job."""

    def __init__(self, context: Context, table: Table) -> None:
        """Raises JobExit (78) where the table has no column to judge by."""
        self._context = context
        self._table = table
        self._fields = {one.name: one for one in fields_of(context.job.output)}
        self._columns = corrections_of(table, [*self._fields.values()])
        self.rows, self._skipped = _filled_rows(table, self._columns)
        self._column_of = {one.name: column for column, one in self._columns.items()}
        fields = [*self._fields.values()]
        firm = [one.name for one in fields if one in compared(fields) or one.name == RUNNER_UP]
        # The columns of a table of ours that show what the answer was: its firm fields.
        self._seen_in = {
            one.name: column
            for one, column in zip(fields, answer_columns(fields), strict=True)
            if WHY in table.columns and column in table.columns and one.name in firm
        }

    def judge(self) -> Judged:
        """All rows. Raises JobExit where the databases are to blame."""
        cells = sum(len(one.cells) for one in self.rows)
        judged = Judged(self._table.path, cells=cells, skipped=self._skipped)
        records = self._records()
        database, name = self._context.ledger.database, self._context.job.name
        answers = Tries(database, name).records(name, [*records])
        before = corrected_fields(database, name)
        at: dict[str, _Filled] = {}
        for one in self.rows:
            line = one.row.line
            try:
                record = self._record(one, records)
                record_id = record["record_id"]
                if (first := at.setdefault(record_id, one)) is not one:
                    judged.repeated += self._says_the_same(one, first)
                    continue
            except ValueError as error:
                judged.wrong[line] = str(error)
                continue
            try:
                correction = self._correction(one, record, answers.get(record_id), before)
                judged.corrections.append(correction)
            except ValueError as error:
                judged.wrong[line] = f"record {brief(record_id)}: {error}"
        return judged

    def _records(self) -> dict[str, Record]:
        """The records that the rows may be about, by id."""
        wanted = {record_id for one in self.rows for record_id in one.possible_ids}
        found: dict[str, Record] = {}
        for record in everything(self._context):
            if record["record_id"] in wanted:
                found.setdefault(record["record_id"], record)  # the first row of each counts
        return found

    def _record(self, one: _Filled, records: Mapping[str, Record]) -> Record:
        record = next((records[name] for name in one.possible_ids if name in records), None)
        given = one.row.cells[KEY].strip()
        if record is None:
            if not given:
                raise ValueError("no record_id: which record is it about?")
            raise ValueError(
                f"{quoted(given)} is no record of {self._context.job.name} (any more)"
                f"{_damage(given)}"
            )
        if TEXT in self._table.columns:
            text = text_of(self._context.job, record)
            if not saved_cells.is_same(one.row.cells[TEXT], text):
                raise ValueError(
                    f"record {brief(record['record_id'])}: its text is another one than this row's:"
                    " a spreadsheet changed the id or the text, or the record has changed since:"
                    " write the table anew, and save it as CSV UTF-8"
                )
        return record

    def _says_the_same(self, one: _Filled, first: _Filled) -> bool:
        if {name: cell.strip() for name, cell in one.cells.items()} != {
            name: cell.strip() for name, cell in first.cells.items()
        }:
            raise ValueError(
                f"the same record as in line {first.row.line}, with other values: keep one"
            )
        return True

    def _correction(
        self,
        one: _Filled,
        record: Record,
        answer: AnsweredRecord | None,
        before: Mapping[str, dict[str, Any]],
    ) -> Correction:
        record_id = record["record_id"]
        status = answer.status if answer else None
        if status in (RecordStatus.SUBMITTED, RecordStatus.ANSWERED):
            raise ValueError("it is under way: import it when its answer is in")
        if answer and answer.error == ERASED:
            raise ValueError("it was erased (prune --record)")
        stands = status in ENDED
        output = json.loads(answer.output) if stands and answer and answer.output else {}
        values = self._values(one)
        self._refuse_another_answer(one, output)
        data = {
            found.key: value
            for found in self._fields.values()
            if (value := found.written_in(output, ABSENT)) is not ABSENT
        }
        data |= {self._fields[name].key: value for name, value in values.items()}
        self._refuse_gaps(data, has_output=bool(output))
        dumped = self._dumped(record_id, data)
        names = (
            [*before.get(record_id, ()), *values] if status is RecordStatus.CORRECTED else values
        )
        return Correction(
            one.row.line, record, data, {name: dumped[name] for name in names if name in dumped}
        )

    def _values(self, one: _Filled) -> dict[str, Any]:
        """What the cells say. Raises ValueError for all of them that say nothing right."""
        values, wrong = {}, []
        for name, cell in one.cells.items():
            try:
                values[name] = self._fields[name].value(saved_cells.unmarked(cell.strip()))
            except ValueError as error:
                wrong.append(f"{self._column_of[name]}: {error}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return values

    def _refuse_another_answer(self, one: _Filled, output: Mapping[str, Any]) -> None:
        """Raises ValueError where a field keeps another value than the person has seen."""
        changed = []
        for name, column in self._seen_in.items():
            if name in one.cells or not output:
                continue
            cell = saved_cells.unmarked(one.row.cells[column].strip())
            try:
                seen = self._fields[name].read(cell) if cell else None
            except ValueError:  # a spreadsheet wrote it otherwise
                continue
            if differ(self._fields[name], {name: seen}, output):
                changed.append(correct_column(self._fields[name]))
        if changed:
            raise ValueError(
                "its answer is another one than when the table was written: write it anew, or fill"
                f" in {', '.join(changed)}, too"
            )

    def _refuse_gaps(self, data: Mapping[str, Any], *, has_output: bool) -> None:
        needed = self._context.job.output.model_fields
        lacking = [
            correct_column(found)
            for name, found in self._fields.items()
            if needed[name].is_required() and found.key not in data
        ]
        if lacking:
            why = "its answer lacks them" if has_output else "it has no answer"
            raise ValueError(f"fill in {', '.join(lacking)}, too: {why}")

    def _dumped(self, record_id: str, data: dict[str, Any]) -> dict[str, Any]:
        """The output by the names of its fields, as JSON values."""
        model = self._context.job.output
        call = self._context.code.call
        try:
            output, fault = call(VALIDATOR, [record_id], validated, model, data)
            if output is not None:
                return call(DUMP, [record_id], output.model_dump, mode="json", by_alias=False)
        except CodeError as error:
            raise ValueError(error.fault.reason) from error
        reason = fault.reason if fault else "no output"
        raise ValueError(f"{reason}, with the values that the answer keeps")


def _damage(given: str) -> str:
    for shape, what in _DAMAGES:
        if re.fullmatch(shape, given, re.IGNORECASE):
            return f": perhaps a spreadsheet took the id for {what}: {_AS_TEXT}"
    return ": it must be exactly as in the table that was written"
