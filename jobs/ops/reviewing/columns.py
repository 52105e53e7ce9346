"""The columns of a review file: the record, its answer, why it is there, and what should stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.process import exits
from common.process.command_line import quoted
from common.process.exits import JobExit
from common.process.words import nearest
from quality.fields import Field
from quality.labels import CORRECT
from quality.spreadsheet import KEY, Table

TEXT = "text"
WHY = "why"


def answer_columns(fields: Sequence[Field]) -> list[str]:
    """The columns of an answer's fields: their names, or others where these are taken."""
    taken = {KEY, TEXT, WHY, *(correct_column(field).casefold() for field in fields)}
    names = []
    for field in fields:
        name = field.name
        while name.casefold() in taken:
            name = f"answer_{name}"
        taken.add(name.casefold())
        names.append(name)
    return names


def correct_column(field: Field) -> str:
    """The column in which a person writes what the field is to be."""
    return f"{CORRECT}{field.name}"


def is_correct_column(column: str) -> bool:
    """Whether a column of a table is one in which a person writes what is right."""
    return column.casefold().startswith(CORRECT)


def corrections_of(table: Table, fields: Sequence[Field]) -> Mapping[str, Field]:
    """The fields that a table has a column for what they are to be, by the name of the column.

    Raises JobExit (78) where it has none, or one for a field that there is not.
    """
    meant = {f"{CORRECT}{name}".casefold(): field for field in fields for name in field.names}
    found: dict[str, Field] = {}
    for column in table.columns:
        if not is_correct_column(column):
            continue
        field = meant.get(column.casefold())
        if field is None:
            name, names = column[len(CORRECT) :], [field.name for field in fields]
            reason = f"{quoted(column)} is for no field of the output: {nearest(name, names)}"
            raise JobExit(exits.SETTINGS, f"{table.path}: the column {reason}")
        if field in found.values():
            reason = f"two columns say what {field.name} is to be: keep one"
            raise JobExit(exits.SETTINGS, f"{table.path}: {reason}")
        found[column] = field
    if not found:
        first = correct_column(fields[0]) if fields else f"{CORRECT}FIELD"
        reason = f"no column {CORRECT}FIELD, such as {first}: nothing says what is to be right"
        raise JobExit(exits.SETTINGS, f"{table.path}: {reason}")
    return found
